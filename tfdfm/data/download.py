"""`python download.py NAME DIR`: TFDS fetches and prepares NAME, in a process that gives up when nothing arrives.

TFDS by itself retries for minutes. Life is a growing download or processor time spent (checksums, unpacking, writing);
QUIET_FIRST seconds without either before the first byte has arrived, QUIET_LATER after, end the attempt. Run as a file;
says "progress ..." lines and, when it fails, one "error ..." line on its standard output.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

QUIET_FIRST = 8.0
QUIET_LATER = 300.0
_LIFE_SECONDS = 0.3  # of processor time: what waiting and retrying never spends


def _say(kind: str, text: str) -> None:
    print(kind, " ".join(text.split()), flush=True)


def _arriving(downloads: Path) -> int:
    """Bytes in the files that TFDS is fetching just now."""
    total = 0
    for pattern in ("*.tmp.*/*", "*/*.tmp.*/*"):
        for path in downloads.glob(pattern):
            try:
                total += path.stat().st_size
            except OSError:  # finished and renamed in between
                continue
    return total


def _signs_of_life(downloads: Path) -> Iterator[tuple[float, int]]:
    """Once a second: seconds since the last sign of life, and the bytes of the downloads under way."""
    seen, spent, since = _arriving(downloads), 0.0, time.monotonic()
    while True:
        time.sleep(1)
        arrived, busy = _arriving(downloads), time.process_time() - time.thread_time()
        if arrived != seen or busy - spent > _LIFE_SECONDS:
            seen, spent, since = arrived, busy, time.monotonic()
        yield time.monotonic() - since, arrived


def _watch(downloads: Path) -> None:
    """Ends this process when it shows no life for too long, or when nobody waits for it any more."""
    parent, limit, said = os.getppid(), QUIET_FIRST, time.monotonic()
    for quiet, arrived in _signs_of_life(downloads):
        limit = QUIET_LATER if arrived else limit
        if quiet > limit:
            _say("error", f"nothing arrived within {limit:.0f} s (no network?)")
        if quiet > limit or os.getppid() != parent:
            os._exit(1)
        if time.monotonic() - said > 10:
            said = time.monotonic()
            _say("progress", f"{arrived / 1e6:.1f} MB of unfinished downloads" if arrived else "unpacking and writing")


def main(name: str, data_dir: str) -> int:
    """Prepares `name` below `data_dir`; 0 when it is there."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    builder = tfds.builder(name, data_dir=data_dir)
    threading.Thread(target=_watch, args=(Path(data_dir) / "downloads",), daemon=True).start()
    try:
        builder.download_and_prepare()
    except Exception as error:
        _say("error", f"{type(error).__name__}: {str(error)[:300]}")
        return 1
    return 0


if __name__ == "__main__":
    os._exit(main(*sys.argv[1:]))  # TensorFlow's own threads need not be waited for
