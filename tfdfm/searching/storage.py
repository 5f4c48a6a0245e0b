"""Where a study is kept: a journal in a folder that processes and hosts share, or a database."""

import os
import sys
import time
from pathlib import Path

import optuna
import sqlalchemy
import sqlalchemy.exc
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalFileSymlinkLock
from optuna.trial import TrialState

from tfdfm import files
from tfdfm.errors import Failure, UsageError

BEAT, LEASE = 5, 60  # seconds between two signs of life of a trial; of silence, after which it is lost
JOURNAL = "study.journal"

optuna.logging.set_verbosity(optuna.logging.ERROR)  # failures come as exceptions, results as tables


class _Alive(BaseHeartbeat):
    """A storage whose trials note the seconds of their work while they live; one that was given up ends its process.

    Hosts' clocks may differ, and a process may die before its first sign of life: a trial is lost when it gave none for
    LEASE seconds of the process that watches.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._seen: dict[int, tuple[float | None, float]] = {}

    def record_heartbeat(self, trial_id: int) -> None:
        try:
            trial = self.get_trial(trial_id)
            if trial.state.is_finished():
                raise optuna.exceptions.UpdateFinishedTrialError
            self.set_trial_user_attr(trial_id, "seconds", time.time() - trial.datetime_start.timestamp())
        except optuna.exceptions.UpdateFinishedTrialError:
            line = f"tfdfm: trial {trial.number} was taken over: this process was silent for {LEASE} seconds."
            print(line, file=sys.stderr, flush=True)
            os._exit(1)
        except Exception as error:  # a lock taken away, a full disk, a server away: not the end of Optuna's thread
            cause = f"{type(error).__name__}: {error}".splitlines()[0]
            print(f"tfdfm: cannot write the study ({cause}); trying again.", file=sys.stderr, flush=True)

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        stale = []
        for trial in self.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,)):
            beat = trial.user_attrs.get("seconds")
            last, since = self._seen.get(trial._trial_id, (None, 0.0))
            if trial._trial_id not in self._seen or beat != last:
                last, since = self._seen[trial._trial_id] = beat, time.monotonic()
            if time.monotonic() - since > LEASE:
                stale.append(trial._trial_id)
        return stale

    def get_heartbeat_interval(self) -> int:
        return BEAT

    def get_heartbeat_stale_trial_callback(self) -> None:
        return None


class Journal(_Alive, JournalStorage):
    """Optuna's journal, with the heartbeats that its databases have."""

    def __init__(self, path: Path):
        lock = JournalFileOpenLock if os.name == "nt" else JournalFileSymlinkLock
        super().__init__(JournalFileBackend(str(path), lock_obj=lock(str(path))))

    def close(self) -> None:
        """There is nothing to let go of."""


class Database(_Alive, RDBStorage):
    """A database of SQLAlchemy's."""

    def close(self) -> None:
        """Lets go of its connections."""
        self.remove_session()
        self.engine.dispose()


def opened(directory: Path, storage: str | None, *, write: bool) -> Journal | Database | None:
    """The storage at a URL, the path of a journal, or the journal of the directory; None if there is none to read.

    Raises:
        UsageError: no URL of a database, or a damaged journal.
        Failure: the database or the disk refuses.
    """
    if storage and "://" in storage:
        return _database(storage)
    path = Path(storage or directory / JOURNAL)
    if not write and not path.exists():
        return None
    with files.writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return Journal(path)
        except OSError:
            raise
        except Exception as error:  # whatever a damaged line brings
            raise UsageError(f"{path} is damaged ({error!r}): expected a journal of tfdfm.search. Remove it.") from None


def _engine(url: str) -> dict:
    """PostgreSQL ends a process that was stopped within a transaction, whose locks all others would wait for.

    The URL's own options come after that, and win.
    """
    parsed = sqlalchemy.make_url(url)
    if parsed.get_driver_name() not in ("psycopg", "psycopg2"):
        return {}
    own = parsed.query.get("options", "")
    return {"connect_args": {"options": f"-c idle_in_transaction_session_timeout={1000 * LEASE} {own}"}}


def _database(url: str) -> Database:
    try:
        return Database(url, engine_kwargs=_engine(url))
    except (sqlalchemy.exc.ArgumentError, ImportError) as error:
        expected = "Expected dialect+driver://user:password@host/name of SQLAlchemy, and its driver installed"
        raise UsageError(f"{expected}, in --storage. Given {url}: {str(error).splitlines()[0]}") from None
    except sqlalchemy.exc.SQLAlchemyError as error:
        cause = str(getattr(error, "orig", error)).splitlines()[0]
        raise Failure(f"Cannot open --storage: {cause}. Is the server up, and does it know this user?") from None
