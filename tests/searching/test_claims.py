"""Claims: one owner at a time, whatever happens to it."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tfdfm.searching import claims

HOLD = """
import sys, time, pathlib
from tfdfm.searching import claims
claims.BEAT = 0.05
with claims.Claims().take(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(claims, "BEAT", 0.05)
    monkeypatch.setattr(claims, "LEASE", 1.0)


def waited(held: claims.Claims, folder):
    """The claim once it can be had."""
    while not (claim := held.take(folder)):
        time.sleep(0.05)
    return claim


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_held_is_not_given_and_what_was_given_back_is(tmp_path):
    mine, theirs = claims.Claims(), claims.Claims()
    with mine.take(tmp_path / "a"):
        assert theirs.take(tmp_path / "a") is None and theirs.take(tmp_path / "b")
        time.sleep(1.5)  # longer than a lease
        assert theirs.take(tmp_path / "a") is None
    assert theirs.take(tmp_path / "a") and names(tmp_path / "a") == ["claim-0", "claim-1"]


def test_an_exception_gives_it_back(tmp_path):
    with pytest.raises(SystemExit), claims.Claims().take(tmp_path):
        sys.exit(143)
    assert claims.Claims().take(tmp_path)


def test_one_of_many_takes_over_from_the_dead(tmp_path):
    os.close(os.open(tmp_path / "claim-0", os.O_CREAT))  # of a process that never wrote to it
    held, found = [claims.Claims() for _ in range(16)], []

    def ask(one):
        for _ in range(60):
            found.append(one.take(tmp_path))
            time.sleep(0.05)

    threads = [threading.Thread(target=ask, args=(one,)) for one in held]
    for thread in threads:
        thread.start()
    while not (made := [claim for claim in found if claim]):
        assert len(found) < 16 * 60
    with made[0]:
        for thread in threads:
            thread.join()
    assert len([claim for claim in found if claim]) == 1 and names(tmp_path) == ["claim-0", "claim-1"]


@pytest.fixture
def owner(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_killed_process_loses_it_and_its_time_counts(tmp_path, owner):
    held = claims.Claims()
    assert held.take(tmp_path) is None
    owner.kill()
    owner.wait()
    with waited(held, tmp_path) as claim:
        host, number, seconds = (tmp_path / "claim-0").read_text().split()
        assert int(number) == owner.pid and float(seconds) >= 0
        (tmp_path / "claim-0").write_text(f"{host} {number} 100.0")
        assert 100 < claim.seconds() < 1000
    assert names(tmp_path) == ["claim-0", "claim-1"]


def test_a_process_that_slept_too_long_ends_before_it_does_harm(tmp_path, owner):
    owner.send_signal(signal.SIGSTOP)
    with waited(claims.Claims(), tmp_path):
        owner.send_signal(signal.SIGCONT)
        _, said = owner.communicate(timeout=30)
    assert owner.returncode == 1 and b"was taken over" in said


def test_of_two_that_find_it_free_at_the_same_moment_one_has_it(tmp_path, monkeypatch):
    real, first = os.open, []

    def late(path, *how):
        monkeypatch.setattr(claims.os, "open", real)
        first.append(claims.Claims().take(tmp_path))  # another's, between the look and the making
        return real(path, *how)

    monkeypatch.setattr(claims.os, "open", late)
    assert claims.Claims().take(tmp_path) is None and first[0] is not None
