"""An order of samples that does not depend on the order in which they came."""

import hashlib

import numpy as np


def shuffled(samples: np.ndarray, seed: int) -> np.ndarray:
    """int64 [N]: a random order of `samples` [N, ...] that is a function of the seed and the samples' own bytes.

    Rows are sorted by a hash of the seed and their content, so the samples in this order are the same array whatever
    order, batches or shards they arrived in. Equal rows are interchangeable.
    """
    samples = np.ascontiguousarray(samples).reshape(len(samples), -1)
    salt = hashlib.sha256(f"{seed}/".encode())

    def digest(row: np.ndarray) -> bytes:
        state = salt.copy()
        state.update(row)
        return state.digest()[:8]

    digests = np.frombuffer(b"".join(digest(row) for row in samples), np.uint64)
    return np.argsort(digests, kind="stable")
