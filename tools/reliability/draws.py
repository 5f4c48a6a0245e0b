"""Draws of the fuzzer's clients."""

import numpy as np


def one(rng: np.random.Generator, values: list):
    return values[rng.integers(len(values))]


def torn(rng: np.random.Generator, sent: bytes, kinds: int = 4) -> bytes:
    """One to four changes to the bytes: one is another, a cut, more between, and of four kinds a part doubled."""
    found = bytearray(sent)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(len(found) or 1))
        change = rng.integers(kinds)
        if change == 0 and found:
            found[at % len(found)] = rng.integers(256)
        elif change == 1:
            del found[at:]
        elif change == 2:
            found[at:at] = rng.bytes(int(rng.integers(1, 9)))
        else:
            found += found[at:]
    return bytes(found)
