"""A file from the network: whole, with lines of progress, and an end soon after nothing arrives any more."""

import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from absl import logging

from tfdfm import cache, files
from tfdfm.errors import Failure

QUIET = 15.0  # seconds in which nothing arrives
_CHUNK = 1 << 20


def fetch(url: str, target: Path) -> None:
    """Writes what `url` gives to `target`, whole or not at all.

    Raises:
        Failure: nothing arrives for QUIET seconds, the server refuses, less arrives than announced, or the disk
            refuses.
    """
    logging.info("Fetching %s.", url)
    chunks = queue.Queue(maxsize=8)
    threading.Thread(target=_read, args=(url, chunks), daemon=True).start()  # a resolver's waiting cannot be ended
    with cache.writing(target), files.whole(target) as file:
        for chunk in _arriving(url, chunks):
            file.write(chunk)


def _read(url: str, chunks: queue.Queue) -> None:
    """Puts the announced size (or None), the content in pieces and b"", or the error that ended it."""
    try:
        with urllib.request.urlopen(url, timeout=QUIET) as response:
            length = response.headers["Content-Length"]
            chunks.put(int(length) if length else None)
            while chunk := response.read(_CHUNK):
                chunks.put(chunk)
        chunks.put(b"")
    except Exception as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        chunks.put(error)


def _next(url: str, chunks: queue.Queue):
    try:
        value = chunks.get(timeout=QUIET)
    except queue.Empty:
        value = TimeoutError(f"nothing arrived within {QUIET:.0f} s (no network?)")
    if isinstance(value, Exception):
        cause = str(value).removeprefix("<urlopen error ").removesuffix(">")
        raise Failure(f"Cannot fetch {url}: {cause}.") from value
    return value


def _arriving(url: str, chunks: queue.Queue) -> Iterator[bytes]:
    expected, done, said = _next(url, chunks), 0, time.monotonic()
    while chunk := _next(url, chunks):
        yield chunk
        done += len(chunk)
        if (now := time.monotonic()) - said > 10:
            said = now
            logging.info("Fetching %s: %.1f of %s MB.", url, done / 1e6, f"{expected / 1e6:.1f}" if expected else "?")
    if expected not in (None, done):
        raise Failure(f"Cannot fetch {url}: only {done:,} of {expected:,} bytes arrived. Try again.")
