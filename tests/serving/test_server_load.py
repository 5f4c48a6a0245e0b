"""Thirty-two clients at once, by gRPC and REST, while the served version changes under them."""

import asyncio
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from contextlib import asynccontextmanager

import aiohttp
import exports
import grpc
import numpy as np
import psutil
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tfdfm.sampling import saved_model

CLIENTS, SEEDS, CLASSES = 32, 192, 3
SECONDS = 60 if os.environ.get("TFDFM_TEST_ALL") else 12
SWITCHES = 2
GROWTH = 48 << 20  # bytes that the server's memory may differ by after the first switch: allocators keep some


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """Folders of exports to be published, and the images [version, seed, H, W, C] that each has to give."""
    folder = tmp_path_factory.mktemp("exports")
    first, second = (
        saved_model.write(exports.trained(classes=CLASSES, prior=prior), folder) for prior in ("uniform", "normal")
    )
    again = shutil.copytree(first, folder / "again")
    images = np.stack([_images(path) for path in (first, second)])
    apart = np.abs(images.reshape(2 * SEEDS, 1, -1) - images.reshape(1, 2 * SEEDS, -1)).max(-1)
    assert apart[~np.eye(2 * SEEDS, dtype=bool)].min() > 0.02  # else a wrong image could pass for the right one
    return [first, second, again], images[[0, 1, 0]]


def _images(path) -> np.ndarray:
    function = tf.saved_model.load(str(path)).signatures["serving_default"]
    seeds = tf.range(SEEDS, dtype=tf.int64)
    return function(seed=seeds, labels=seeds % CLASSES)["images"].numpy()


@pytest.fixture
def server(tmp_path):
    """Its process, addresses and the folder that it follows. Started when the first version is there."""
    started = []

    def start():
        flags = [f"--model_base_path={tmp_path}", "--port=-1", "--rest_api_port=-1"]
        flags.append("--file_system_poll_wait_seconds=0.1")
        process = subprocess.Popen(
            [sys.executable, "-m", "tfdfm.serve", *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        line = next((line for line in process.stdout if " gRPC " in line), "")
        return process, *re.search(r"gRPC (\S+), REST (\S+)", line).groups()

    yield start, tmp_path
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.communicate()


class Clients:
    """What they saw: answers counted by (way, version), and the first wrong one."""

    def __init__(self, grpc_address: str, rest_address: str, images: np.ndarray):
        self.grpc_address, self.rest_address, self.images = grpc_address, rest_address, images
        self.seen, self.done = Counter(), asyncio.Event()

    async def run(self, number: int):
        rng = np.random.default_rng(number)
        connection, ask = [(self._grpc, self._ask_grpc), (self._rest, self._ask_rest)][number % 2]
        async with connection() as connected:
            while not self.done.is_set():
                seeds = rng.integers(0, SEEDS, rng.integers(1, 9))
                name = rng.choice(["serving_default", "png"])
                version, images = await ask(connected, name, seeds)
                self._check(ask.__name__, version, name, seeds, images)

    def _check(self, way: str, version: int | None, name: str, seeds: np.ndarray, images: np.ndarray):
        tolerance = 1e-5 if name == "serving_default" else 0.51 / 255  # half a level
        numbers = range(1, len(self.images) + 1) if version is None else [version]
        error = min(np.abs(images - self.images[n - 1, seeds]).max() for n in numbers)
        assert error <= tolerance, f"{way} {name}, version {version}, seeds {seeds}: images wrong by {error}"
        self.seen[way, version] += 1

    @asynccontextmanager
    async def _grpc(self):
        async with grpc.aio.insecure_channel(self.grpc_address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            yield prediction_service_pb2_grpc.PredictionServiceStub(channel)

    @asynccontextmanager
    async def _rest(self):
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            yield session

    async def _ask_grpc(self, stub, name: str, seeds: np.ndarray) -> tuple[int, np.ndarray]:
        request = predict_pb2.PredictRequest(model_spec={"name": "default", "signature_name": name})
        for key, value in {"seed": seeds, "labels": seeds % CLASSES}.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value, tf.int64))
        answer = await stub.Predict(request, timeout=60)
        (output,) = answer.outputs.values()
        found = tf.make_ndarray(output) if name == "serving_default" else decoded(output.string_val)
        return answer.model_spec.version.value, found

    async def _ask_rest(self, session, name: str, seeds: np.ndarray) -> tuple[None, np.ndarray]:
        inputs = {"seed": seeds.tolist(), "labels": (seeds % CLASSES).tolist()}
        body = json.dumps({"signature_name": name, "inputs": inputs})
        async with session.post(f"{self.rest_address}/v1/models/default:predict", data=body) as response:
            found = json.loads(await response.read())["outputs"]
        if name == "serving_default":
            return None, np.asarray(found, np.float32)
        return None, decoded([base64.b64decode(one["b64"]) for one in found])


def decoded(files: list[bytes]) -> np.ndarray:
    return np.stack([tf.io.decode_png(file).numpy() for file in files]) / np.float32(255)


async def _states(session, address: str) -> dict[int, str]:
    async with session.get(f"{address}/v1/models/default") as response:
        found = await response.json()
    return {int(one["version"]): one["state"] for one in found["model_version_status"]}


async def _switch(clients: Clients, number: int):
    """Waits until `number` alone is served; at most two versions are held at any moment."""
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        while True:
            states = await _states(session, clients.rest_address)
            assert sum(state not in ("START", "END") for state in states.values()) <= 2
            if {n for n, state in states.items() if state != "END"} == {number}:
                assert states[number] == "AVAILABLE"
                return
            await asyncio.sleep(0.02)


async def _drive(clients: Clients, process: psutil.Process, publish) -> list[int]:
    """The server's memory in bytes after each switch and at the end."""
    memory = []
    async with asyncio.TaskGroup() as group:  # the first failure ends all
        for number in range(CLIENTS):
            group.create_task(clients.run(number))
        for number in range(2, SWITCHES + 2):
            await asyncio.sleep(SECONDS / (SWITCHES + 1))
            publish(number)
            await asyncio.wait_for(_switch(clients, number), 60)
            memory.append(process.memory_info().rss)
        await asyncio.sleep(SECONDS / (SWITCHES + 1))
        clients.done.set()
    return [*memory, process.memory_info().rss]


def test_versions_change_under_load(versions, server):
    paths, images = versions
    start, folder = server

    def publish(number: int):
        paths[number - 1].rename(folder / str(number))

    publish(1)
    process, grpc_address, rest_address = start()
    clients = Clients(grpc_address, rest_address, images)
    memory = asyncio.run(_drive(clients, psutil.Process(process.pid), publish))
    print(dict(clients.seen), [size >> 20 for size in memory], "MiB")
    answered_by = {version for way, version in clients.seen if version}
    assert answered_by == set(range(1, SWITCHES + 2)) and clients.seen["_ask_rest", None] > 0
    assert abs(memory[-1] - memory[0]) < GROWTH
    process.send_signal(signal.SIGTERM)
    assert (process.wait(60), "Traceback" in process.stderr.read()) == (0, False)
