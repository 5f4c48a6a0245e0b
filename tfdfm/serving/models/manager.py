"""The models and their versions while the server runs: loaded, available, unloaded, closed."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from tensorflow_serving.config import model_server_config_pb2

from tfdfm import stores
from tfdfm.serving.models import storage
from tfdfm.serving.models.saved_model import DEFAULTS, LoadOptions
from tfdfm.serving.models.servables import Servable, ServableStream, State
from tfdfm.serving.status import StatusError, invalid, not_found

PATIENCE = 5.0  # seconds after a version was retired that the next one waits for its memory: a request may be stuck


class ModelManager:
    """Which servables there are. Every method belongs to the event loop."""

    def __init__(
        self,
        ran: Callable[[str, int, list[float]], None],
        early_labels: bool = False,
        options: LoadOptions = DEFAULTS,
    ):
        """`ran(model, rows, waited)` is told of each run; `early_labels`: labels may name what is not available."""
        self._ran, self._early_labels, self._options = ran, early_labels, options
        self.models: dict[str, ServableStream] = {}
        self._operators: set[Path] = set()
        self._configuring = asyncio.Lock()
        self._looks: set[asyncio.Task] = set()
        self.closing = False

    async def configure(self, config: model_server_config_pb2.ModelServerConfig, *, client: bool = False) -> None:
        """Serves these models and no others; returns when that is so. Raises StatusError.

        What a `client` sends may name paths below those that the operator gave, and no others.
        """
        monitored = storage.servables_to_monitor(config)
        if client:
            monitored = [await asyncio.to_thread(storage.confined, one, self._operators) for one in monitored]
        else:
            self._operators |= {one.base_path for one in monitored}
        for one in monitored:
            try:
                await asyncio.to_thread(storage.aspired_versions, one)
            except OSError as error:
                raise _precondition(
                    f"Cannot serve model {one.name!r}: {stores.name(one.base_path)}: {error.strerror}"
                ) from None
        async with self._configuring:
            for stream in self.models.values():
                stream.monitored = None
            for one in monitored:
                self.models.setdefault(one.name, ServableStream()).monitored = one
            await self.refresh(label=True)
            unserved = [(name, one) for name, one in self.models.items() if one.monitored and not one.available()]
            if unserved:
                raise _precondition(f"Cannot serve {'; '.join(_failure(*one) for one in unserved)}")
            for one in monitored:
                self._label(self.models[one.name], one)

    def _label(self, stream: ServableStream, monitored: storage.ServableToMonitor) -> None:
        """Raises StatusError (FAILED_PRECONDITION) when a label names a version that is not available."""
        gone = set(monitored.labels.values()) - set(stream.available())
        if gone and not self._early_labels:
            raise _precondition(
                f"Request to assign label to version {min(gone)} of model {monitored.name}, "
                "which is not currently available for inference."
            )
        stream.labels = monitored.labels

    async def refresh(self, *, label: bool = False) -> None:
        """Brings every model to what the disk and the configuration say; `label`: its labels, too, where they can be.

        A label moves before the version goes that it named: who asks by it always finds one.
        """
        await asyncio.gather(*(self._bring(stream, label) for stream in list(self.models.values())))

    async def look(self) -> None:
        """Begins to `refresh` those models that are not being brought anywhere: none waits for another's slow disk."""
        for stream in self.models.values():
            if not stream.lock.locked():
                self._looks.add(task := asyncio.create_task(self._bring(stream, False)))
                task.add_done_callback(self._looked)

    def _looked(self, task: asyncio.Task) -> None:
        self._looks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logging.error("The model stays as it is", exc_info=error)

    async def _bring(self, stream: ServableStream, label: bool) -> None:
        async with stream.lock:
            monitored = stream.monitored
            try:
                aspired = await asyncio.to_thread(storage.aspired_versions, monitored) if monitored else {}
            except OSError as error:
                stream.warn(f"Cannot look for versions in {stores.name(monitored.base_path)}: {error.strerror}")
                return
            stream.warn("")
            for version, (path, fingerprint) in aspired.items():
                await self._load(stream, monitored.name, Servable(version, path, fingerprint, self._options))
            available = set(stream.available())
            if label and monitored and set(monitored.labels.values()) <= available:
                stream.labels = monitored.labels
            if aspired.keys() & available or not aspired:  # a version that fails does not take the old one's place
                for version in available - aspired.keys():
                    self._unload(stream, stream.servables[version])

    async def _load(self, stream: ServableStream, name: str, servable: Servable) -> None:
        known = stream.servables.get(servable.version)
        stands = known and known.state == State.AVAILABLE
        if stands and known.path == servable.path or stream.broken.get(servable.path) == servable.fingerprint:
            return
        await _room(stream)
        if not stands:
            stream.servables[servable.version] = servable
        servable.state = State.LOADING
        try:
            await asyncio.to_thread(servable.load)
        except Exception as error:  # whatever it is, this version is not served and the others are
            code = error.code if isinstance(error, StatusError) else grpc.StatusCode.INTERNAL
            stream.broken[servable.path] = servable.fingerprint
            servable.state, servable.error = State.END, (code.value[0], str(error))
            logging.error("Cannot serve version %d of %s: %s", servable.version, name, error)
            return
        servable.ran = lambda rows, waited: self._ran(name, rows, waited)
        servable.state, stream.servables[servable.version] = State.AVAILABLE, servable
        logging.info("Loaded version %d of %s", servable.version, name)
        if stands:  # the same number in another place
            self._unload(stream, known)

    def _unload(self, stream: ServableStream, servable: Servable) -> None:
        logging.info("Retiring %s", servable.path)
        servable.state = State.UNLOADING
        task = asyncio.create_task(servable.close())
        stream.unloading[task] = time.monotonic()
        task.add_done_callback(stream.unloading.pop)

    def find(self, name: str, version: int | None = None, label: str | None = None) -> Servable:
        """The servable of that version or label, or of the newest version available. Raises StatusError."""
        if not name:
            raise invalid("ModelSpec has no name specified.")
        stream = self.models.get(name) or ServableStream()
        if label:
            if label not in stream.labels:
                raise invalid(f"Unrecognized servable version label: {label}")
            version = stream.labels[label]
        request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        available = stream.available()
        version = max(available, default=None) if version is None else version
        if version not in available:
            raise not_found(f"Servable not found for request: {request}")
        return stream.servables[version]

    @contextmanager
    def servable_handle(self, name: str, version: int | None = None, label: str | None = None) -> Iterator[Servable]:
        """A servable that stays in memory until the request is answered. Raises StatusError."""
        if self.closing:
            raise StatusError(grpc.StatusCode.UNAVAILABLE, "The server is shutting down.")
        servable = self.find(name, version, label)
        servable.acquire()
        try:
            yield servable
        finally:
            servable.release()

    async def drain(self) -> None:
        """Refuses new requests and waits for those under way."""
        self.closing = True
        for task in self._looks:
            task.cancel()
        await asyncio.gather(*(one.free.wait() for stream in self.models.values() for one in stream.servables.values()))

    async def close(self) -> None:
        """Closes every session."""
        for stream in self.models.values():
            for version in stream.available():
                self._unload(stream, stream.servables[version])
            await asyncio.gather(*stream.unloading)


async def _room(stream: ServableStream) -> None:
    """Two versions in memory at most, but for those that a request holds longer than PATIENCE."""
    left = max(stream.unloading.values(), default=-math.inf) + PATIENCE - time.monotonic()
    if left > 0:
        await asyncio.wait(stream.unloading, timeout=left)


def _failure(name: str, stream: ServableStream) -> str:
    errors = [f"version {one.version}: {one.error[1]}" for one in stream.servables.values() if one.error[0]]
    none = f"no version (a directory named by a number) in {stores.name(stream.monitored.base_path)}"
    return f"model {name!r}: {'; '.join(errors) or none}"


def _precondition(message: str) -> StatusError:
    return StatusError(grpc.StatusCode.FAILED_PRECONDITION, message)
