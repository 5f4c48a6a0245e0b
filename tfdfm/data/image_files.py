"""Image files of any kind that Pillow reads, wherever they lie: in a folder, in a zip, in tar shards."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from tfdfm.data.source import Source, default_size
from tfdfm.errors import Failure

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
_GRAY = {"1", "L", "LA"}
_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


class ImageFile(NamedTuple):
    name: str  # for messages
    open: Callable[[], BinaryIO]


def header(file: ImageFile) -> tuple[tuple[int, int], bool]:
    """Width and height, and whether the image is gray, from the file's header alone."""
    try:
        with file.open() as opened, Image.open(opened) as image:
            return image.size, is_gray(image)
    except _UNREADABLE as error:
        raise _unreadable(file, error) from error


def is_gray(image: Image.Image) -> bool:
    return image.mode in _GRAY or image.mode.startswith("I")


def decode(file: ImageFile) -> np.ndarray:
    """uint8 [h, w, 1 or 3], upright (EXIF), without alpha; raises Failure naming a file that cannot be read."""
    try:
        with file.open() as opened, Image.open(opened) as image:
            return pixels(image)
    except _UNREADABLE as error:
        raise _unreadable(file, error) from error


def pixels(image: Image.Image) -> np.ndarray:
    """uint8 [h, w, 1 or 3], upright (EXIF), without alpha. Raises ValueError: floating-point pixels."""
    image = ImageOps.exif_transpose(image)
    if image.mode == "F":
        raise ValueError("floating-point pixels")
    if image.mode.startswith("I"):  # 16 bits
        return (np.asarray(image) >> 8).astype(np.uint8)[..., None]
    found = np.asarray(image.convert("L" if image.mode in _GRAY else "RGB"))
    return found.reshape(*found.shape[:2], -1)


def _unreadable(file: ImageFile, error: Exception) -> Failure:
    return Failure(f"Cannot read the image {file.name} ({' '.join(str(error).split())}): replace or remove it.")


def of_classes(text: str, version: str, classes: Mapping[str, Sequence[ImageFile]]) -> Source:
    """The images of classes, the one class "" of those without labels."""
    examples = [(file, label) for label, files in enumerate(classes.values()) for file in files]

    def rows() -> Iterator[tuple[ImageFile, int]]:
        return iter(examples)

    names = () if "" in classes else tuple(classes)
    return Source(
        text, version, len(examples), names, lambda: layout(header(file) for file, _ in examples), rows, decode
    )


def layout(headers: Iterable[tuple[tuple[int, int], bool]]) -> tuple[int, int]:
    """-> side, channels: the largest network size that the smallest one fills; gray when all of them are."""
    sizes, grays = zip(*headers, strict=True)
    return default_size(min(map(min, sizes))), 1 if all(grays) else 3
