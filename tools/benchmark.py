"""Images a second of a recipe's step and of its whole training loop, beside what the machine's matrix products reach.

    python tools/benchmark.py --config=cifar10 [--precision=float32,mixed_bfloat16] [--batch_size=64] [--steps=20]
    [--json=FILE]

Step: the joint update on one batch that stays in memory. Loop: `fit` with its data, logging and progress, and the
measured cost of a checkpoint and of a grid of samples spread over the recipe's own intervals. Both are medians of
three rounds, taken in turn. The data are random bytes of the data set's shape: no download.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from tfdfm import cli, data, recipes
from tfdfm.runs import run
from tfdfm.runs.callbacks import Signals, callbacks
from tfdfm.runs.checkpoints import Checkpoints
from tfdfm.training import distribution

ROUNDS = 3


def define(values: flags.FlagValues):
    flags.DEFINE_string("config", "cifar10", "recipe", flag_values=values)
    flags.DEFINE_list("precision", ["float32", "mixed_bfloat16"], "one or both", flag_values=values)
    flags.DEFINE_integer("batch_size", None, "default: the recipe's", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("steps", 20, "steps a round", lower_bound=1, flag_values=values)
    flags.DEFINE_string("json", None, "file for the results", flag_values=values)


def main(values: flags.FlagValues):
    results = []
    for precision in values.precision:
        config = recipes.override(recipes.recipe(values.config), dict(p.split("=", 1) for p in values.overrides))
        config.precision, config.steps_per_execution = precision, 1
        config.batch_size = values.batch_size or config.batch_size
        results.append({"config": values.config, "precision": precision, "batch_size": config.batch_size})
        results[-1] |= measure(config, values.steps)
        print("  ".join(f"{key} {_rounded(value)}" for key, value in results[-1].items()), flush=True)
    if values.json:
        Path(values.json).write_text(json.dumps({"results": results}, indent=2) + "\n")


def measure(config, steps: int) -> dict[str, float]:
    config, found = run.resolve(config)
    strategy = distribution.strategy(config.distribution)
    trainer = run.build_trainer(config, found, strategy)
    with tempfile.TemporaryDirectory() as folder:
        images = _random_images(Path(folder), config, found)
        rounds = [
            (_step_seconds(trainer, images, config, steps), _loop_seconds(trainer, images, config, steps, folder))
            for _ in range(ROUNDS)
        ]
        extra = _overhead(trainer, folder, config)
    step, loop = (statistics.median(times) for times in zip(*rounds, strict=True))
    peak, flops = _matrix_product_rate(config.precision), _flops(trainer, images, config)
    return {
        "step_images_per_second": config.batch_size / step,
        "loop_images_per_second": config.batch_size / (loop + extra),
        "loop_share_of_step": step / (loop + extra),
        "step_gflop": flops / 1e9,
        "matrix_product_gflops": peak / 1e9,
        "share_of_matrix_product_rate": flops / step / peak,
    }


def _random_images(folder: Path, config, found: data.Description) -> data.Images:
    shape = (4 * config.batch_size, config.image_size, config.image_size, found.channels)
    pixels = np.memmap(folder / "pixels", np.uint8, "w+", shape=shape)
    pixels[:] = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    labels = np.arange(len(pixels), dtype=np.int32) % found.num_classes if found.num_classes else None
    return data.Images("random", "random bytes", pixels, labels, ())


def _batches(images, config, steps: int):
    return data.batches(images, batch_size=config.batch_size, first_step=0, last_step=steps, seed=0)


def _step_seconds(trainer, images, config, steps: int) -> float:
    batch = next(iter(_batches(images, config, 1)))
    trainer.make_train_function()
    iterator = iter(tf.data.Dataset.from_tensors(batch).repeat())
    trainer.train_function(iterator)
    return _seconds(lambda: trainer.train_function(iterator), steps)


def _seconds(call, steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        result = call()
    tf.nest.map_structure(lambda value: value.numpy(), result)
    return (time.perf_counter() - start) / steps


def _loop_seconds(trainer, images, config, steps: int, folder: str) -> float:
    """Of a step of `fit` with the callbacks of a run; the first call is not counted."""
    ends = []
    clock = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter()))
    first = int(trainer.step.numpy())
    never = config.copy_and_resolve_references()
    never.steps, never.sample_every, never.checkpoint_every = first + steps + 2, 10**9, 10**9
    never.score_every = 0
    checkpoints = Checkpoints(Path(folder) / "checkpoints", trainer.variables_by_name())
    with Signals() as signals:
        calls = callbacks(folder, never, checkpoints, signals, chief=True, first_step=first)
        trainer.fit(
            _batches(images, config, steps + 1),
            steps_per_epoch=steps + 1,
            callbacks=[*calls, clock],
            verbose=0,
            shuffle=False,
        )
    return (ends[-1] - ends[0]) / steps


def _overhead(trainer, folder: str, config) -> float:
    """Seconds a step of checkpoints and sample grids at the recipe's intervals."""
    checkpoints = Checkpoints(Path(folder) / "checkpoints", trainer.variables_by_name())
    trainer.grid()
    seconds = {}
    for name, call in {
        "checkpoint_every": lambda: checkpoints.save(1),
        "sample_every": lambda: np.asarray(trainer.grid()),
    }.items():
        start = time.perf_counter()
        call()
        seconds[name] = time.perf_counter() - start
    return sum(value / config[name] for name, value in seconds.items())


def _matrix_product_rate(precision: str, size: int = 2048) -> float:
    """Operations a second of [2048, 2048] products in this precision."""
    dtype = tf.bfloat16 if precision == "mixed_bfloat16" else tf.float32
    a = tf.cast(tf.random.stateless_normal([size, size], [0, 0]), dtype)
    product = tf.function(lambda: tf.matmul(a, a))
    product()
    return statistics.median(2 * size**3 / _seconds(product, 5) for _ in range(ROUNDS))


def _flops(trainer, images, config) -> float:
    """Multiplications and additions of the matrix products and convolutions that one step really runs."""
    batch = next(iter(_batches(images, config, 1)))
    zero = tf.constant(0, tf.int64)
    function = tf.function(
        lambda b, s, p: trainer.joint_update.gradients(b, s, p)[:1], autograph=False
    ).get_concrete_function(batch, zero, zero)
    seen, todo, total = set(), [t.op for t in function.graph.outputs], 0.0
    while todo:
        op = todo.pop()
        if op not in seen:
            seen.add(op)
            todo += [t.op for t in op.inputs] + list(op.control_inputs)
            total += _op_flops(op)
    return total


def _op_flops(op: tf.Operation) -> float:
    if op.type == "MatMul":
        inner = op.inputs[0].shape[0 if op.get_attr("transpose_a") else 1]
        return 2.0 * op.outputs[0].shape.num_elements() * inner
    if op.type == "Conv2D":
        return 2.0 * op.outputs[0].shape.num_elements() * op.inputs[1].shape[:3].num_elements()
    if op.type.startswith(
        "Conv2DBackprop"
    ):  # the same products as the forward convolution: small side times kernel times inputs
        kernel = op.outputs[0].shape if op.type.endswith("Filter") else op.inputs[1].shape
        return 2.0 * op.inputs[2].shape.num_elements() * kernel[:3].num_elements()
    return 0.0


def _rounded(value):
    return f"{value:.4g}" if isinstance(value, float) else value


if __name__ == "__main__":
    cli.run(main, define, __doc__)
