"""Loading a data set by its name: the source is found, prepared once, and mapped from the cache."""

import contextlib
import functools
import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterator
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import logging

from tfdfm import cache, files
from tfdfm.data import cachefile, digits, folder, huggingface, webdataset
from tfdfm.data.names import NAMED, Named
from tfdfm.data.source import Source, fit
from tfdfm.errors import Failure, UsageError

FILES = {"folder": folder.source, "webdataset": webdataset.source}  # by the scheme in front of a path
HUB = "huggingface"
_CHUNK = 64


class Images(NamedTuple):
    """A prepared data set."""

    name: str  # as the user gave it
    source: str  # in words, which source was taken
    pixels: np.ndarray  # uint8 [N, H, W, C], a read-only memory map
    labels: np.ndarray | None  # int32 [N]; None when unlabelled
    class_names: tuple[str, ...]  # () when unlabelled


class Description(NamedTuple):
    """What is known of a data set before its images are there."""

    image_size: int
    channels: int
    num_classes: int | None  # None when unlabelled


def _check_size(image_size: int | None) -> None:
    if image_size is not None and not 1 <= image_size <= 4096:
        raise UsageError(f"Expected an image_size between 1 and 4096 pixels, given {image_size}.")


def describe(name: str, image_size: int | None = None, data_dir: str | None = None) -> Description:
    """Size, channels and classes without reading or fetching images (a folder's files are looked at).

    Raises UsageError for a name that does not exist or a set without images.
    """
    _check_size(image_size)
    if entry := NAMED.get(name):
        return Description(image_size or entry.image_size, entry.channels, entry.num_classes)
    if source := _named_by_scheme(name):
        (side, channels), names = _layout(source, cache.folder()), source.class_names
    else:
        from tfdfm.data import tfds_source

        side, channels, names = tfds_source.layout(tfds_source.builder(name, data_dir), name)
    return Description(image_size or side, channels, len(names) or None)


def _from_tfds(name: str, image_size: int | None, data_dir: str | None, directory: Path, test: bool) -> Source | Path:
    """The source of a TFDS name; a cache file when the source is gone but its images were prepared before."""
    from tfdfm.data import tfds_source

    entry = NAMED.get(name) or Named((name,), 0, 0, 0)  # its layout is TFDS's to tell
    labels = entry.num_classes is not None
    wanted = (entry.test, "test", "validation") if test else (entry.split,)
    for candidate in entry.tfds:
        found = tfds_source.builder(candidate, data_dir)
        if found.is_prepared():
            return tfds_source.source(found, candidate, wanted, labels)
        tfds_source.layout(found, candidate)  # no images in it: said before anything is fetched
        if cached := cachefile.find(directory, name, image_size, [tfds_source.title(found, split) for split in wanted]):
            logging.info("%s is not prepared in %s: taken from the cache.", candidate, found.data_dir_root)
            return cached

    def builder():
        return tfds_source.builder(candidate, data_dir)

    prepare = functools.partial(tfds_source.prepare, name=candidate)
    stem = cachefile.stem(candidate, None)
    cache.once(directory, stem, lambda: builder().is_prepared(), lambda: prepare(builder()))
    return tfds_source.source(builder(), candidate, wanted, labels)


def _fitted(source: Source, size: int, channels: int) -> Iterator[tuple[np.ndarray, int]]:
    """The source's examples, decoded and fitted on a few threads, in order."""
    rows = source.examples()
    with ThreadPool(os.cpu_count()) as pool:
        while chunk := list(itertools.islice(rows, _CHUNK)):
            pixels = pool.map(lambda row: fit(source.decode(row[0]), size, channels), chunk)
            yield from zip(pixels, (label for _, label in chunk), strict=True)


def _layout(source: Source, directory: Path) -> tuple[int, int]:
    """The source's, for which it may look at every image: once, where the cache can keep it."""
    kept = directory / f"layout-{_digest(source.version)[:16]}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):
        side, channels, digest = json.loads(kept.read_text())
        if digest == _digest(source.version, side, channels):
            return side, channels
    side, channels = source.layout()
    with contextlib.suppress(Failure, OSError):
        files.make_folder(directory)
        files.write_json(kept, [side, channels, _digest(source.version, side, channels)])
    return side, channels


def _digest(*of) -> str:
    return hashlib.sha256(repr(of).encode()).hexdigest()


def _prepare(source: Source, target: Path, image_size: int | None) -> None:
    side, channels = _layout(source, target.parent)
    size = image_size or side
    shape = (source.count, size, size, channels)
    logging.info("Preparing %d images of %s at %d x %d pixels in %s.", source.count, source.text, size, size, target)
    cachefile.write(target, source.text, shape, source.class_names, _fitted(source, size, channels))


def load(
    name: str,
    *,
    image_size: int | None = None,
    data_dir: str | None = None,
    cache_dir: str | None = None,
    split: str = "train",
) -> Images:
    """The images of `name`, square, prepared on first use and memory-mapped.

    Args:
        image_size: other than the set's own: rescaled and centre-cropped.
        data_dir: TFDS's (default TFDS_DATA_DIR).
        split: "train", all that a run learns from, or "test", the images held out (TFDS's test or validation split).

    Raises:
        UsageError: a name that does not exist, a set without test images.
        Failure: data that cannot be had, a damaged cache.
    """
    _check_size(image_size)
    directory = cache.folder(cache_dir)
    image_size = image_size or (NAMED[name].image_size if name in NAMED else None)
    source = _source(name, image_size, data_dir, directory, split == "test")
    target = source if isinstance(source, Path) else cachefile.path(directory, name, image_size, source.version)
    cache.once(directory, cachefile.stem(name, None), target.exists, lambda: _prepare(source, target, image_size))
    contents = cachefile.read(target)
    text = contents.source if isinstance(source, Path) else source.text
    logging.info("Data: %s, %s images from %s.", name, "x".join(map(str, contents.pixels.shape)), text)
    return Images(name, text, contents.pixels, *_in_wordnet_order(contents.labels, contents.class_names))


def _in_wordnet_order(labels: np.ndarray | None, names: tuple[str, ...]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """ImageNet's classes, whose names are WordNet's ids, by these: TFDS's imagenet_resized has them otherwise than
    imagenet2012 and every classifier of ImageNet. Other classes stay as they are."""
    ordered = tuple(sorted(names))
    if labels is None or names == ordered or not all(map(re.compile(r"n\d{8}").fullmatch, names)):
        return labels, names
    places = {name: place for place, name in enumerate(ordered)}
    return np.array([places[name] for name in names], labels.dtype)[labels], ordered


def _source(name: str, image_size: int | None, data_dir: str | None, directory: Path, test: bool) -> Source | Path:
    if test and (name == "digits" or name.partition(":")[0] in FILES):
        raise UsageError(f"{name} has no test images. Leave out :test, or give the folder of other images.")
    if name == "digits":
        return digits.source()
    return _named_by_scheme(name, test) or _from_tfds(name, image_size, data_dir, directory, test)


def _named_by_scheme(name: str, test: bool = False) -> Source | None:
    """The source of SCHEME:PLACE; None of other names."""
    scheme, _, place = name.partition(":")
    if scheme == HUB:
        return huggingface.source(place, test)
    return FILES[scheme](place) if scheme in FILES else None
