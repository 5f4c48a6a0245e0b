"""The core of the server, whatever the protocol: gRPC and REST both call this."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager

import numpy as np
import tensorflow as tf
from google.protobuf.message import Message
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

from tfdfm.serving import open_inference
from tfdfm.serving.models import batching, inference
from tfdfm.serving.models.manager import ModelManager
from tfdfm.serving.models.saved_model import Signature
from tfdfm.serving.models.servables import Servable, ServableStream
from tfdfm.serving.status import StatusError, invalid, not_found


class Call:
    """A signature of one version, which is looked up once for a request. Every method raises StatusError."""

    def __init__(self, servable: Servable, signature: Signature, queue: batching.Queue):
        self.version, self.name, self.definition = servable.version, signature.name, signature.definition
        self._signature, self._queue = signature, queue

    async def predict(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] = ()) -> dict[str, np.ndarray]:
        """Named arrays in, named arrays out; `outputs` chooses some."""
        chosen = _filtered(self._signature, outputs)
        values = await self._run(self._signature.check(inputs))
        named = dict(zip(self._signature.outputs, values, strict=True))
        return {name: named[name] for name in chosen}

    async def infer(self, method: str, examples: Sequence[bytes | tf.train.Example]) -> Message:
        """The result of `classify` or `regress`."""
        values = await self._run(inference.prepare(self._signature, method, examples))
        return inference.RESULTS[method](self._signature, values)

    async def _run(self, feeds: list[np.ndarray]) -> list[np.ndarray]:
        return await self._queue(feeds, self._signature.rows(feeds))


class ServerCore:
    """Belongs to the event loop. Every method raises StatusError."""

    def __init__(self, manager: ModelManager, queue_options: batching.QueueOptions, executor: Executor):
        self._manager, self._queue_options, self._executor = manager, queue_options, executor

    @contextmanager
    def call(
        self, model: str, signature: str = "", *, version: int | None = None, label: str | None = None
    ) -> Iterator[Call]:
        """The signature of a version that stays in memory until the request is answered."""
        with self._manager.servable_handle(model, version, label) as servable:
            called = servable.bundle.signature(signature)
            yield Call(servable, called, servable.queue(called, self._queue_options, self._executor))

    def metadata(
        self, model: str, *, version: int | None = None, label: str | None = None
    ) -> tuple[int, SignatureDefMap]:
        servable = self._manager.find(model, version, label)
        found = {name: one.definition for name, one in servable.bundle.signatures.items()}
        return servable.version, SignatureDefMap(signature_def=found)

    def ready(self, model: str = "", version: int | None = None) -> bool:
        """Whether the model answers, or every model that is to be served."""
        if not model:
            served = [stream for stream in self._manager.models.values() if stream.monitored]
            return not self._manager.closing and all(stream.available() for stream in served)
        try:
            return bool(self._manager.find(model, version)) and not self._manager.closing
        except StatusError:
            return False

    def described(self, model: str, version: int | None = None) -> tuple[list[dict], list[dict], list[str]]:
        """Inputs and outputs of the default signature, and the versions there are: Open Inference Protocol."""
        bundle = self._manager.find(model, version).bundle
        versions = [str(number) for number in self._manager.models[model].available()]
        return *open_inference.described(bundle.signature("").definition), versions

    def status(self, model: str, version: int | None = None) -> list[get_model_status_pb2.ModelVersionStatus]:
        """Of every version that there is or was, the newest first."""
        stream = self._manager.models.get(model)
        if not stream or not stream.servables:
            raise not_found(f"Could not find any versions of model {model}")
        if version is not None and version not in stream.servables:
            raise not_found(f"Could not find version {version} of model {model}")
        versions = sorted(stream.servables, reverse=True) if version is None else [version]
        return [_status(stream.servables[number]) for number in versions]

    def models(self) -> dict[str, ServableStream]:
        """What a person may choose from: the models that have a version available."""
        return {name: stream for name, stream in self._manager.models.items() if stream.available()}


def _filtered(signature: Signature, outputs: Sequence[str]) -> Sequence[str]:
    if unknown := sorted(set(outputs) - set(signature.outputs)):
        raise invalid(
            f"output tensor alias not found in signature: {unknown[0]} Outputs expected to be in the set "
            f"{{{','.join(sorted(signature.outputs))}}}."
        )
    if len(set(outputs)) < len(outputs):
        raise invalid(f"duplicate output tensor alias: {max(outputs, key=list(outputs).count)}")
    return outputs or signature.outputs


def _status(servable: Servable) -> get_model_status_pb2.ModelVersionStatus:
    status = dict(zip(("error_code", "error_message"), servable.error, strict=True))
    return get_model_status_pb2.ModelVersionStatus(version=servable.version, state=servable.state, status=status)
