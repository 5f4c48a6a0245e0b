"""A folder of images, or a zip of one: sub-folders are classes; images lying directly in it have no labels."""

import functools
import hashlib
import zipfile
from collections import defaultdict
from pathlib import Path, PurePosixPath

from tfdfm import stores
from tfdfm.data.image_files import SUFFIXES, ImageFile, header, of_classes
from tfdfm.data.source import Source
from tfdfm.errors import Failure, UsageError

ZIP = ".zip"


def is_one(path: str) -> bool:
    """Whether there is such a folder or zip."""
    found = stores.fetched(path).expanduser()
    return found.is_dir() or (found.suffix.lower() == ZIP and found.is_file())


def source(path: str) -> Source:
    """The images of a folder or a zip.

    `version` digests names, sizes and modification times (of a zip its files' checksums), so what has changed is
    prepared anew.

    Raises:
        UsageError: it is neither, or holds no images, or some in classes and some in none.
        Failure: a damaged zip.
    """
    root = stores.fetched(path).expanduser().resolve()
    found, state = _zipped(root) if root.suffix.lower() == ZIP and root.is_file() else _lying(root)
    digest = hashlib.sha256(repr(state).encode()).hexdigest()
    return of_classes(f"{'zip' if root.is_file() else 'folder'} {stores.name(root)}", digest, _classes(root, found))


def sides(path: str) -> tuple[int, int]:
    """The shortest and the longest side of all images, in pixels."""
    lengths = [side for file, _ in source(path).examples() for side in header(file)[0]]
    return min(lengths), max(lengths)


def _lying(root: Path) -> tuple[dict[PurePosixPath, ImageFile], list[tuple]]:
    """Every image below a folder by its path there, sorted, and what tells that one has changed."""
    if not root.is_dir():
        raise UsageError(f"Expected a folder of images or a zip of one, given {str(root)!r}, which is neither.")
    found, state = {}, []
    for path in sorted(root.glob("**/*")):
        place = path.relative_to(root)
        if _shown(place) and path.is_file():
            found[PurePosixPath(place)] = ImageFile(str(path), functools.partial(path.open, "rb"))
            about = path.stat()
            state.append((str(place), about.st_size, about.st_mtime_ns))
    return found, state


def _zipped(root: Path) -> tuple[dict[PurePosixPath, ImageFile], list[tuple]]:
    try:
        archive = zipfile.ZipFile(root)
    except (OSError, zipfile.BadZipFile) as error:
        raise Failure(f"Cannot read {root} ({error}): expected a zip of images. Replace it.") from None
    listed = [info for info in archive.infolist() if not info.is_dir() and _shown(PurePosixPath(info.filename))]
    places = {PurePosixPath(info.filename): info for info in listed}
    found = {
        place: ImageFile(f"{root}/{place}", functools.partial(archive.open, places[place])) for place in sorted(places)
    }
    return found, [(str(place), places[place].file_size, places[place].CRC) for place in found]


def _shown(place: PurePosixPath | Path) -> bool:
    """Whether it is an image, and neither it nor a folder above is hidden."""
    return place.suffix.lower() in SUFFIXES and not any(part.startswith((".", "__MACOSX")) for part in place.parts)


def _classes(root: Path, found: dict[PurePosixPath, ImageFile]) -> dict[str, list[ImageFile]]:
    """Class name -> its images; the one class "" when the images lie in the folder itself.

    A zip whose images lie in one folder that holds folders is that folder's.
    """
    if root.is_file() and len({place.parts[0] for place in found}) == 1 and min(len(p.parts) for p in found) > 2:
        found = {PurePosixPath(*place.parts[1:]): file for place, file in found.items()}
    classes: dict[str, list[ImageFile]] = defaultdict(list)
    for place, file in found.items():
        classes[place.parts[0] if len(place.parts) > 1 else ""].append(file)
    if not classes:
        raise UsageError(f"No images in {root}: expected files ending in {', '.join(sorted(SUFFIXES))}.")
    if "" in classes and len(classes) > 1:
        named = [name for name in classes if name]
        raise UsageError(
            f"{root} holds images of its own ({next(str(p) for p in found if len(p.parts) == 1)}, ...) and sub-folders "
            f"with images ({', '.join(named[:3])}, ...): put every image into a class, or none."
        )
    return dict(sorted(classes.items()))
