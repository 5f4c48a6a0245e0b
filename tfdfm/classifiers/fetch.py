"""Downloads: whole or not at all, with lines of progress, ended soon after nothing arrives any more."""

from pathlib import Path

import requests
from absl import logging

from tfdfm import cache, files
from tfdfm.errors import Failure
from tfdfm.progress import progress

QUIET = 15.0  # seconds in which nothing arrives
_CHUNK = 1 << 20


def fetch(url: str, target: Path) -> None:
    """Writes what `url` gives to `target`, whole or not at all.

    Raises:
        Failure: nothing arrives for QUIET seconds, the server refuses, less arrives than announced, or the disk
            refuses.
    """
    logging.info("Fetching %s.", url)
    try:
        with requests.get(url, stream=True, timeout=QUIET, headers={"Accept-Encoding": "identity"}) as response:
            response.raise_for_status()
            expected, done = int(response.headers.get("Content-Length", 0)), 0
            tell = progress(f"Fetching {url}", expected, "bytes")
            with cache.writing(target), files.whole(target) as file:
                for chunk in response.iter_content(_CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    tell(done)
    except requests.Timeout:
        raise Failure(f"Cannot fetch {url}: nothing arrived within {QUIET:.0f} s (no network?).") from None
    except requests.RequestException as error:
        raise Failure(f"Cannot fetch {url}: {_cause(error)}.") from error


def _cause(error: BaseException) -> str:
    """The innermost reason that a request failed for."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return str(error)
