"""Servables: one version of a model each, and the stream of all versions that a model ever had."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from tensorflow_serving.apis import get_model_status_pb2

from tfdfm.serving import config_messages
from tfdfm.serving.models import batching, storage, warmup
from tfdfm.serving.models.saved_model import DEFAULTS, LoadOptions, SavedModelBundle, Signature

OWN_BATCHING = "batching_params.pbtxt"
State = get_model_status_pb2.ModelVersionStatus.State


class Servable:
    """One version of a model. Belongs to the event loop; requests and runs under way hold it in memory."""

    def __init__(self, version: int, path: Path, fingerprint: tuple[int, ...] = (), options: LoadOptions = DEFAULTS):
        """`fingerprint`: of the directory, see `storage.aspired_versions`."""
        self.version, self.path, self.fingerprint, self._options = version, path, fingerprint, options
        self.state = State.START
        self.error = (0, "")  # code, message
        self.ran: Callable[[int, list[float]], None] = lambda rows, waited: None
        self.bundle: SavedModelBundle | None = None
        self._own_queue: batching.QueueOptions | None = None
        self._queues: dict[str, batching.Queue] = {}
        self._users, self.free = 0, asyncio.Event()  # set: nobody uses it
        self.free.set()

    def load(self) -> None:
        """In a thread. Raises StatusError, Failure, UsageError."""
        own = self.path / OWN_BATCHING
        if self._options.own_batching and own.exists():
            self._own_queue = batching.queue_options(config_messages.read(own, config_messages.BatchingParameters))
        bundle = SavedModelBundle(self.path, self._options)
        try:
            warmup.run(bundle)
        except BaseException:
            bundle.close()
            raise
        self.bundle = bundle

    def queue(self, signature: Signature, options: batching.QueueOptions, executor: Executor) -> batching.Queue:
        if signature.name not in self._queues:
            chosen = self._own_queue or options
            self._queues[signature.name] = batching.Queue(signature.run, chosen, executor, self.started, self.release)
        return self._queues[signature.name]

    def acquire(self) -> None:
        self._users += 1
        self.free.clear()

    def release(self) -> None:
        self._users -= 1
        if not self._users:
            self.free.set()

    def started(self, rows: int, waited: list[float]) -> None:
        """A run of so many rows, whose requests waited so many seconds: until `release`."""
        self.ran(rows, waited)
        self.acquire()

    async def close(self) -> None:
        """After the last request under way."""
        await self.free.wait()
        bundle, self.bundle, self._queues = self.bundle, None, {}
        await asyncio.to_thread(bundle.close)
        self.state = State.END


class ServableStream:
    """One model: every version that it ever had. Belongs to the event loop."""

    def __init__(self):
        self.monitored: storage.ServableToMonitor | None = None  # None: no longer served
        self.servables: dict[int, Servable] = {}
        self.labels: dict[str, int] = {}
        self.unloading: dict[asyncio.Task, float] = {}  # and when each began
        self.broken: dict[Path, tuple[int, ...]] = {}  # fingerprints of what could not be loaded
        self.lock = asyncio.Lock()
        self._warned = ""

    def warn(self, trouble: str) -> None:
        """Logs it once, however often the disk is looked at."""
        if trouble and trouble != self._warned:
            logging.warning(trouble)
        self._warned = trouble

    def available(self) -> list[int]:
        return sorted(version for version, one in self.servables.items() if one.state == State.AVAILABLE)
