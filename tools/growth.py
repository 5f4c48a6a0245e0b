"""How cost grows: with the images of a data set, their pixels, and the replicas that share a batch.

    python tools/growth.py --measure=images,pixels,replicas --json=growth.json

images: whole commands on WebDataset shards of 16-pixel gray PNG images: seconds and peak memory of a `train` that
prepares them and makes one step, and of one that finds them prepared. pixels: seconds of a joint update of `custom`,
batch 64. replicas: the same at 32 pixels, its batch shared by logical CPUs of this one machine, so that what they add
is what they cost. Beside each row stands b of c + a x^b, the least squares over all of its points.
"""

import io
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import benchmark
import numpy as np
import tensorflow as tf
from absl import flags

from tfdfm import cli, files, images
from tfdfm.errors import Failure, UsageError
from tfdfm.runs import starts

SHARD, DISTINCT = 100_000, 1000  # images of a shard; of them as many differ
TOY = ["generator.width=4", "discriminator.width=4", "batch_size=16", "terms=nonsaturating"]
Row = dict[str, list[float]]  # by figure, one for each size


def define(values: flags.FlagValues):
    flags.DEFINE_list("measure", ["images", "pixels", "replicas"], "all, or some of these", flag_values=values)
    flags.DEFINE_list("images", ["10000", "40000", "160000", "640000", "1280000"], "sizes", flag_values=values)
    flags.DEFINE_list("pixels", ["16", "32", "64", "128"], "a side", flag_values=values)
    flags.DEFINE_list("replicas", ["1", "2", "4"], "that share a batch", flag_values=values)
    flags.DEFINE_string("json", None, "file for the results", flag_values=values)


def main(values: flags.FlagValues) -> int:
    ways: dict[str, Callable[[int], dict[str, float]]] = {"images": prepared, "pixels": pixels, "replicas": replicas}
    if unknown := set(values.measure) - set(ways):
        raise UsageError(f"Expected --measure to be of {', '.join(ways)}, given {unknown.pop()!r}.")
    how, results = list(values.overrides), {}
    for name in values.measure:
        sizes, row = [int(size) for size in values[name].value], {}
        for size in sizes:
            with ProcessPoolExecutor(1, max_tasks_per_child=1) as process:
                for figure, value in process.submit(ways[name], size, how).result().items():
                    row.setdefault(figure, []).append(value)
        results[name] = {"sizes": sizes, **row}
        print(*shown(name, sizes, row), sep="\n", flush=True)
        if values.json:
            files.write_json(Path(values.json), {"machine": starts.machine(), "results": results})
    return 0


def prepared(count: int, overrides: list[str]) -> dict[str, float]:
    """Of `train` on so many images."""
    with tempfile.TemporaryDirectory() as folder:
        shards(Path(folder), count)
        train = [sys.executable, "-m", "tfdfm.train", "--config=custom", f"--dataset=webdataset:{folder}/*.tar"]
        train += [f"--run_dir={folder}/run", *(f"--config.{pair}" for pair in (*TOY, *overrides))]
        environment = os.environ | {"XDG_CACHE_HOME": f"{folder}/cache"}
        first, start = (_command([*train, f"--steps={steps}"], environment) for steps in (1, 2))
        names = ("first train s", "its MB", "next train s", "its own MB")
        return dict(zip(names, (*first, *start), strict=True))


def shards(folder: Path, count: int) -> None:
    """WebDataset's, of random images, as many as asked for."""
    generator, path = np.random.default_rng(0), folder / "one.png"
    made = []
    for _ in range(DISTINCT):
        images.write_png(path, generator.integers(0, 256, (16, 16, 1), np.uint8))
        made.append(path.read_bytes())
    path.unlink()
    for start in range(0, count, SHARD):
        with tarfile.open(folder / f"{start // SHARD:04d}.tar", "w") as shard:
            for number in range(start, min(start + SHARD, count)):
                content = made[number % DISTINCT]
                member = tarfile.TarInfo(f"{number:08d}.png")
                member.size = len(content)
                shard.addfile(member, io.BytesIO(content))


def _command(arguments: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """(seconds, peak memory in MB)"""
    start = time.perf_counter()
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment) as process:
        said = process.stderr.read().decode() if process.stderr else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failure(f"{' '.join(arguments)} ended with {process.returncode}: {said[-300:]}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def pixels(side: int, overrides: list[str]) -> dict[str, float]:
    """Of a step on images of this side, and the peak memory of its process."""
    return _measured("step", [f"image_size={side}", *overrides])


def replicas(count: int, overrides: list[str]) -> dict[str, float]:
    """Of a step of `fit` whose batch so many logical CPUs share."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    return _measured("loop", ["image_size=32", f"distribution={'mirrored' if count > 1 else 'none'}", *overrides])


def _measured(what: str, overrides: list[str]) -> dict[str, float]:
    plan = benchmark.Plan({what}, None, 3, 3.0)
    found = benchmark.cell("custom", "float32", 0, ["dataset=cifar10", *overrides], plan)
    if "failed" in found:
        raise Failure(found["failed"])
    seconds = found["batch_size"] / found["figures"][f"{what} img/s"]["median"]
    return {"step s": seconds, "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def exponent(sizes: Iterable[float], costs: Iterable[float]) -> float:
    """b of c + a x^b, 0 <= b <= 3, with c >= 0 and a >= 0 that fit best."""
    x, y = np.asarray(list(sizes), float), np.asarray(list(costs), float)
    x = x / x.max()

    def error(b: float) -> float:
        fits = [np.stack([x**b, np.ones_like(x)], axis=1), np.stack([x**b, np.zeros_like(x)], axis=1)]
        found = [(np.linalg.lstsq(basis, y, rcond=None)[0], basis) for basis in fits]
        return min(
            (float(np.square((basis @ of - y) / y).sum()) for of, basis in found if (of >= 0).all()), default=np.inf
        )

    return min(np.arange(0.0, 3.005, 0.01), key=error)


def shown(name: str, sizes: list[int], row: Row) -> list[str]:
    """Lines: the sizes, then each figure and its exponent."""
    lines = [f"{name:<16}" + "".join(f"{size:>11,}" for size in sizes) + f"{'exponent':>11}"]
    for figure, costs in row.items():
        lines.append(f"{figure:<16}" + "".join(f"{cost:>11.4g}" for cost in costs) + f"{exponent(sizes, costs):>11.2f}")
    return lines


if __name__ == "__main__":
    cli.run(main, define, __doc__)
