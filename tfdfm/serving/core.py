"""What the server can do, whatever the protocol: gRPC and REST both call this."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from google.protobuf.message import Message
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis import get_model_status_pb2

from tfdfm.serving.models import batching, inference
from tfdfm.serving.models.manager import Lifecycle
from tfdfm.serving.models.saved_model import Signature
from tfdfm.serving.models.versions import Version
from tfdfm.serving.status import invalid, not_found


class Answer(NamedTuple):
    version: int
    signature: str
    outputs: dict[str, np.ndarray]


class Core:
    """Belongs to the event loop. Every method raises Refused."""

    def __init__(self, lifecycle: Lifecycle, limits: batching.Settings, executor: Executor):
        self._lifecycle, self._limits, self._executor = lifecycle, limits, executor

    async def predict(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        *,
        version: int | None = None,
        label: str | None = None,
        signature: str = "",
        outputs: Sequence[str] = (),
    ) -> Answer:
        """Named arrays in, named arrays out; `outputs` chooses some."""
        with self._lifecycle.lease(model, version, label) as held:
            called = held.model.signature(signature)
            wanted = _filtered(called, outputs)
            values = await self._run(held, called, called.check(inputs))
            named = dict(zip(called.outputs, values, strict=True))
            return Answer(held.number, called.name, {name: named[name] for name in wanted})

    async def infer(
        self,
        method: str,
        model: str,
        examples: Sequence[bytes | tf.train.Example],
        version: int | None = None,
        label: str | None = None,
        signature: str = "",
    ) -> tuple[Version, Message]:
        """`classify` or `regress`: the version that answered and its result."""
        with self._lifecycle.lease(model, version, label) as held:
            called = held.model.signature(signature)
            values = await self._run(held, called, inference.prepare(called, method, examples))
            return held, inference.RESULTS[method](called, values)

    async def _run(self, held: Version, called: Signature, feeds: list[np.ndarray]) -> list[np.ndarray]:
        return await held.queue(called, self._limits, self._executor)(feeds, called.rows(feeds))

    def signature(
        self, model: str, *, version: int | None = None, label: str | None = None, signature: str = ""
    ) -> tuple[int, SignatureDef]:
        held = self._lifecycle.find(model, version, label)
        return held.number, held.model.signature(signature).definition

    def metadata(
        self, model: str, *, version: int | None = None, label: str | None = None
    ) -> tuple[int, dict[str, SignatureDef]]:
        held = self._lifecycle.find(model, version, label)
        return held.number, {name: called.definition for name, called in held.model.signatures.items()}

    def status(self, model: str, version: int | None = None) -> list[get_model_status_pb2.ModelVersionStatus]:
        """Of every version that there is or was, the newest first."""
        served = self._lifecycle.models.get(model)
        if not served or not served.versions:
            raise not_found(f"Could not find any versions of model {model}")
        if version is not None and version not in served.versions:
            raise not_found(f"Could not find version {version} of model {model}")
        numbers = sorted(served.versions, reverse=True) if version is None else [version]
        return [_status(served.versions[number]) for number in numbers]

    def models(self) -> list[dict]:
        """What a person may choose from: the models that have a version available."""
        found = []
        for name, served in self._lifecycle.models.items():
            if numbers := served.available():
                model = served.versions[numbers[-1]].model
                card = model.card or None
                found.append({"name": name, "versions": numbers, "signatures": sorted(model.signatures), "card": card})
        return found


def _filtered(called: Signature, outputs: Sequence[str]) -> Sequence[str]:
    if not outputs:
        return called.outputs
    if unknown := sorted(set(outputs) - set(called.outputs)):
        raise invalid(
            f"output tensor alias not found in signature: {unknown[0]} Outputs expected to be in the set "
            f"{{{','.join(sorted(called.outputs))}}}."
        )
    if len(set(outputs)) < len(outputs):
        raise invalid(f"duplicate output tensor alias: {max(outputs, key=list(outputs).count)}")
    return outputs


def _status(version: Version) -> get_model_status_pb2.ModelVersionStatus:
    made = get_model_status_pb2.ModelVersionStatus(version=version.number, state=version.state)
    code, message = version.error or (0, "")
    made.status.error_code, made.status.error_message = code, message
    return made
