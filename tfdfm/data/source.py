"""The interface of a source of images, and the fitting of an image to the size that the networks see."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from tfdfm.images import SIZES

LOOKED_AT = 1000  # images of a set that is read as a stream, whose size and colours are taken for all


class Source(NamedTuple):
    """Images that can be read in a fixed order, as often as asked."""

    text: str  # in words, for the log
    version: str  # changes whenever the images may have changed
    count: int
    class_names: tuple[str, ...]  # () when unlabelled
    layout: Callable[[], tuple[int, int]]  # -> native side, channels; may have to look at every image
    examples: Callable[[], Iterator[tuple[Any, int]]]  # -> (something to decode, label or -1)
    decode: Callable[[Any], np.ndarray] = lambda pixels: pixels  # -> uint8 [h, w, 1 or 3 or 4]


def default_size(shorter_side: int) -> int:
    """The largest side with a network that the image fills; MNIST's 28 pixels are padded to 32."""
    if shorter_side == 28:
        return 32
    return max((size for size in SIZES if size <= shorter_side), default=SIZES[0])


def fit(pixels: np.ndarray, size: int, channels: int) -> np.ndarray:
    """uint8 [h, w, c] -> [size, size, channels]: rescaled with antialiasing, centre-cropped; 28 is padded to 32.

    Gray becomes RGB where `channels` is 3; a fourth channel (alpha) is dropped.
    """
    height, width, given = pixels.shape
    if given < channels:
        pixels = np.repeat(pixels[..., :1], channels, axis=-1)
    pixels = pixels[..., :channels]
    if (height, width) == (size, size):
        return pixels
    if (height, width, size) == (28, 28, 32):
        return np.pad(pixels, ((2, 2), (2, 2), (0, 0)))
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    image = Image.fromarray(pixels if channels == 3 else pixels[..., 0])
    image = image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    return np.asarray(image).reshape(size, size, channels)
