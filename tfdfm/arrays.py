"""Arrays of samples: checks, blocks, digests, and an order that does not depend on how they came.

A wrong array is a `ValueError`: expected, received, what to do.
"""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

REFERENCES = 100_000  # real images at most that samples are held against
ROWS = 2048  # of a block that is worked on at a time: 32 MB of 2,048 features in float64


class LabelledImages(NamedTuple):
    images: np.ndarray  # uint8 [N, H, W, C]
    labels: np.ndarray  # integers [N]


def blocks(count: int, rows: int = ROWS) -> Iterator[slice]:
    """Slices that cover range(count), `rows` each but the last."""
    return (slice(start, min(start + rows, count)) for start in range(0, count, rows))


def thinned(count: int, most: int = REFERENCES) -> slice:
    """Every k-th row of `count`, `most` at most."""
    return slice(None, None, max(-(-count // most), 1))


def check_features(values: np.ndarray, name: str = "features", least: int = 2) -> np.ndarray:
    """`values` itself if it is real, finite, of shape [N, D], with N >= `least` samples; memory-mapped stays so."""
    values = np.asanyarray(values)
    if values.ndim != 2 or not values.shape[1] or values.dtype.kind not in "fiu":
        shape = f"{values.dtype} of shape {list(values.shape)}"
        raise ValueError(f"Expected {name} as real numbers of shape [N, D]. Received {shape}. Flatten each sample.")
    if len(values) < least:
        raise ValueError(f"Expected {name} of at least {least:,} samples. Received {len(values):,}. Make more samples.")
    for block in blocks(len(values)) if values.dtype.kind == "f" else ():
        finite = np.isfinite(values[block]).all(axis=1)
        if not finite.all():
            row = block.start + int(np.argmin(finite))
            raise ValueError(f"Expected finite {name}. Received NaN or infinity in row {row}. Leave such samples out.")
    return values


def check_pair(real: np.ndarray, fake: np.ndarray, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Both as `check_features` says, with the same number of features."""
    real, fake = check_features(real, "real features", least), check_features(fake, "fake features", least)
    if real.shape[1] != fake.shape[1]:
        sizes = f"{real.shape[1]:,} and {fake.shape[1]:,}"
        raise ValueError(f"Expected as many real as fake features. Received {sizes}. Use one classifier for both.")
    return real, fake


def check_images(values: np.ndarray, name: str = "images", least: int = 1) -> np.ndarray:
    """`values` itself if it is uint8 of shape [N, H, W, C] with N >= `least`."""
    values = np.asanyarray(values)
    if values.ndim != 4 or values.dtype != np.uint8 or not values.size:
        shape = f"{values.dtype} of shape {list(values.shape)}"
        raise ValueError(f"Expected {name} as uint8 of shape [N, H, W, C]. Received {shape}. Scale them to 0..255.")
    if len(values) < least:
        raise ValueError(f"Expected at least {least:,} {name}. Received {len(values):,}. Make more samples.")
    return values


def check_labels(values: np.ndarray, count: int) -> np.ndarray:
    """`values` as int64 [count], none negative."""
    values = np.asanyarray(values)
    if values.shape != (count,) or values.dtype.kind not in "iu" or (count and values.min() < 0):
        shape = f"{values.dtype} of shape {list(values.shape)}"
        raise ValueError(f"Expected a label >= 0 for each of {count:,} samples. Received {shape}. Give one each.")
    return values.astype(np.int64)


def content(pixels: np.ndarray) -> str:
    """SHA-256 of images [N, H, W, C] and their shape, in hexadecimal digits."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    for block in blocks(len(pixels)):
        digest.update(np.ascontiguousarray(pixels[block]).data)
    return digest.hexdigest()


def digests(images: np.ndarray) -> np.ndarray:
    """uint8 [N, 32]: SHA-256 of each image's bytes, of an array or of what gives images for a slice of rows."""
    rows = (
        hashlib.sha256(np.ascontiguousarray(image).data).digest()
        for block in blocks(len(images), 256)
        for image in images[block]
    )
    return np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 32)


def shuffled(samples: np.ndarray, seed: int) -> np.ndarray:
    """int64 [N]: a random order of `samples` [N, ...] that is a function of the seed and the samples' own bytes.

    Rows are sorted by a hash of the seed and their content, so the samples in this order are the same array whatever
    order, batches or shards they arrived in. Equal rows are interchangeable.
    """
    samples = np.ascontiguousarray(samples).reshape(len(samples), -1)
    salt = hashlib.sha256(f"{seed}/".encode())

    def digest(row: np.ndarray) -> bytes:
        state = salt.copy()
        state.update(row.data)
        return state.digest()[:8]

    digests = np.frombuffer(b"".join(digest(row) for row in samples), np.uint64)
    return np.argsort(digests, kind="stable")
