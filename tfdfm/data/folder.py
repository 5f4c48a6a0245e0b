"""A folder of images: sub-folders are classes; images lying directly in the folder have no labels."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from tfdfm.data.source import Source, default_size
from tfdfm.errors import Failure, UsageError

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
_GRAY = {"1", "L", "LA"}
_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def _images(folder: Path, pattern: str) -> list[Path]:
    """The images under `folder`, sorted; nothing hidden."""
    found = (path for path in folder.glob(pattern) if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _classes(folder: Path) -> dict[str, list[Path]]:
    """Class name -> its images; the one class "" when the images lie in the folder itself."""
    if not folder.is_dir():
        raise UsageError(f"Expected a folder of images, given {str(folder)!r}, which is not a folder.")
    direct = _images(folder, "*")
    children = sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    classes = {child.name: files for child in children if (files := _images(child, "**/*"))}
    if direct and classes:
        raise UsageError(
            f"{folder} holds images of its own ({direct[0].name}, ...) and sub-folders with images "
            f"({', '.join(list(classes)[:3])}, ...): put every image into a class, or none."
        )
    if not direct and not classes:
        raise UsageError(f"No images in {folder}: expected files ending in {', '.join(sorted(SUFFIXES))}.")
    return classes or {"": direct}


def _unreadable(path: Path, error: Exception) -> Failure:
    return Failure(f"Cannot read the image {path} ({' '.join(str(error).split())}): replace or remove it.")


def _header(path: Path) -> tuple[tuple[int, int], bool]:
    """Width and height, and whether the image is gray, from the file's header alone."""
    try:
        with Image.open(path) as image:
            return image.size, image.mode in _GRAY or image.mode.startswith("I")
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def sides(folder: str) -> tuple[int, int]:
    """The shortest and the longest side of all images, in pixels."""
    paths = [path for paths in _classes(Path(folder).expanduser()).values() for path in paths]
    lengths = [side for path in paths for side in _header(path)[0]]
    return min(lengths), max(lengths)


def decode(path: Path) -> np.ndarray:
    """uint8 [h, w, 1 or 3], upright (EXIF), without alpha; raises Failure naming a file that cannot be read."""
    try:
        with Image.open(path) as image:
            image = ImageOps.exif_transpose(image)
            if image.mode == "F":
                raise ValueError("floating-point pixels")
            if image.mode.startswith("I"):  # 16 bits
                return (np.asarray(image) >> 8).astype(np.uint8)[..., None]
            pixels = np.asarray(image.convert("L" if image.mode in _GRAY else "RGB"))
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error
    return pixels.reshape(*pixels.shape[:2], -1)


def source(folder: str) -> Source:
    """The images of `folder`; gray when all of them are, at the largest network size that the smallest one fills.

    `version` digests names, sizes and modification times, so a changed folder is prepared anew.
    """
    root = Path(folder).expanduser().resolve()
    classes = _classes(root)
    examples = [(path, label) for label, paths in enumerate(classes.values()) for path in paths]
    stats = [(str(path.relative_to(root)), path.stat()) for path, _ in examples]
    digest = hashlib.sha256(repr([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]).encode())

    def layout() -> tuple[int, int]:
        sizes, grays = zip(*(_header(path) for path, _ in examples), strict=True)
        return default_size(min(map(min, sizes))), 1 if all(grays) else 3

    def rows() -> Iterator[tuple[Path, int]]:
        return iter(examples)

    names = () if "" in classes else tuple(classes)
    return Source(f"folder {root}", digest.hexdigest(), len(examples), names, layout, rows, decode)
