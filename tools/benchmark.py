"""What a recipe costs: its step beside a peer's, its training loop, its samples, and commands from start to end.

    python tools/benchmark.py --config=cifar10 --precision=float32 --batch_size=64,256
    python tools/benchmark.py --config=cifar10 --precision=float32 --peer="python peer.py f32 {batch_size}"
    python tools/benchmark.py --config=all --measure=step,samples,commands --json=new.json
    python tools/benchmark.py --compare=old.json,new.json

step: the joint update on one batch that stays in memory, and what share that is of the machine's rate of matrix
products. loop: `fit` with its data, logging and progress, and the cost of checkpoints and grids of samples spread over
the recipe's own intervals. samples: batches of 64 by the generator. All in images a second. commands: seconds of whole
processes that train a step on a folder of noise, go on for one, draw an image, export, draw one of the export and
score 256 samples.

Each figure is the median [least to most] of rounds, taken in turn with the others, once for commands; the peer, a
command that prints a number before "img/s", takes its turn, too. A combination of recipe, precision and batch is a
process of its own and takes about a minute. The data are random bytes of the data set's shape: no download.
"""

import functools
import itertools
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from tfdfm import cli, data, files, images, recipes
from tfdfm.errors import Failure, UsageError
from tfdfm.runs import run, starts
from tfdfm.runs.callbacks import callbacks
from tfdfm.runs.checkpoints import Checkpoints
from tfdfm.runs.signals import Signals
from tfdfm.training import distribution
from tfdfm.training.trainer import GRID, Trainer

MEASURES = ("step", "loop", "samples", "commands")
PRODUCT = 2048  # side of the matrices of the product that the step is compared with
Figures = dict[str, list[float]]  # by round


def define(values: flags.FlagValues):
    flags.DEFINE_list("config", ["cifar10"], "recipes, or all", flag_values=values)
    flags.DEFINE_list(
        "precision", ["float32", "mixed_bfloat16"], "of float32, mixed_bfloat16, mixed_float16", flag_values=values
    )
    flags.DEFINE_list("batch_size", ["0"], "0: the recipe's", flag_values=values)
    flags.DEFINE_list("measure", ["step", "loop"], f"of {', '.join(MEASURES)}", flag_values=values)
    flags.DEFINE_string("peer", None, "a command; {batch_size} in it is filled in", flag_values=values)
    flags.DEFINE_integer("rounds", 5, "of each", lower_bound=1, flag_values=values)
    flags.DEFINE_float("seconds", 3.0, "that a round takes at least", lower_bound=0.0, flag_values=values)
    flags.DEFINE_string("json", None, "file for the results", flag_values=values)
    flags.DEFINE_list("compare", None, "two such files, instead of measuring", flag_values=values)


def main(values: flags.FlagValues) -> int:
    if values.compare:
        print(*compared(*(json.loads(Path(path).read_text())["results"] for path in values.compare)), sep="\n")
        return 0
    if unknown := set(values.measure) - set(MEASURES):
        raise UsageError(f"Expected --measure to be of {', '.join(MEASURES)}, given {unknown.pop()!r}.")
    names = sorted(recipes.names()) if values.config == ["all"] else values.config
    plan, results = Plan(set(values.measure), values.peer, values.rounds, values.seconds), []
    for name, precision, size in itertools.product(names, values.precision, map(int, values.batch_size)):
        with ProcessPoolExecutor(1, max_tasks_per_child=1) as process:
            results.append(process.submit(cell, name, precision, size, values.overrides, plan).result())
        print(*shown(results[-1]), sep="\n", flush=True)
        if values.json:
            files.write_json(Path(values.json), {"machine": starts.machine(), "results": results})
    return int(any("failed" in each for each in results))


class Plan(NamedTuple):
    measures: set[str]
    peer: str | None
    rounds: int
    seconds: float  # of a round


def cell(name: str, precision: str, size: int, overrides: list[str], plan: Plan) -> dict:
    """{"config", "precision", "batch_size", "figures"}; "failed" in place of the last where it cannot run."""
    found = {"config": name, "precision": precision, "batch_size": size}
    try:
        config = recipes.override(recipes.recipe(name), dict(pair.split("=", 1) for pair in overrides))
        config.precision, config.steps_per_execution, config.test_every, config.score_every = precision, 1, 0, 0
        config.batch_size = found["batch_size"] = size or config.batch_size
        figures = measured(config, plan)
    except (UsageError, Failure) as error:
        return found | {"failed": " ".join(str(error).split())}
    summary = {key: {"median": statistics.median(of), "least": min(of), "most": max(of)} for key, of in figures.items()}
    return found | {"figures": summary}


def measured(config, plan: Plan) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        takes = _takes(config, plan, Path(folder))
        found: Figures = {name: [] for name in takes}
        for _ in range(plan.rounds):
            for name, take in takes.items():
                found[name].append(take())
        if "commands" in plan.measures:
            found |= _commands(config, Path(folder))
    if "step img/s" in found:
        step = np.array(found["step img/s"])
        found["share of matrix products"] = list(step * found["GFLOP/img"] / found["matrix products GFLOP/s"])
        if plan.peer:
            found["step / peer"] = list(step / found["peer img/s"])
    return found


def _takes(config, plan: Plan, folder: Path) -> dict[str, Callable[[], float]]:
    """{figure: a function that measures it once}"""
    config, found = run.resolve(config)
    strategy = distribution.strategy(config.distribution)
    trainer = run.build_trainer(config, found, strategy)
    noise = _noise(folder, config, found)
    rate = functools.partial(_rate, seconds=plan.seconds)
    takes: dict[str, Callable[[], float]] = {}
    if "step" in plan.measures:
        batch = next(iter(run.batches(noise, config, strategy, 0)))
        trainer.make_train_function()
        iterator = iter(tf.data.Dataset.from_tensors(batch).repeat())
        step = functools.partial(trainer.train_function, iterator)
        takes["step img/s"] = lambda: config.batch_size * rate(step)
        if plan.peer:
            takes["peer img/s"] = functools.partial(_peer, plan.peer.format(batch_size=config.batch_size))
        flops = _flops(tf.function(trainer.train_step, autograph=False).get_concrete_function(batch).graph)
        product = _product(config.precision)
        takes["GFLOP/img"] = lambda: flops / 1e9 / config.batch_size
        takes["matrix products GFLOP/s"] = lambda: 2 * PRODUCT**3 / 1e9 * rate(product)
    if "loop" in plan.measures:
        takes["loop img/s"] = lambda: config.batch_size / _loop(trainer, noise, config, strategy, plan.seconds, folder)
    if "samples" in plan.measures:
        takes["samples img/s"] = lambda: GRID * rate(lambda: {"images": trainer.grid()})
    return takes


def _noise(folder: Path, config, found: data.Description) -> data.Images:
    side = config.patches_of or config.image_size
    shape = (max(2 * config.n_critic * config.batch_size, 512), side, side, found.channels)
    pixels = np.memmap(folder / "pixels", np.uint8, "w+", shape=shape)
    pixels[:] = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    labels = np.arange(len(pixels), dtype=np.int32) % found.num_classes if found.num_classes else None
    return data.Images("noise", "random bytes", pixels, labels, tuple(map(str, range(found.num_classes or 0))))


def _rate(call: Callable[[], dict], seconds: float) -> float:
    """Calls a second, as many as take these seconds; the first, which may trace, does not count."""

    def timed(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            result = call()
        tf.nest.map_structure(np.asarray, result)
        return time.perf_counter() - start

    timed(1)
    count = max(1, round(seconds / timed(1)))
    return count / timed(count)


def _peer(command: str) -> float:
    done = subprocess.run(shlex.split(command), capture_output=True, text=True)
    number = re.search(r"([\d.]+) (?:img|images)/s", done.stdout)
    if done.returncode or not number:
        raise Failure(f"The peer ended with {done.returncode} and {(done.stdout + done.stderr)[-300:]!r}: {command}")
    return float(number[1])


def _loop(trainer: Trainer, noise: data.Images, config, strategy, seconds: float, folder: Path) -> float:
    """Seconds a step of `fit` with a run's callbacks, checkpoints and grids shared out; the first does not count."""
    ends: list[float] = []

    def ended(batch, logs):
        ends.append(time.perf_counter())
        trainer.stop_training = len(ends) > 1 and ends[-1] - ends[0] > seconds

    alone = config.copy_and_resolve_references()
    alone.steps = alone.sample_every = alone.checkpoint_every = 10**9
    first, checkpoints = int(trainer.step.numpy()), Checkpoints(folder / "checkpoints", trainer.variables_by_name())
    with Signals() as signals:
        calls = callbacks(
            folder, alone, checkpoints, signals, chief=True, first_step=first, warnings=starts.Warnings(None, first)
        )
        clock = keras.callbacks.LambdaCallback(on_train_batch_end=ended)
        trainer.fit(run.batches(noise, alone, strategy, first), callbacks=[*calls, clock], verbose=0, shuffle=False)
    start = time.perf_counter()
    checkpoints.save(first)
    saved = time.perf_counter()
    np.asarray(trainer.grid())
    drawn = time.perf_counter()
    between = (saved - start) / config.checkpoint_every + (drawn - saved) / config.sample_every
    return (ends[-1] - ends[0]) / (len(ends) - 1) + between


def _commands(config, folder: Path) -> Figures:
    """Seconds of whole commands, on a run of this recipe with a folder of noise, everything prepared anew."""
    run_dir, (config, found) = folder / "run", run.resolve(config)
    generator = np.random.default_rng(0)
    for number in range(max(2 * config.n_critic * config.batch_size, 256)):
        path = folder / "noise" / str(number % 10) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        images.write_png(
            path, generator.integers(0, 256, (config.image_size, config.image_size, found.channels), np.uint8)
        )
    recipe = folder / "config.json"
    config.dataset = f"folder:{folder / 'noise'}"
    files.write_json(recipe, config.to_dict())
    train = ["train", f"--config={recipe}", f"--run_dir={run_dir}"]
    commands = {
        "first_step": [*train, "--steps=1"],
        "next_step": [*train, "--steps=2"],
        "first_image": ["sample", f"--run_dir={run_dir}", "--num=1", f"--out={folder / 'a.png'}"],
        "export": ["export", f"--run_dir={run_dir}", f"--out={folder / 'export'}"],
        "first_image_of_export": ["sample", f"--export={folder / 'export'}", "--num=1", f"--out={folder / 'b.png'}"],
        "evaluation": ["evaluate", f"--run_dir={run_dir}", "--num=256", "--classifier=efficientnet_lite0"],
    }
    return {f"{name} s": [_command(arguments, folder)] for name, arguments in commands.items()}


def _command(arguments: list[str], folder: Path) -> float:
    start = time.perf_counter()
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-m", f"tfdfm.{arguments[0]}", *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise Failure(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr[-300:]}")
    return time.perf_counter() - start


def _product(precision: str) -> Callable[[], tf.Tensor]:
    """The product of two matrices, of PRODUCT rows and columns each."""
    dtype = tf.as_dtype(precision.removeprefix("mixed_"))
    a = tf.cast(tf.random.stateless_normal([PRODUCT, PRODUCT], [0, 0]), dtype)
    return tf.function(lambda: tf.matmul(a, a))


def _flops(graph: tf.Graph) -> float:
    """Multiplications and additions of the matrix products and convolutions that this graph really runs.

    Branches of conditions are left out: they are of the steps that log.
    """
    seen, todo, total = set(), [*(t.op for t in graph.outputs), *graph.control_outputs], 0.0
    while todo:
        op = todo.pop()
        if op not in seen:
            seen.add(op)
            todo += [t.op for t in op.inputs] + list(op.control_inputs)
            total += _op_flops(op)
    return total


def _op_flops(op: tf.Operation) -> float:
    if op.type.endswith("PartitionedCall"):
        return _flops(op.graph._get_function(op.get_attr("f").name).graph)
    if op.type == "MatMul":
        inner = op.inputs[0].shape[0 if op.get_attr("transpose_a") else 1]
        return 2.0 * op.outputs[0].shape.num_elements() * inner
    if op.type == "Conv2D":
        return 2.0 * op.outputs[0].shape.num_elements() * op.inputs[1].shape[:3].num_elements()
    if op.type.startswith("Conv2DBackprop"):  # as many as the forward one: small side times kernel times inputs
        kernel = op.outputs[0].shape if op.type.endswith("Filter") else op.inputs[1].shape
        return 2.0 * op.inputs[2].shape.num_elements() * kernel[:3].num_elements()
    return 0.0


def shown(cell: dict) -> list[str]:
    """Its lines: figure, median [least to most]."""
    title = f"{cell['config']}  {cell['precision']}  batch {cell['batch_size']}"
    if "failed" in cell:
        return [title, f"  {cell['failed']}"]
    of = cell["figures"].items()
    return [title, *(f"  {name:<26}{f['median']:>9.4g}  [{f['least']:.4g} to {f['most']:.4g}]" for name, f in of)]


def compared(old: list[dict], new: list[dict]) -> list[str]:
    """A line for each figure that both have; * where the rounds of the two do not overlap."""
    before = {_key(cell): cell.get("figures", {}) for cell in old}
    lines = [f"{'':<60}{'old':>9}{'new':>9}{'new / old':>11}"]
    for cell in new:
        for name, b in cell.get("figures", {}).items():
            if a := before.get(_key(cell), {}).get(name):
                apart = " *" if a["most"] < b["least"] or b["most"] < a["least"] else ""
                label = " ".join(map(str, (*_key(cell), name)))
                lines.append(
                    f"{label:<60}{a['median']:>9.4g}{b['median']:>9.4g}{b['median'] / a['median']:>11.3f}{apart}"
                )
    return lines


def _key(cell: dict) -> tuple:
    return cell["config"], cell["precision"], cell["batch_size"]


if __name__ == "__main__":
    cli.run(main, define, __doc__)
