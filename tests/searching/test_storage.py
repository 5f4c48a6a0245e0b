"""Who works at a trial: one at a time, whatever happens to it, in a journal and in databases."""

import getpass
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from optuna.storages._heartbeat import get_heartbeat_thread
from optuna.trial import TrialState

from tfdfm.errors import Failure, UsageError
from tfdfm.searching import results, storage

WORK = """
import sys, time, pathlib
from tfdfm.searching import results, storage
storage.BEAT, storage.LEASE = 1, 2
import optuna
kept = storage.opened(pathlib.Path(sys.argv[1]), sys.argv[2] or None, write=True)

def objective(trial):
    trial.suggest_float("x", 0, 1)
    print("held", flush=True)
    time.sleep(600)

study = optuna.create_study(study_name="here", storage=kept, load_if_exists=True)
study.enqueue_trial({}, user_attrs={"name": "one"})
study.optimize(objective, n_trials=1)
"""
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """The URL of a database server of this module's own."""
    if not POSTGRES:
        pytest.skip("PostgreSQL's server is not installed")
    folder = Path(tempfile.mkdtemp())  # its socket's path must be short
    programs, data = POSTGRES[-1].parent, folder / "data"
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []  # the server refuses root
    if as_user:
        shutil.chown(folder, "postgres")

    def run(program, *more):
        subprocess.run([*as_user, programs / program, "-D", data, *more], check=True, cwd="/")

    run("initdb", "--auth=trust", "--username=tfdfm")
    run("pg_ctl", "-o", f"-c listen_addresses= -k {folder}", "-l", folder / "log", "-w", "start")
    yield f"postgresql+psycopg://tfdfm@/postgres?host={folder}"
    run("pg_ctl", "-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def mariadb():
    """The URL of a MariaDB server of this module's own."""
    if missing := [name for name in ("mariadbd", "mariadb-install-db") if not shutil.which(name)]:
        pytest.skip(f"MariaDB's server is not installed: {' and '.join(missing)} is not on the PATH.")
    folder = Path(tempfile.mkdtemp())
    user = "mysql" if os.geteuid() == 0 else getpass.getuser()
    shutil.chown(folder, user)
    where = [f"--datadir={folder / 'data'}", f"--user={user}"]
    subprocess.run(
        ["mariadb-install-db", "--no-defaults", *where, "--auth-root-authentication-method=normal"], check=True
    )
    alone = ["--skip-networking", f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}"]
    server = subprocess.Popen(["mariadbd", "--no-defaults", *where, *alone])
    end = time.monotonic() + 60
    while not (folder / "socket").exists():
        assert server.poll() is None and time.monotonic() < end
        time.sleep(0.1)
    yield f"mysql+pymysql://root@localhost/test?unix_socket={folder / 'socket'}"
    server.terminate()
    server.wait(60)
    shutil.rmtree(folder)


DATABASES = {"postgresql": "postgres", "mysql": "mariadb"}
WHOLE = [pytest.param(name, marks=pytest.mark.whole) for name in ("sqlite", "mysql")]


@pytest.fixture(params=["journal", "postgresql", *WHOLE])
def url(request, tmp_path):
    if request.param in DATABASES:
        return request.getfixturevalue(DATABASES[request.param])
    return "" if request.param == "journal" else f"sqlite:///{tmp_path}/study.db"


@pytest.fixture
def study(tmp_path, url, monkeypatch):
    monkeypatch.setattr(storage, "BEAT", 1)
    monkeypatch.setattr(storage, "LEASE", 2)
    kept = storage.opened(tmp_path, url, write=True)
    yield optuna.create_study(study_name="here", storage=kept, load_if_exists=True)
    optuna.delete_study(study_name="here", storage=kept)
    kept.close()


@pytest.fixture
def owner(tmp_path, url, study):
    """A process that holds a trial."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, tmp_path, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n", process.communicate()
    yield process
    process.kill()
    process.communicate()


def lost(study) -> bool:
    """Looks for silent trials; whether the only one is none of the named any more."""
    optuna.storages.fail_stale_trials(study)
    return "one" not in results.named(study)


def waited(study, seconds=60) -> None:
    end = time.monotonic() + seconds
    while not lost(study):
        assert time.monotonic() < end
        time.sleep(0.2)


def test_what_is_held_is_not_given_and_what_a_killed_process_held_is(study, owner):
    end = time.monotonic() + 4  # twice the lease
    while time.monotonic() < end:
        assert not lost(study)
        time.sleep(0.5)
    owner.kill()
    waited(study)
    (trial,) = study.trials
    assert trial.state == TrialState.FAIL and 2.5 < trial.user_attrs["seconds"] < 30  # its work counts
    assert results.begun(study)["one"] == trial.params and 0 <= trial.params["x"] <= 1


@pytest.mark.filterwarnings("ignore:Heartbeat of storage is supposed")
def test_a_process_that_died_before_its_first_sign_of_life(study):
    study.enqueue_trial({}, user_attrs={"name": "one"})
    study.ask()
    assert not lost(study)
    waited(study)
    assert study.trials[0].state == TrialState.FAIL


def test_a_process_that_slept_too_long_ends_before_it_does_harm(study, owner):
    owner.send_signal(signal.SIGSTOP)
    waited(study)
    owner.send_signal(signal.SIGCONT)
    _, said = owner.communicate(timeout=300)
    assert owner.returncode == 1 and b"trial 0 was taken over" in said


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_nobody_waits_for_ever_for_a_process_that_was_stopped_within_a_transaction(study, url, tmp_path):
    other = storage.opened(tmp_path, f"{url}&options=-c%20work_mem%3D8MB", write=True)
    held = other.engine.connect()
    assert held.execute(sqlalchemy.text("SHOW work_mem")).scalar() == "8MB"  # what the URL asks for stays
    held.execute(sqlalchemy.text("LOCK TABLE trials IN ACCESS EXCLUSIVE MODE"))
    study.enqueue_trial({}, user_attrs={"name": "one"})
    assert "one" in results.named(study)
    held.invalidate()
    other.close()


@pytest.mark.filterwarnings("ignore:Heartbeat of storage is supposed")
def test_a_sign_of_life_that_failed_is_given_again(study, monkeypatch, capfd):
    """A process stopped while it held the journal's lock finds it taken away, a server may be away for a while."""
    study.enqueue_trial({}, user_attrs={"name": "one"})
    trial = study.ask()
    errors = iter([RuntimeError("did not possess lock\nmore")])
    for kind in (storage.Journal, storage.Database):

        def note(*args, write=kind.set_trial_user_attr):
            for error in errors:
                raise error
            write(*args)

        monkeypatch.setattr(kind, "set_trial_user_attr", note)
    with get_heartbeat_thread(trial._trial_id, study._storage):
        end = time.monotonic() + 30
        while "seconds" not in study.trials[0].user_attrs and time.monotonic() < end:
            time.sleep(0.1)
    assert "seconds" in study.trials[0].user_attrs
    said = capfd.readouterr().err
    assert said == "tfdfm: cannot write the study (RuntimeError: did not possess lock); trying again.\n"


def test_a_database_that_is_not_there(tmp_path):
    with pytest.raises(Failure, match="Cannot open --storage: unable to open database file. Is the server up"):
        storage.opened(tmp_path, f"sqlite:///{tmp_path}/nowhere/study.db", write=True)


def test_a_damaged_journal_and_a_folder_that_cannot_be_written(tmp_path):
    path = tmp_path / storage.JOURNAL
    path.write_text(
        '{"op_code": 0, "worker_id": "a", "study_name": "here", "directions": [1]}\nnoise\n{"op_code": 1}\n'
    )
    with pytest.raises(UsageError, match="study.journal is damaged .*: expected a journal of tfdfm.search. Remove it"):
        storage.opened(tmp_path, None, write=True)
    path.write_text('{"op_code": 0, "worker_id": "a", "study": "here", "directions": [1]}\n')
    with pytest.raises(UsageError, match="study.journal is damaged .KeyError.'study_name'.*: expected a journal"):
        storage.opened(tmp_path, None, write=True)
    path.rename(tmp_path / "a")
    with pytest.raises(Failure, match="Cannot write .*a/here/study.journal: Not a directory"):
        storage.opened(tmp_path / "a" / "here", None, write=True)
