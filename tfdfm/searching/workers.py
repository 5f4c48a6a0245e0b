"""Several processes of one search on this host, each on its share of the cores."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from tfdfm.errors import Failure

MARK = "TFDFM_WORKER"  # in the environment of one that another process started


def run(count: int, arguments: Sequence[str]) -> None:
    """Runs tfdfm.search with these flags as `count` processes, and hands SIGTERM and SIGINT on to them.

    Raises:
        Failure: a worker failed; the others were let finish.
        SystemExit: all were told to stop.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    command = [sys.executable, "-m", "tfdfm.search", *arguments]
    started: list[subprocess.Popen] = []
    received: list[int] = []

    def hand_on(number: int, frame: object) -> None:
        received.append(number)
        for worker in started:
            worker.send_signal(number)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        for place in range(count):
            started.append(subprocess.Popen(command, start_new_session=True, env=os.environ | {MARK: "1"}))
            if share := cores[place::count]:
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(started[-1].pid, share)
        codes = [worker.wait() for worker in started]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        sys.exit(128 + received[0])
    if failed := [code for code in codes if code]:
        raise Failure(f"{len(failed)} of {count} workers failed, the first with code {failed[0]}: see above.")
