"""Models and their versions while the server runs: loaded, available, retired, closed."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from tensorflow_serving.config import model_server_config_pb2

from tfdfm.serving.models import storage
from tfdfm.serving.models.versions import Served, State, Version
from tfdfm.serving.status import Refused, invalid, not_found


class Lifecycle:
    """Which versions there are. Every method belongs to the event loop."""

    def __init__(self, ran: Callable[[str, int, list[float]], None], early_labels: bool = False):
        """`ran(model, rows, waited)` is told of each run; `early_labels`: labels may name what is not available."""
        self._ran, self._early_labels = ran, early_labels
        self.models: dict[str, Served] = {}
        self._operators: set[Path] = set()
        self._configuring = asyncio.Lock()
        self.closing = False

    async def configure(self, config: model_server_config_pb2.ModelServerConfig, *, client: bool = False) -> None:
        """Serves these models and no others; returns when that is so. Raises Refused.

        What a `client` sends may name paths below those that the operator gave, and no others.
        """
        wanted = storage.wanted(config)
        if client:
            wanted = [await asyncio.to_thread(storage.confined, model, self._operators) for model in wanted]
        else:
            self._operators |= {model.base for model in wanted}
        for model in wanted:
            try:
                await asyncio.to_thread(storage.versions, model)
            except OSError as error:
                raise _cannot(f"model {model.name!r}: {model.base}: {error.strerror}") from None
        async with self._configuring:
            for served in self.models.values():
                served.wanted = None
            for model in wanted:
                self.models.setdefault(model.name, Served()).wanted = model
            await self.refresh()
            if lines := self._failures():
                raise _cannot("; ".join(lines))
            for model in wanted:
                self._label(model)

    def _failures(self) -> list[str]:
        """A line for each model that has no version available, with the reason."""
        lines = []
        for name, served in self.models.items():
            if served.wanted and not served.available():
                errors = [f"version {version.number}: {version.error[1]}" for version in served.failed()]
                none = f"no version (a directory named by a number) in {served.wanted.base}"
                lines.append(f"model {name!r}: {'; '.join(errors) or none}")
        return lines

    def _label(self, model: storage.Wanted) -> None:
        """Raises Refused (FAILED_PRECONDITION) when a label names a version that is not available."""
        served = self.models[model.name]
        gone = set(model.labels.values()) - set(served.available())
        if gone and not self._early_labels:
            raise Refused(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"Request to assign label to version {min(gone)} of model {model.name}, "
                "which is not currently available for inference.",
            )
        served.labels = model.labels

    async def refresh(self) -> None:
        """Brings every model to what the disk and the configuration say."""
        await asyncio.gather(*(self._bring(served) for served in list(self.models.values())))

    async def _bring(self, served: Served) -> None:
        async with served.lock:
            wanted = served.wanted
            try:
                found = await asyncio.to_thread(storage.versions, wanted) if wanted else {}
            except OSError as error:
                served.say(f"Cannot look for versions in {wanted.base}: {error.strerror}")
                return
            served.say("")
            for number, (path, seen) in found.items():
                await self._load(served, wanted.name, Version(number, path, seen))
            available = set(served.available())
            if found.keys() & available or not found:  # a version that fails does not take the old one's place
                for number in available - found.keys():
                    self._retire(served, served.versions[number])

    async def _load(self, served: Served, name: str, version: Version) -> None:
        known = served.versions.get(version.number)
        stands = known and known.state == State.AVAILABLE
        if stands and known.path == version.path or served.broken.get(version.path) == version.seen:
            return
        await asyncio.gather(*served.retiring)  # two versions in memory at most
        if not stands:
            served.versions[version.number] = version
        version.state = State.LOADING
        try:
            await asyncio.to_thread(version.load)
        except Exception as error:  # whatever it is, this version is not served and the others are
            code = error.code if isinstance(error, Refused) else grpc.StatusCode.INTERNAL
            served.broken[version.path] = version.seen
            version.state, version.error = State.END, (code.value[0], str(error))
            logging.error("Cannot serve version %d of %s: %s", version.number, name, error)
            return
        version.ran = lambda rows, waited: self._ran(name, rows, waited)
        version.state, served.versions[version.number] = State.AVAILABLE, version
        logging.info("Loaded version %d of %s", version.number, name)
        if stands:  # the same number in another place
            self._retire(served, known)

    def _retire(self, served: Served, version: Version) -> None:
        logging.info("Retiring %s", version.path)
        version.state = State.UNLOADING
        task = asyncio.create_task(version.close())
        served.retiring.add(task)
        task.add_done_callback(served.retiring.discard)

    def find(self, name: str, number: int | None = None, label: str | None = None) -> Version:
        """Raises Refused."""
        if not name:
            raise invalid("ModelSpec has no name specified.")
        served = self.models.get(name)
        if label:
            number = self._number(served, label)
        if number is None:
            number = max(served.available(), default=None) if served else None
            request = f"Latest({name})"
        else:
            request = f"Specific({name}, {number})"
        version = served.versions.get(number) if served else None
        if not version or version.state != State.AVAILABLE:
            raise not_found(f"Servable not found for request: {request}")
        return version

    def _number(self, served: Served | None, label: str) -> int:
        if not served or label not in served.labels:
            raise invalid(f"Unrecognized servable version label: {label}")
        return served.labels[label]

    @contextmanager
    def lease(self, name: str, number: int | None = None, label: str | None = None) -> Iterator[Version]:
        """A version that stays until the request is answered. Raises Refused."""
        if self.closing:
            raise Refused(grpc.StatusCode.UNAVAILABLE, "The server is shutting down.")
        version = self.find(name, number, label)
        version.hold()
        try:
            yield version
        finally:
            version.finished()

    async def drain(self) -> None:
        """Refuses new requests and waits for those under way."""
        self.closing = True
        await asyncio.gather(*(version.idle() for version in self._all()))

    async def close(self) -> None:
        """Closes every session."""
        for served in self.models.values():
            for number in served.available():
                self._retire(served, served.versions[number])
            await asyncio.gather(*served.retiring)

    def _all(self) -> list[Version]:
        return [version for served in self.models.values() for version in served.versions.values()]


def _cannot(reason: str) -> Refused:
    return Refused(grpc.StatusCode.FAILED_PRECONDITION, f"Cannot serve {reason}")
