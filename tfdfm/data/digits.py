"""scikit-learn's bundled handwritten digits (UCI, real, 8x8, 17 grey levels): no download, no TFDS."""

from collections.abc import Iterator
from importlib.metadata import version

import numpy as np

from tfdfm.data.source import Source


def _examples() -> Iterator[tuple[np.ndarray, int]]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]  # [1797, 8, 8, 1]
    return zip(pixels, bunch.target, strict=True)


def source() -> Source:
    """1,797 digits of ten classes, enlarged from 8 to 16 pixels unless asked otherwise."""
    release = version("scikit-learn")
    names = tuple("0123456789")
    return Source(f"scikit-learn {release} digits", release, 1797, names, lambda: (16, 1), _examples)
