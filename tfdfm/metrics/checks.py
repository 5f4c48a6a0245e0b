"""What every metric asks of its arrays. A wrong one is a `ValueError`: expected, received, what to do."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

ROWS = 2048  # of a block that is worked on at a time: 32 MB of 2,048 features in float64


class Labelled(NamedTuple):
    images: np.ndarray  # uint8 [N, H, W, C]
    labels: np.ndarray  # integers [N]


def blocks(count: int, rows: int = ROWS) -> Iterator[slice]:
    """Slices that cover range(count), `rows` each but the last."""
    return (slice(start, min(start + rows, count)) for start in range(0, count, rows))


def features(values: np.ndarray, name: str = "features", least: int = 2) -> np.ndarray:
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


def pair(real: np.ndarray, fake: np.ndarray, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Both as `features` says, with the same number of features."""
    real, fake = features(real, "real features", least), features(fake, "fake features", least)
    if real.shape[1] != fake.shape[1]:
        sizes = f"{real.shape[1]:,} and {fake.shape[1]:,}"
        raise ValueError(f"Expected as many real as fake features. Received {sizes}. Use one classifier for both.")
    return real, fake


def images(values: np.ndarray, name: str = "images", least: int = 1) -> np.ndarray:
    """`values` itself if it is uint8 of shape [N, H, W, C] with N >= `least`."""
    values = np.asanyarray(values)
    if values.ndim != 4 or values.dtype != np.uint8 or not values.size:
        shape = f"{values.dtype} of shape {list(values.shape)}"
        raise ValueError(f"Expected {name} as uint8 of shape [N, H, W, C]. Received {shape}. Scale them to 0..255.")
    if len(values) < least:
        raise ValueError(f"Expected at least {least:,} {name}. Received {len(values):,}. Make more samples.")
    return values


def labels(values: np.ndarray, count: int) -> np.ndarray:
    """`values` as int64 [count], none negative."""
    values = np.asanyarray(values)
    if values.shape != (count,) or values.dtype.kind not in "iu" or (count and values.min() < 0):
        shape = f"{values.dtype} of shape {list(values.shape)}"
        raise ValueError(f"Expected a label >= 0 for each of {count:,} samples. Received {shape}. Give one each.")
    return values.astype(np.int64)
