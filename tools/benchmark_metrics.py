"""Seconds and memory of the metrics on random features, beside those of tensorflow-gan, SciPy and scikit-learn.

    python tools/benchmark_metrics.py [--only=frechet,kernel] [--rounds=1] [--json=FILE]
    python tools/benchmark_metrics.py --run_dir=RUN         # the whole of evaluate on 10,000 samples of a run

Features are memory-mapped float32. Memory is what the process holds at most beside mapped files, above what it held
before. Every number is the median of the rounds, taken in turn. Nothing else should run on the machine.
"""

import functools
import json
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
from absl import flags, logging
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from tfdfm import cli
from tfdfm.errors import UsageError, nearest
from tfdfm.metrics import fid, inception_score, kid, nearest_neighbours, precision_recall

Arrays = tuple[np.ndarray, ...]


class Case(NamedTuple):
    """What is timed: `ours` and each of `theirs` is a function of the arrays that `make` puts into a folder."""

    task: str
    limit: float | None  # seconds on two quiet cores
    make: Callable[[Path], Arrays]
    ours: Callable[..., object]
    theirs: dict[str, Callable[..., object]]


def define(values: flags.FlagValues):
    flags.DEFINE_list("only", sorted(CASES), "metrics, of these", flag_values=values)
    flags.DEFINE_integer("rounds", 1, "of each", lower_bound=1, flag_values=values)
    flags.DEFINE_string("json", None, "file for the results", flag_values=values)
    flags.DEFINE_string("run_dir", None, "time its evaluation instead", flag_values=values)


def main(values: flags.FlagValues):
    if values.run_dir:
        networks, rest = evaluation(Path(values.run_dir), 10_000)
        return print(
            f"evaluate, 10,000 samples: networks {networks:.1f} s, besides {rest:.1f} s (limits 120 s in all, 15 s)"
        )
    if unknown := set(values.only) - set(CASES):
        raise UsageError(nearest("metric", unknown.pop(), CASES))
    _classifier_metrics()  # seconds of imports, once
    logging.set_verbosity(logging.ERROR)
    results = []
    for name in values.only:
        for row in measure(CASES[name], values.rounds):
            results.append({"metric": name, **row})
            limit = f"  (limit {row['limit']:g} s)" if row["limit"] else ""
            print(
                f"{name:10}  {row['task']:58}  {row['by']:15}{row['seconds']:8.2f} s{row['megabytes']:8.0f} MB{limit}"
            )
    if values.json:
        Path(values.json).write_text(json.dumps({"results": results}, indent=2) + "\n")


def evaluation(run_dir: Path, count: int) -> tuple[float, float]:
    """Seconds of `evaluate` with its defaults: in the generator and the classifier, and besides."""
    from tfdfm.evaluation import image_sets, scores
    from tfdfm.evaluation.requests import Request

    inside = []

    def timed(function, *arguments):
        begun = time.perf_counter()
        result = function(*arguments)
        inside.append(time.perf_counter() - begun)
        return result

    task = Request(run_dir, None, num=count).evaluation()  # trains the classifier if it never was
    task.classifier = task.classifier._replace(run=functools.partial(timed, task.classifier.run))
    draw, start = image_sets.Drawn.__getitem__, time.perf_counter()
    image_sets.Drawn.__getitem__ = lambda drawn, rows: timed(draw, drawn, rows)
    try:
        scores.evaluate(task)
    finally:
        image_sets.Drawn.__getitem__ = draw
    return sum(inside), time.perf_counter() - start - sum(inside)


def measure(case: Case, rounds: int) -> list[dict]:
    functions = {"tfdfm": case.ours, **case.theirs}
    with tempfile.TemporaryDirectory() as folder:
        arrays = case.make(Path(folder))
        found = [{by: _timed(functools.partial(f, *arrays)) for by, f in functions.items()} for _ in range(rounds)]
    return [
        {
            "task": case.task,
            "by": by,
            "seconds": statistics.median(times[by][0] for times in found),
            "megabytes": max(times[by][1] for times in found) / 2**20,
            "limit": case.limit if by == "tfdfm" else None,
        }
        for by in functions
    ]


def _timed(function: Callable[[], object]) -> tuple[float, int]:
    """(seconds, bytes)"""
    before, peak, done = _held(), [0], threading.Event()

    def watch():
        while not done.wait(0.005):
            peak[0] = max(peak[0], _held() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    function()
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    return seconds, peak[0]


def _held() -> int:
    """Bytes of this process that no file backs."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def mapped(folder: Path, *shapes: tuple[int, int]) -> Arrays:
    """Random float32 features with a spectrum that decays, memory-mapped."""
    arrays = []
    for place, (count, width) in enumerate(shapes):
        random, path = np.random.default_rng(place), folder / f"{place}.npy"
        array = np.lib.format.open_memmap(path, "w+", np.float32, (count, width))
        for start in range(0, count, 5000):
            rows = random.standard_normal((min(5000, count - start), width), np.float32)
            array[start : start + 5000] = rows * np.exp(-4 * np.arange(width) / width) + 0.05 * place
        array.flush()
        arrays.append(np.load(path, mmap_mode="r"))
    return tuple(arrays)


def pixels(folder: Path, *counts: int) -> Arrays:
    """Random uint8 images of 32 x 32 x 3."""
    random = np.random.default_rng(0)
    return tuple(random.integers(0, 256, (count, 32, 32, 3), np.uint8) for count in counts)


def ours_frechet(real, fake):
    return fid.frechet_distance(fid.statistics(real), fid.statistics(fake))


def scipys_frechet(real, fake):
    product = np.cov(real, rowvar=False) @ np.cov(fake, rowvar=False)
    return np.trace(sqrtm(product).real)


def tensorflow_gans(function: str, *arrays):
    import tensorflow as tf

    return getattr(_classifier_metrics(), function)(*(tf.constant(array) for array in arrays))


@functools.cache
def _classifier_metrics() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it imports uses distutils
        sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))
        import tfgan

        return tfgan.module("classifier_metrics")


def scikit_learns_reach(*sets):
    """Only the radii; both comparisons come on top."""
    return [NearestNeighbors(n_neighbors=4, algorithm="brute").fit(x).kneighbors(x)[0][:, 3] for x in sets]


def scipys_nearest(samples, training):
    samples = samples.reshape(len(samples), -1)
    blocks = (training[start : start + 5000] for start in range(0, len(training), 5000))
    return [cdist(samples, block.reshape(len(block), -1), "cityblock").min(axis=1) for block in blocks]


CASES = {
    "frechet": Case(
        "FID, 50,000 x 2,048 twice",
        12,
        lambda folder: mapped(folder, (50_000, 2048), (50_000, 2048)),
        ours_frechet,
        {"scipy": scipys_frechet},
    ),
    "frechet10k": Case(
        "FID, 10,000 x 2,048 twice",
        None,
        lambda folder: mapped(folder, (10_000, 2048), (10_000, 2048)),
        ours_frechet,
        {
            "tensorflow-gan": functools.partial(tensorflow_gans, "frechet_classifier_distance_from_activations"),
            "scipy": scipys_frechet,
        },
    ),
    "kernel": Case(
        "KID, 100 subsets of 1,000 of 10,000 x 2,048",
        20,
        lambda folder: mapped(folder, (10_000, 2048), (10_000, 2048)),
        kid.kernel_distance,
        {"tensorflow-gan": functools.partial(tensorflow_gans, "kernel_classifier_distance_from_activations")},
    ),
    "inception": Case(
        "IS, 50,000 x 1,008",
        1.5,
        lambda folder: mapped(folder, (50_000, 1008)),
        inception_score.inception_score,
        {"tensorflow-gan": functools.partial(tensorflow_gans, "classifier_score_from_logits")},
    ),
    "manifold": Case(
        "precision, recall, density, coverage, 10,000 x 2,048 twice",
        20,
        lambda folder: mapped(folder, (10_000, 2048), (10_000, 2048)),
        precision_recall.manifolds,
        {"scikit-learn": scikit_learns_reach},
    ),
    "nearest": Case(
        "nearest neighbours, 100 in 50,000 x 3,072",
        15,
        lambda folder: pixels(folder, 100, 50_000),
        nearest_neighbours.nearest,
        {"scipy": scipys_nearest},
    ),
}

if __name__ == "__main__":
    cli.run(main, define, __doc__)
