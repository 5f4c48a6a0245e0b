"""What the tools of this folder share: small exports, `python -m tfdfm.serve` as a process, clients that ask it."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import grpc
import numpy as np
import psutil
from absl import logging
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tfdfm.serving.models import tensors

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "helpers"))  # exports, servables

SEEDS, CLASSES = 64, 3
TOLERANCE = 1e-5
Ask = Callable[..., Awaitable[tuple[int | None, np.ndarray]]]


def export(folder: Path, kind: int = 0) -> Path:
    """The directory of a version: a small conditional generator, another for each kind."""
    import exports

    from tfdfm.sampling import saved_model

    logging.set_verbosity(logging.ERROR)  # TensorFlow tells of every step of saving
    trained = exports.trained(classes=CLASSES, prior=("uniform", "normal")[kind % 2])
    trained.generator.last.kernel.assign(trained.generator.last.kernel * (1 + kind // 2))
    return saved_model.write(trained, folder)


def images(version: Path) -> np.ndarray:
    """Those of the first SEEDS seeds: [SEEDS, H, W, C]. Labels are seed % classes."""
    import tensorflow as tf

    function = tf.saved_model.load(str(version)).signatures["serving_default"]
    inputs = {name: tf.constant(value) for name, value in given(np.arange(SEEDS), classes(version)).items()}
    return function(**inputs)["images"].numpy()


def classes(version: Path) -> int:
    return json.loads((version / "assets" / "model_card.json").read_text())["num_classes"]


def given(seeds: np.ndarray, number: int) -> dict[str, np.ndarray]:
    """The inputs of a request."""
    return {"seed": seeds.astype(np.int64)} | ({"labels": seeds.astype(np.int64) % number} if number else {})


class Process:
    """A server that runs. `log` is what it said so far."""

    def __init__(self, process: subprocess.Popen, line: str, log: Path):
        self.process, self._watched, self._log = process, psutil.Process(process.pid), log
        self.grpc, self.rest = re.search(r"gRPC (\S+), REST (?:http://)?(\S+)", line).groups()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def alive(self) -> bool:
        return self.process.poll() is None

    def size(self) -> tuple[float, int, int]:
        """MiB of memory, open descriptors, threads."""
        with self._watched.oneshot():
            return self._watched.memory_info().rss / 2**20, self._watched.num_fds(), self._watched.num_threads()


@contextmanager
def server(*flags: str) -> Iterator[Process]:
    """On ports that the system chooses."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("w") as written:
            command = [sys.executable, "-m", "tfdfm.serve", "--port=-1", "--rest_api_port=-1", *flags]
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=written, text=True)
        try:
            line = next((line for line in process.stdout if " gRPC " in line), "")
            if not line:
                raise RuntimeError(f"The server did not start: {log.read_text()}")
            yield Process(process, line, log)
        finally:
            process.terminate()
            try:
                process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


@asynccontextmanager
async def by_grpc(server: Process | str, timeout: float = 60):
    """ask(model, inputs, label=) gives the version that answered and the images, by a connection of its own."""
    address = server if isinstance(server, str) else server.grpc
    async with grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        async def ask(model: str, inputs: dict[str, np.ndarray], label: str = "") -> tuple[int, np.ndarray]:
            request = predict_pb2.PredictRequest(model_spec={"name": model, "version_label": label})
            for name, values in inputs.items():
                tensors.fill(request.inputs[name], values)
            answer = await stub.Predict(request, timeout=timeout)
            return answer.model_spec.version.value, tensors.array(next(iter(answer.outputs.values())))

        yield ask


@asynccontextmanager
async def by_rest(server: Process | str, timeout: float = 60):
    """The same; REST does not say which version answered."""
    address = server if isinstance(server, str) else server.rest
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(timeout), raise_for_status=True) as session:

        async def ask(model: str, inputs: dict[str, np.ndarray], label: str = "") -> tuple[None, np.ndarray]:
            place = f"/labels/{label}" if label else ""
            body = json.dumps({"inputs": {name: values.tolist() for name, values in inputs.items()}})
            async with session.post(f"http://{address}/v1/models/{model}{place}:predict", data=body) as answer:
                return None, np.asarray(json.loads(await answer.read())["outputs"], np.float32)

        yield ask


def wrong(found: np.ndarray, right: list[np.ndarray], seeds: np.ndarray) -> bool:
    """Whether an answer is none of these models'."""
    return all(found.shape != one[seeds].shape or not np.abs(found - one[seeds]).max() <= TOLERANCE for one in right)
