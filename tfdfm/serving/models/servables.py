"""One version of a model, and a model with all that it ever had. Both belong to the event loop."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from tensorflow_serving.apis import get_model_status_pb2

from tfdfm.serving.models import batching, storage, warmup
from tfdfm.serving.models.saved_model import Model, Signature

State = get_model_status_pb2.ModelVersionStatus.State


class Version:
    """One version of a model. Belongs to the event loop; `users` counts requests and runs under way."""

    def __init__(self, number: int, path: Path, seen: tuple[int, ...] = ()):
        """`seen`: the directory's fingerprint."""
        self.number, self.path, self.seen = number, path, seen
        self.state = State.START
        self.error: tuple[int, str] | None = None  # code, message
        self.ran: Callable[[int, list[float]], None] = lambda rows, waited: None
        self.model: Model | None = None
        self._queues: dict[str, batching.Queue] = {}
        self._users, self._free = 0, asyncio.Event()
        self._free.set()

    def load(self) -> None:
        """In a thread. Raises Refused, Failure."""
        model = Model(self.path)
        try:
            warmup.run(model)
        except BaseException:
            model.close()
            raise
        self.model = model

    def queue(self, signature: Signature, limits: batching.Settings, executor: Executor) -> batching.Queue:
        if signature.name not in self._queues:
            self._queues[signature.name] = batching.Queue(signature.run, limits, executor, self)
        return self._queues[signature.name]

    def hold(self) -> None:
        self._users += 1
        self._free.clear()

    def finished(self) -> None:
        self._users -= 1
        if not self._users:
            self._free.set()

    def started(self, rows: int, waited: list[float]) -> None:
        self.ran(rows, waited)
        self.hold()

    async def close(self) -> None:
        """After the last request under way."""
        await self._free.wait()
        model, self.model, self._queues = self.model, None, {}
        await asyncio.to_thread(model.close)
        self.state = State.END

    async def idle(self) -> None:
        await self._free.wait()


class Served:
    """One model, with every version that it ever had."""

    def __init__(self):
        self.wanted: storage.Wanted | None = None
        self.versions: dict[int, Version] = {}
        self.labels: dict[str, int] = {}
        self.retiring: set[asyncio.Task] = set()
        self.broken: dict[Path, tuple[int, ...]] = {}  # fingerprints of what could not be loaded
        self._said = ""
        self.lock = asyncio.Lock()

    def say(self, trouble: str) -> None:
        """Logs it once, however often the disk is looked at."""
        if trouble and trouble != self._said:
            logging.warning(trouble)
        self._said = trouble

    def failed(self) -> list[Version]:
        return [version for version in self.versions.values() if version.error]

    def available(self) -> list[int]:
        return sorted(number for number, version in self.versions.items() if version.state == State.AVAILABLE)
