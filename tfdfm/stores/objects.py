"""The objects below a URL, by fsspec: what there is, and getting and putting it.

An object is there whole or not at all. MARKS are the files without which a checkpoint or a version of a model does not
count: they are put last and removed first, so whoever is killed leaves none by half.
"""

import contextlib
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from tfdfm.errors import Failure, UsageError

Name = str  # of an object below the URL, with slashes; "" of the one that is the URL itself
Opened = contextlib.AbstractContextManager[BinaryIO]
MARKS = ("state.sha256", "saved_model.pb")
EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs"}  # protocol: extra of this package
_AT_ONCE = 64  # objects side by side
_STATE = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "created")  # of an object, the first that a store tells


def checked(url: str) -> str:
    """The URL without a slash at its end. Raises UsageError."""
    scheme, _, rest = url.rstrip("/").partition("://")
    if not scheme.isalnum() or {"", ".", ".."} & set(rest.split("/")):
        raise UsageError(f"Expected a path or a URL such as s3://BUCKET/FOLDER, given {url!r}.")
    return f"{scheme}://{rest}"


def marks_last(names: Iterable[Name]) -> list[Name]:
    return sorted(names, key=lambda name: (name.endswith(MARKS), name))


class Objects:
    """Those below `url`. All methods raise UsageError (the protocol is not installed) and Failure (no answer)."""

    def __init__(self, url: str):
        self.url = url

    @cached_property
    def _store(self) -> tuple[Any, str]:
        """fsspec's file system, and the path there."""
        import fsspec

        for library in ("aiobotocore", "botocore"):  # which tell at every start where the credentials were
            logging.getLogger(library).setLevel(logging.WARNING)
        with _reaching(self.url):
            found, base = fsspec.url_to_fs(self.url)
            return found, base.rstrip("/")

    def listing(self) -> dict[Name, str]:
        """{name: a text that is another one once the object is; its `size` is in it}"""
        store, base = self._store
        with _reaching(self.url):
            store.invalidate_cache()
            found = store.find(base, detail=True)
        names = {key[len(base) :].lstrip("/"): about for key, about in found.items() if not key.endswith("/")}
        if wrong := [name for name in names if {".", ".."} & set(name.split("/"))]:
            raise Failure(f"{self.url} holds an object that no folder can: {wrong[0]!r}. Remove it.")
        return {name: _state(about) for name, about in names.items()}

    def get(self, files: Mapping[Name, Path]) -> None:
        """Writes each to its file, whose folder is there."""
        store, _ = self._store
        with _reaching(self.url):
            for names in _chunks(files):
                store.get([self._path(name) for name in names], [str(files[name]) for name in names])

    @contextlib.contextmanager
    def open(self, name: Name) -> Iterator[BinaryIO]:
        """To be read where it is, some MB at a time."""
        store, _ = self._store
        with _reaching(self.url), store.open(self._path(name), "rb") as file:
            yield file

    def put(self, files: Mapping[Name, Path]) -> None:
        """MARKS last."""
        store, _ = self._store
        with _reaching(self.url):
            for last in (False, True):
                for names in _chunks([name for name in files if name.endswith(MARKS) == last]):
                    store.put([str(files[name]) for name in names], [self._path(name) for name in names])

    def remove(self, names: Iterable[Name]) -> None:
        """MARKS first."""
        store, _ = self._store
        with _reaching(self.url):
            for name in reversed(marks_last(names)):
                store.rm_file(self._path(name))

    def _path(self, name: Name) -> str:
        base = self._store[1]
        return f"{base}/{name}" if name else base


def _state(about: Mapping) -> str:
    return f"{about['size']} {next((str(about[key]) for key in _STATE if key in about), '')}"


def size(state: str) -> int:
    """Bytes of the object of which a listing says this."""
    return int(state.split(" ")[0])


def _chunks(names: Collection[Name]) -> Iterator[list[Name]]:
    listed = list(names)
    return (listed[start : start + _AT_ONCE] for start in range(0, len(listed), _AT_ONCE))


@contextlib.contextmanager
def _reaching(url: str) -> Iterator[None]:
    scheme = url.partition("://")[0]
    try:
        yield
    except (Failure, UsageError):
        raise
    except ImportError as error:
        extra = f": pip install 'tfdfm[{EXTRAS[scheme]}]'" if scheme in EXTRAS else f" ({error})"
        raise UsageError(f"{url} needs a library that is not installed{extra}.") from error
    except Exception as error:  # every store's library has its own
        if isinstance(error, ValueError) and "Protocol not known" in str(error):
            raise UsageError(f"Expected a URL such as s3:// or gs://, given {url}: there is no such store.") from error
        cause = " ".join((str(error) or type(error).__name__).split()).rstrip(".")
        raise Failure(f"Cannot reach {url}: {cause}. Check address, credentials and network.") from error
