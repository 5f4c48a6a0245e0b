"""Folders of object stores, s3://, gs:// and what else fsspec reaches, worked on as copies on this machine.

    run = stores.local("s3://bucket/runs/digits")  # a folder that holds what the store holds; of no URL, that path
    ...                                            # read and write there as anywhere
    stores.send()                                  # to the store, what has changed

The store is what counts, the copies lie in the cache.
"""

import functools
import os
from collections.abc import Callable
from pathlib import Path

from absl import logging

from tfdfm.errors import Failure
from tfdfm.stores.copies import Copy, any_name, root
from tfdfm.stores.objects import MARKS, Name, Opened, checked

_copies: dict[tuple[str, bool], Copy] = {}


def is_url(place: str | os.PathLike) -> bool:
    return "://" in str(place)


def local(place: str | os.PathLike) -> Path:
    """A folder to read and write: the path itself, or the copy of a URL, which is fetched when it is first asked for.

    What an earlier process of this machine wrote there and did not send is kept, unless the store has changed since.
    Where another process works on that copy, this one gets one of its own.

    Raises:
        UsageError: a URL that cannot be one, or whose protocol is not installed.
        Failure: the store cannot be reached, or the disk refuses.
    """
    if not is_url(place):
        return Path(place)
    url = checked(str(place))
    for copy in _own():
        if url == copy.url or url.startswith(f"{copy.url}/"):
            return copy.folder / url[len(copy.url) + 1 :]
    copy = Copy(url, own=True)
    copy.fetch()
    _copies[url, True] = copy
    return copy.folder


def fetched(place: str | os.PathLike, wanted: Callable[[Name], bool] = any_name) -> Path:
    """What is there, to read: the path itself, or the copy of a URL that processes share, brought up to date.

    Of a URL that is a folder, only what is `wanted` by its name there. Raises as `local`.
    """
    if not is_url(place):
        return Path(place)
    copy = _shared(checked(str(place)))
    copy.fetch(wanted)
    return copy.folder


def streams(place: str, wanted: Callable[[Name], bool]) -> dict[Name, tuple[Callable[[], Opened], str]]:
    """What is `wanted` of a URL, if this disk has no room to fetch it, else nothing. Raises as `local`.

    Returns:
        {name: (what opens it in the store, a text that is another one once it is)}
    """
    copy = _shared(checked(place))
    return {name: (functools.partial(copy.objects.open, name), state) for name, state in copy.beyond(wanted).items()}


def versions(place: str | os.PathLike) -> list[Name]:
    """The folders right below a URL that hold one of MARKS. Raises as `local`."""
    names = _shared(checked(str(place))).objects.listing()
    return sorted({name.split("/")[0] for name in names if name.count("/") == 1 and name.endswith(MARKS)})


def send() -> None:
    """Brings the stores to what is in their copies. Raises Failure: one cannot be reached; the copy keeps it."""
    for copy in _own():
        copy.send()


def send_if_possible() -> None:
    """As `send`; where a store cannot be reached that is logged, and what it lacks is sent the next time."""
    try:
        send()
    except Failure as failure:
        logging.warning("%s The run goes on, and its next checkpoint tries again.", failure)


def share(path: Path) -> None:
    """Sends what was made in the copy that lies there, if one does. Raises Failure."""
    for copy in _copies.values():
        if copy.folder == path:
            copy.send()


def place(url: str) -> Path:
    """Where the copy lies that processes share. Raises UsageError."""
    return root(own=False).joinpath(*checked(url).split("://"))


def name(path: Path) -> str:
    """The URL of a path in a copy; of any other, the path as it is."""
    roots = [root(own=False), *(copy.root for copy in _copies.values())]
    above = next((each for each in roots if path.is_relative_to(each)), None)
    scheme, *rest = path.relative_to(above).parts if above else ("",)
    return f"{scheme}://{'/'.join(rest)}" if rest else str(path)


def _own() -> list[Copy]:
    return [copy for (_, own), copy in _copies.items() if own]


def _shared(url: str) -> Copy:
    if (url, False) not in _copies:
        _copies[url, False] = Copy(url, own=False)
    return _copies[url, False]
