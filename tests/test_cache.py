"""What is prepared once, by one process at a time."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from tfdfm import cache
from tfdfm.errors import Failure

HOLDER = """
import pathlib, sys, time
from tfdfm import cache
folder = pathlib.Path(sys.argv[1])
cache.once(folder, "thing", lambda: False, lambda: (print("held", flush=True), time.sleep(600)))
"""


def test_two_at_the_same_time_make_it_once(tmp_path, caplog):
    caplog.set_level("INFO", logger="absl")
    target, made = tmp_path / "thing", []

    def make():
        time.sleep(0.3)
        made.append(threading.get_ident())
        target.touch()

    work = [threading.Thread(target=cache.once, args=(tmp_path, "thing", target.exists, make)) for _ in range(2)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert len(made) == 1 and "Waiting for another process that prepares thing." in caplog.text


def test_what_is_there_asks_for_no_lock(tmp_path):
    cache.once(tmp_path / "nowhere", "thing", lambda: True, lambda: pytest.fail("made again"))
    assert not (tmp_path / "nowhere").exists()


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        holder.send_signal(signal.SIGKILL)
    made = []
    cache.once(tmp_path, "thing", lambda: bool(made), lambda: made.append(1))
    assert made == [1]


def test_the_lock_is_free_after_a_failure_and_a_disk_that_refuses_is_one_line(tmp_path):
    with pytest.raises(ZeroDivisionError):
        cache.once(tmp_path, "thing", lambda: False, lambda: 1 / 0)
    made = []
    cache.once(tmp_path, "thing", lambda: bool(made), lambda: made.append(1))
    assert made == [1]
    (tmp_path / "file").touch()
    with pytest.raises(Failure, match="Cannot write the cache .*thing.lock.*XDG_CACHE_HOME"):
        cache.once(tmp_path / "file", "thing", lambda: False, made.clear)
