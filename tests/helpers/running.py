"""A server in this process: its event loop runs in a thread, the tests call it from outside."""

import asyncio
import gc
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest
import servables
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tfdfm.serving import config_messages
from tfdfm.serving.server import ANY, OFF, Options, Server

gc.freeze()  # as the command does: closing a model collects what is left of it
WAIT = 60  # seconds: never waited for, unless the test fails


class Running:
    """A started server and the stubs to speak to it."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop):
        self.server, self.loop = server, loop
        self.channel = grpc.insecure_channel(f"127.0.0.1:{server.ports['gRPC']}")
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def do(self, work: Coroutine):
        """Runs a coroutine on the server's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT)

    def look(self, condition):
        """Waits until condition() is true on the server's event loop; its value."""

        async def wait():
            while not (value := condition()):
                await asyncio.sleep(0.005)
            return value

        return self.do(asyncio.wait_for(wait(), WAIT))

    def predict(self, model: str = "m", timeout: float = WAIT, **inputs) -> dict[str, np.ndarray]:
        return arrays(self.prediction.Predict(request(model, **inputs), timeout))

    def future(self, model: str = "m", timeout: float = WAIT, **inputs) -> grpc.Future:
        return self.prediction.Predict.future(request(model, **inputs), timeout)

    def states(self, model: str = "m") -> dict[int, str]:
        """version: state, as ModelService tells it."""
        asked = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": model})
        found = self.models.GetModelStatus(asked, WAIT).model_version_status
        return {one.version: State.Name(one.state) for one in found}


State = get_model_status_pb2.ModelVersionStatus.State


def request(
    model: str = "m", signature: str = "", version: int | None = None, label: str = "", filter=(), **inputs
) -> predict_pb2.PredictRequest:
    made = predict_pb2.PredictRequest(output_filter=filter)
    made.model_spec.name, made.model_spec.signature_name = model, signature
    if version is not None:
        made.model_spec.version.value = version
    if label:
        made.model_spec.version_label = label
    for name, value in inputs.items():
        made.inputs[name].CopyFrom(value if hasattr(value, "dtype") and not hasattr(value, "shape") else tensor(value))
    return made


def tensor(value):
    return tf.make_tensor_proto(value)


def arrays(response: predict_pb2.PredictResponse) -> dict[str, np.ndarray]:
    return {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}


def config(**bases: Path | str) -> config_messages.ModelServerConfig:
    """name = base path."""
    made = config_messages.ModelServerConfig()
    for name, base in bases.items():
        made.model_config_list.config.add(name=name, base_path=str(base), model_platform="tensorflow")
    return made


@contextmanager
def serving(config: config_messages.ModelServerConfig, **options) -> Iterator[Running]:
    """A server on ports that the system chooses; REST is off unless asked for."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def make() -> Server:
        server = Server(Options(config=config, **({"port": ANY, "rest_port": OFF} | options)))
        await server.start()
        return server

    try:
        running = Running(asyncio.run_coroutine_threadsafe(make(), loop).result(WAIT), loop)
        try:
            yield running
        finally:
            running.do(running.server.stop())
            running.channel.close()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WAIT)
        loop.close()


@contextmanager
def everything(folder: Path) -> Iterator[Running]:
    """A server of one version of each model in servables, by its name there."""
    names = ("line", "modern", "many", "estimator", "generator", "gated")
    for name in names:
        getattr(servables, name)(folder / name / "1")
    with serving(config(**{name: folder / name for name in names}), poll_seconds=0) as running:
        yield running


def refused(call, asked, code: grpc.StatusCode) -> str:
    """The details of the error with that code that the call must end in."""
    with pytest.raises(grpc.RpcError) as caught:
        call(asked, timeout=WAIT)
    assert caught.value.code() == code, caught.value.details()
    return caught.value.details()


def hold(server: Running, gate: bytes, *others: list[float]) -> tuple[grpc.Future, list[grpc.Future]]:
    """A request to the gated model under way, and others that came after it."""
    servable = server.server.manager.models["gated"].servables[1]
    first = server.future("gated", x=servables.floats(0), gate=np.array([gate], object))
    server.look(lambda: servable._users == 2)  # the request and its run
    futures = []
    for values in others:
        gates = np.array([gate] * len(values), object)
        futures.append(server.future("gated", x=servables.floats(*values), gate=gates))
        server.look(lambda: servable._users == 2 + len(futures))
    return first, futures
