"""Which process works at a setting: claims in a folder that processes and hosts share.

A file lock would be freed by the death of its process, but several shared file systems keep locks to each host. So a
claim is a file made with O_EXCL, which all of them honour, and its owner writes to it every few seconds. One that has
not changed for LEASE seconds, by the clock of the process that watches it (the hosts' clocks may differ), is of a dead
process, and whoever makes the file of the next number, again with O_EXCL, takes over. Files are never removed, so there
is no moment in which two could. An owner that was suspended for so long finds the next number there and ends at once.
"""

import contextlib
import os
import socket
import sys
import threading
import time
from pathlib import Path

from tfdfm import files

BEAT, LEASE = 5.0, 60.0  # seconds
GIVEN_BACK = 0  # the time of change of a claim whose owner left it


class Claims:
    """What one process knows of all claims."""

    def __init__(self):
        self._seen: dict[Path, tuple[int, float]] = {}

    def take(self, folder: Path) -> "Claim | None":
        """The claim to work in `folder`, or None where another process has it."""
        last, path, number = None, folder / "claim-0", 0
        while path.exists():
            last, number = path, number + 1
            path = folder / f"claim-{number}"
        if last and not self._abandoned(last):
            return None
        with files.writing(path):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            except FileExistsError:
                return None
        return Claim(folder, number)

    def _abandoned(self, path: Path) -> bool:
        with open(path) as file:  # opening makes a network file system ask its server
            stamp = os.fstat(file.fileno()).st_mtime_ns
        seen, since = self._seen.get(path, (None, 0.0))
        if stamp != seen:
            seen, since = self._seen[path] = stamp, time.monotonic()
        return stamp == GIVEN_BACK or time.monotonic() - since > LEASE


class Claim:
    """Context manager: keeps the claim alive, and gives it back on leaving."""

    def __init__(self, folder: Path, number: int):
        self._folder, self._number = folder, number
        self._done, self._start = threading.Event(), time.monotonic()

    def __enter__(self) -> "Claim":
        self._beat()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._done.set()
        self._thread.join()
        self._beat()
        with contextlib.suppress(OSError):  # it will be found silent
            os.utime(self._path(self._number), (GIVEN_BACK, GIVEN_BACK))

    def seconds(self) -> float:
        """That this and earlier owners worked here, those that were killed up to their last sign of life."""
        self._beat()
        earlier = [self._path(number).read_text() for number in range(self._number)]
        return self._age() + sum(float(text.split()[-1]) for text in earlier if text)

    def _path(self, number: int) -> Path:
        return self._folder / f"claim-{number}"

    def _age(self) -> float:
        return time.monotonic() - self._start

    def _keep(self) -> None:
        while not self._done.wait(BEAT):
            self._beat()

    def _beat(self) -> None:
        """Writes the seconds so far; ends this process where the claim is lost."""
        if self._path(self._number + 1).exists():
            line = f"tfdfm: {self._folder} was taken over: this process was silent for {LEASE:.0f} seconds."
            print(line, file=sys.stderr, flush=True)
            os._exit(1)
        with contextlib.suppress(OSError):  # the next one may succeed
            self._path(self._number).write_text(f"{socket.gethostname()} {os.getpid()} {self._age():.1f}\n")
