"""Images a second and latency of an exported model: bare, by gRPC and by REST, as floats and as PNG.

    python tools/benchmark_serving.py [--model=runs/cifar10-seed0/export | --config=cifar10] [--seconds=2] [--json=FILE]

Without --model it exports the untrained generator of a recipe. The model alone, `python -m tfdfm.serve` and the
clients are a process each, all on this machine. Every number is the median of three rounds, taken in turn, so that what
else the machine does meets all alike. Requests are made before; a client sends its next when it has the answer.
"""

import asyncio
import functools
import json
import multiprocessing
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

from absl import flags, logging

from tfdfm import cli

ROUNDS, BATCH, REQUESTS = 3, 64, 64
SIGNATURES = {"float": "serving_default", "png": "png", "latents": "latents"}
IMAGES = ("float", "png")
METHOD = "/tensorflow.serving.PredictionService/Predict"


class Cell(NamedTuple):
    way: str  # "bare", "grpc" or "rest"
    format: str
    clients: int
    rows: int  # of a request


BARE = [Cell("bare", format, 1, rows) for format in IMAGES for rows in (1, 8, BATCH)]
BARE.append(Cell("bare", "latents", 1, BATCH))  # what drawing them costs of each image
SERVED = [
    Cell(way, format, clients, rows)
    for way in ("grpc", "rest")
    for format in IMAGES
    for clients in (1, 8, 32)
    for rows in (1, 8)
]


def define(values: flags.FlagValues):
    flags.DEFINE_string("model", None, "an export: the folder of its versions", flag_values=values)
    flags.DEFINE_string("config", "cifar10", "recipe whose generator is exported without --model", flag_values=values)
    flags.DEFINE_float("seconds", 2.0, "of each number and round", lower_bound=0.01, flag_values=values)
    flags.DEFINE_string("json", None, "file for the results", flag_values=values)


def main(values: flags.FlagValues):
    with tempfile.TemporaryDirectory() as folder:
        model = Path(values.model) if values.model else _export(values.config, Path(folder))
        rounds, starts = measure(model, values.seconds)
    results, start = _summary(rounds), {key: statistics.median(one[key] for one in starts) for key in starts[0]}
    for line in table(results):
        print(line)
    print("  ".join(f"{name.replace('_', ' ')} {seconds:.2f}" for name, seconds in start.items()))
    if values.json:
        Path(values.json).write_text(json.dumps({"results": results} | start, indent=2) + "\n")


def measure(model: Path, seconds: float) -> tuple[list[dict[Cell, list[float]]], list[dict[str, float]]]:
    """Of each round the latencies of each cell; and how long the server took to start, beside TensorFlow's import."""
    version = max((path for path in model.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name))
    classes = json.loads((version / "assets" / "model_card.json").read_text())["num_classes"]
    context, rounds, starts = multiprocessing.get_context("spawn"), [], []
    with ProcessPoolExecutor(1, context) as alone, ProcessPoolExecutor(1, context) as clients:
        for _ in range(ROUNDS):
            found = {cell: alone.submit(_bare, str(version), classes, cell, seconds).result() for cell in BARE}
            with _server(model) as (ports, ready):
                for cell in SERVED:
                    requests = _requests(cell, classes)
                    found[cell] = clients.submit(_load, ports[cell.way], cell, requests, seconds).result()
            rounds.append(found)
            starts.append({"seconds_until_ready": ready, "seconds_of_tensorflow_import": _import_seconds()})
    return rounds, starts


def _export(recipe: str, folder: Path) -> Path:
    from tfdfm import recipes
    from tfdfm.runs import run
    from tfdfm.sampling import saved_model
    from tfdfm.sampling.restore import Trained
    from tfdfm.training import build

    config, found = run.resolve(recipes.recipe(recipe))
    names = tuple(found.class_names) if config.conditional else ()
    generator = build.generator(config, found.channels, len(names))
    logging.set_verbosity(logging.ERROR)  # TensorFlow tells of every step of saving
    saved_model.write(Trained(generator, config, 0, found.channels, names, "generator"), folder)
    return folder


def _import_seconds() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import tensorflow"], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


@contextmanager
def _server(model: Path) -> Iterator[tuple[dict[str, str], float]]:
    """Addresses, and seconds until it answers."""
    flags = [f"--model_base_path={model}", "--port=-1", "--rest_api_port=-1"]
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "tfdfm.serve", *flags], stdout=subprocess.PIPE, text=True)
    try:
        line = next((line for line in process.stdout if " gRPC " in line), "")
        ready = time.perf_counter() - start
        yield dict(zip(("grpc", "rest"), re.search(r"gRPC (\S+), REST (\S+)", line).groups(), strict=True)), ready
    finally:
        process.terminate()
        process.communicate()


@functools.cache
def _loaded(path: str):
    import tensorflow as tf

    return tf.saved_model.load(path)


def _bare(path: str, classes: int, cell: Cell, seconds: float) -> list[float]:
    """Seconds of each call of the SavedModel's signature, one after the other."""
    import tensorflow as tf

    function = _loaded(path).signatures[SIGNATURES[cell.format]]
    taken = function.structured_input_signature[1]  # latents take no labels
    inputs = [{key: tf.constant(one[key], tf.int64) for key in taken} for one in _inputs(cell, classes)]

    def call(i: int):
        for output in function(**inputs[i % REQUESTS]).values():
            output.numpy()

    call(0)
    times, end = [time.perf_counter()], time.perf_counter() + seconds
    while times[-1] < end:
        call(len(times))
        times.append(time.perf_counter())
    return [after - before for before, after in zip(times[:-1], times[1:], strict=True)]


def _inputs(cell: Cell, classes: int) -> list[dict[str, list[int]]]:
    seeds = [list(range(i * cell.rows, (i + 1) * cell.rows)) for i in range(REQUESTS)]
    return [{"seed": seed} | ({"labels": [i % classes for i in seed]} if classes else {}) for seed in seeds]


def _requests(cell: Cell, classes: int) -> list[bytes]:
    """As they go over the wire."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    name, made = SIGNATURES[cell.format], []
    for inputs in _inputs(cell, classes):
        if cell.way == "rest":
            made.append(json.dumps({"signature_name": name, "inputs": inputs}).encode())
            continue
        request = predict_pb2.PredictRequest(model_spec={"name": "default", "signature_name": name})
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value, tf.int64))
        made.append(request.SerializeToString())
    return made


def _load(address: str, cell: Cell, requests: list[bytes], seconds: float) -> list[float]:
    return asyncio.run(_clients(address, cell, requests, seconds))


async def _clients(address: str, cell: Cell, requests: list[bytes], seconds: float) -> list[float]:
    """Latencies of all clients, after a quarter of the time to warm up."""
    start = time.perf_counter() + seconds / 4
    found = await asyncio.gather(
        *(_client(address, cell.way, requests[i:] + requests[:i], start, start + seconds) for i in range(cell.clients))
    )
    return [latency for one in found for latency in one]


async def _client(address: str, way: str, requests: list[bytes], start: float, end: float) -> list[float]:
    latencies, count = [], 0
    async with {"grpc": _grpc, "rest": _rest}[way](address) as ask:
        while (before := time.perf_counter()) < end or not latencies:
            await ask(requests[count % len(requests)])
            count += 1
            if before >= start:
                latencies.append(time.perf_counter() - before)
    return latencies


@asynccontextmanager
async def _grpc(address: str):
    """A function that sends a serialised request; the answer is not parsed. A connection of its own."""
    import grpc

    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(address, options) as channel:
        yield channel.unary_unary(METHOD)


@asynccontextmanager
async def _rest(address: str):
    import aiohttp

    async with aiohttp.ClientSession(raise_for_status=True) as session:

        async def ask(body: bytes) -> bytes:
            async with session.post(f"{address}/v1/models/default:predict", data=body) as response:
                return await response.read()

        yield ask


def _summary(rounds: list[dict[Cell, list[float]]], quantiles=(50, 99)) -> list[dict]:
    """A cell's images a second, that as a share of the bare model's largest batch, and latencies in ms."""

    def rate(found: dict, cell: Cell) -> float:
        """Of clients that are never idle: clients x images / mean latency."""
        return cell.clients * cell.rows / statistics.fmean(found[cell])

    results = []
    for cell in rounds[0]:
        best = cell._replace(way="bare", clients=1, rows=BATCH)
        results.append(cell._asdict() | {"images_per_second": statistics.median(rate(found, cell) for found in rounds)})
        results[-1]["share_of_bare"] = statistics.median(rate(found, cell) / rate(found, best) for found in rounds)
        for percent in quantiles:
            one = [1e3 * sorted(found[cell])[len(found[cell]) * percent // 100] for found in rounds]
            results[-1][f"percentile_{percent}_ms"] = statistics.median(one)
    return results


def table(results: list[dict]) -> Iterator[str]:
    """Lines of fixed width."""
    yield "way   format  clients  images a request  images/s  of bare  median ms  99 % ms"
    for one in results:
        yield (
            f"{one['way']:6}{one['format']:8}{one['clients']:7}{one['rows']:18}{one['images_per_second']:10.0f}"
            f"{one['share_of_bare']:9.2f}{one['percentile_50_ms']:11.2f}{one['percentile_99_ms']:9.2f}"
        )


if __name__ == "__main__":
    cli.run(main, define, __doc__)
