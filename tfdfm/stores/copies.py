"""A copy on this machine of what a store holds below a URL, and what of it was the same at the last look."""

import contextlib
import hashlib
import itertools
import json
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from absl import logging
from filelock import FileLock, Timeout

from tfdfm import cache, files
from tfdfm.stores.objects import Name, Objects, marks_last, size


def root(*, own: bool) -> Path:
    """The folder of the copies that one process works on, or of those that processes share."""
    return cache.folder() / "stores" / ("own" if own else "shared")


def any_name(name: Name) -> bool:
    return True


class Copy:
    """The copy in `folder`. Where it is its process's `own`, what that writes is to be sent.

    ROOT/.known/*.json holds {name: [state of the object, our file's size and time]} of when both were the same.
    """

    def __init__(self, url: str, *, own: bool):
        self.url, self._own, self.objects = url, own, Objects(url)
        self.root = root(own=own)
        self._known = self.root / ".known" / f"{hashlib.sha256(url.encode()).hexdigest()}.json"
        with cache.writing(self._known):
            files.make_folder(self._known.parent)
        self._lock = FileLock(self._known.with_suffix(".lock"))
        if own and not _taken(self._lock):
            self.root = Path(tempfile.mkdtemp(prefix="tfdfm-"))
            weakref.finalize(self, shutil.rmtree, self.root, ignore_errors=True)
            self._known = self.root / ".known.json"
        self.folder = self.root.joinpath(*url.split("://"))

    def fetch(self, wanted: Callable[[Name], bool] = any_name) -> None:
        """Makes of the copy what the store is; what only an own copy has is kept if the store is as it was.

        Raises Failure: the store cannot be reached, the disk refuses; nothing is there by half.
        """
        with contextlib.nullcontext() if self._own else self._lock:
            held = {name: state for name, state in self.objects.listing().items() if wanted(name)}
            known, ours = self._read(), self._ours()
            if self._own and {name: row[0] for name, row in known.items()} == held:
                lacking = held.keys() - ours.keys()
            else:
                lacking = _other(held, known, ours)
                gone = (ours if self._own else known).keys() - held.keys()
                self._remove(name for name in gone if wanted(name))
            self._get(sorted(lacking))
            ours = self._ours()
            kept = {name: row for name, row in known.items() if name in held or not wanted(name)}
            self._write(kept | {name: [held[name], *ours[name]] for name in lacking})

    def beyond(self, wanted: Callable[[Name], bool]) -> dict[Name, str]:
        """The listing of what is `wanted`, if the disk has no room for what `fetch` would get of it; else nothing."""
        held = {name: state for name, state in self.objects.listing().items() if wanted(name)}
        need = sum(size(held[name]) for name in _other(held, self._read(), self._ours()))
        return held if need >= shutil.disk_usage(self.root).free else {}

    def send(self) -> None:
        """Makes of the store what the copy is. A folder that is gone goes there, too; a lone file does not.

        Raises Failure: the store cannot be reached.
        """
        known, ours = self._read(), self._ours()
        new = {name: self.folder / name for name, about in ours.items() if known.get(name, [None])[1:] != about}
        gone = {name for name in known.keys() - ours.keys() if not (self.folder / name).parent.exists()}
        if not (new or gone):
            return
        self.objects.put(new)
        self.objects.remove(gone)
        held = self.objects.listing()
        rows = {name: [held[name], *ours[name]] for name in new if name in held}
        self._write({name: row for name, row in known.items() if name not in gone} | rows)

    def _get(self, names: list[Name]) -> None:
        if not names:
            return
        logging.info("Fetching %d files of %s.", len(names), self.url)
        targets = {name: self.folder / name for name in marks_last(names)}
        fetched = {name: path.with_name(f".{path.name}.fetched") for name, path in targets.items()}
        with cache.writing(self.folder):
            for path in targets.values():
                path.parent.mkdir(parents=True, exist_ok=True)
            self.objects.get(fetched)
            for name, path in targets.items():
                files.sync(fetched[name])
                fetched[name].replace(path)

    def _remove(self, names: Iterable[Name]) -> None:
        with cache.writing(self.folder):
            for name in reversed(marks_last(names)):
                path = self.folder / name
                path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # others lie there
                    for above in itertools.takewhile(lambda above: above != self.folder, path.parents):
                        above.rmdir()

    def _ours(self) -> dict[Name, list[int]]:
        """{name: size and time} of all files but the hidden ones, which are being written."""
        if self.folder.is_file():
            found = {"": self.folder}
        else:
            paths = {path.relative_to(self.folder): path for path in self.folder.rglob("*") if path.is_file()}
            found = {
                place.as_posix(): path
                for place, path in paths.items()
                if not any(part.startswith(".") for part in place.parts)
            }
        stats = {name: path.stat() for name, path in found.items()}
        return {name: [about.st_size, about.st_mtime_ns] for name, about in stats.items()}

    def _read(self) -> dict[Name, list]:
        try:
            return json.loads(self._known.read_text())
        except (OSError, ValueError):  # then all is fetched again
            return {}

    def _write(self, known: Mapping[Name, list]) -> None:
        files.write_json(self._known, dict(known))


def _other(held: Mapping[Name, str], known: Mapping[Name, list], ours: Mapping[Name, list[int]]) -> set[Name]:
    """What the store holds and the copy does not, or otherwise."""
    return {name for name in held if known.get(name) != [held[name], *ours.get(name, ())]}


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)  # until this process ends
    except Timeout:
        return False
    return True
