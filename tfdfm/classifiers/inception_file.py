"""The file of the Inception graph of 2015-12-05: where it is, whether it is that one, and how it is fetched.

The archive of 2015 holds the graph and which of its 1,008 outputs is which of ImageNet's 1,000 classes.

Its checksum is that of the copy in which ADM and those who compare with it take the graph
(openaipublic.blob.core.windows.net/diffusion/jul-2021/ref_batches/classify_image_graph_def.pb, 95,673,916 bytes), as
several of their repositories give it; the graph in the archive of 2015 has the same name and size.
"""

import gzip
import hashlib
import io
import re
import shutil
import tarfile
import zlib
from pathlib import Path

from tfdfm import cache
from tfdfm.classifiers.fetch import fetch
from tfdfm.errors import Failure

URL = "http://download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz"
GRAPH = "classify_image_graph_def.pb"
LABELS = "imagenet_2012_challenge_label_map_proto.pbtxt"
_ENTRY = re.compile(r'target_class:\s*(\d+)\s*target_class_string:\s*"(n\d{8})"')
CHECKSUM = "009d6814d1bc560d4e7b236e170e9b2d5ca6f4b57bd8037f6db05776204415c6"  # SHA-256 of GRAPH
ADVICE = f"Take {GRAPH} of {URL}."


def checksum(path: Path) -> str:
    """SHA-256 of the graph in a file or archive."""
    return hashlib.sha256(content(path)).hexdigest()


def content(path: Path) -> bytes:
    """The graph in a file: all of it, or out of the archive."""
    found = _members(path, GRAPH)
    if GRAPH not in found:
        raise Failure(f"{path} is no archive with {GRAPH} in it. {ADVICE}")
    return found[GRAPH]


def places(path: Path) -> dict[str, int] | None:
    """{WordNet id: place of its logit} of the label map in the archive, or beside a graph or SavedModel; None: none.

    Raises:
        Failure: the label map is damaged.
    """
    beside = path.with_name(LABELS)
    data = None if path.is_dir() else _members(path, LABELS).get(LABELS)
    if data is None and beside.is_file():
        data = beside.read_bytes()
    if data is None:
        return None
    entries = _ENTRY.findall(data.decode(errors="replace"))
    found = {name: int(place) for place, name in entries}
    if not found or not len(found) == len(set(found.values())) == data.count(b"target_class:"):
        raise Failure(f"The label map {LABELS} of {path} is damaged: {len(found):,} good entries. {ADVICE}")
    return found


def _members(path: Path, *names: str) -> dict[str, bytes]:
    """What an archive has of these files; any other file is the graph."""
    try:
        data = path.read_bytes()
        if not data.startswith(b"\x1f\x8b"):
            return {GRAPH: data}
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data)), mode="r:") as archive:  # checks the CRC
            parts = [part for part in archive if part.isfile() and Path(part.name).name in names]
            return {Path(part.name).name: archive.extractfile(part).read() for part in parts}
    except (EOFError, zlib.error, tarfile.TarError, gzip.BadGzipFile) as error:
        raise Failure(f"{path} is damaged, or no archive with {GRAPH} in it ({error}). {ADVICE}") from error
    except OSError as error:
        raise Failure(f"Cannot read {path}: {error.strerror}.") from error


def fetched(url: str = "", cache_dir: str | None = None) -> Path:
    """The graph or archive, or the folder of a SavedModel, that `url` gives: in the cache, fetched and checked once.

    Raises:
        Failure: it cannot be fetched, or another file comes.
    """
    directory, target = cache.folder(cache_dir), kept(url, cache_dir)
    cache.once(directory, target.name, target.exists, lambda: _keep(url or URL, target))
    try:
        found = CHECKSUM if target.is_dir() else checksum(target)
    except Failure:
        found = "of no graph"
    if found != CHECKSUM:
        raise Failure(
            f"{target} is damaged (SHA-256 {found}, published {CHECKSUM}): delete it, and it is fetched again."
        )
    return target


def kept(url: str = "", cache_dir: str | None = None) -> Path:
    """Where the cache has, or would have, what `url` gives; "": URL."""
    return cache.folder(cache_dir) / f"inception2015-{hashlib.sha256((url or URL).encode()).hexdigest()[:16]}"


def _keep(url: str, target: Path) -> None:
    model = not url.endswith((".pb", ".tgz", ".tar.gz"))
    archive = target.with_name(f"{target.name}.fetched")
    try:
        fetch(f"{url}?tf-hub-format=compressed" if model else url, archive)
        if model:
            return _unpack(archive, target)
        if (found := checksum(archive)) != CHECKSUM:
            raise Failure(f"{url} gives another file: SHA-256 {found}, published {CHECKSUM}. {ADVICE}")
        with cache.writing(target):
            archive.replace(target)
    except Failure as error:
        raise Failure(f"{error} Or name a copy: --classifier=inception2015:PATH.") from error
    finally:
        archive.unlink(missing_ok=True)


def _unpack(archive: Path, target: Path) -> None:
    """The folder in an archive, whole or not at all."""
    temporary = target.with_name(f".{target.name}.writing")
    shutil.rmtree(temporary, ignore_errors=True)  # what a killed process left
    try:
        content = io.BytesIO(gzip.decompress(archive.read_bytes()))
        with cache.writing(target), tarfile.open(fileobj=content, mode="r:") as parts:
            parts.extractall(temporary, filter="data")
            temporary.rename(target)
    except (EOFError, zlib.error, tarfile.TarError, gzip.BadGzipFile) as error:
        raise Failure(f"What TF-Hub gave for {target.name} is no archive ({error}).") from error
