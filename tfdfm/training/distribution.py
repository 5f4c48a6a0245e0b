"""TensorFlow's own strategies by name, and when XLA is used."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from absl import logging

from tfdfm.errors import UsageError

CPU = Path("/proc/cpuinfo")


def strategy(choice: str) -> tf.distribute.Strategy:
    """ "auto" is multi_worker where TF_CONFIG names a cluster, mirrored where there are several GPUs, else none.

    "mirrored" takes all GPUs, or where there are none all logical CPUs.
    """
    if choice == "auto" and "cluster" in json.loads(os.environ.get("TF_CONFIG") or "{}"):
        choice = "multi_worker"
    if (
        choice == "multi_worker"
    ):  # before anything lists the devices: TensorFlow sets up its exchange between workers only then
        return tf.distribute.MultiWorkerMirroredStrategy()
    gpus, cpus = (tf.config.list_logical_devices(kind) for kind in ("GPU", "CPU"))
    if choice == "mirrored" or (choice == "auto" and len(gpus) > 1):
        cross = None if gpus else tf.distribute.ReductionToOneDevice()  # several steps a call hang on CPUs otherwise
        return tf.distribute.MirroredStrategy([d.name for d in gpus or cpus], cross_device_ops=cross)
    if choice == "tpu":
        return _tpu()
    return tf.distribute.get_strategy()


def _tpu() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
    except (ValueError, tf.errors.OpError) as error:
        line = str(error).splitlines()[0]
        raise UsageError(
            f"Expected a TPU for --distribution=tpu, found none ({line}). Use --distribution=auto."
        ) from None
    return tf.distribute.TPUStrategy(resolver)


def use_xla(choice: str, strategy: tf.distribute.Strategy, batch_norm: str) -> bool:
    """Whether the trainer compiles its gradients. "auto": on GPUs; a TPU compiles the whole step by itself; a CPU's
    plain graph with oneDNN is several times faster than XLA's.

    Raises:
        UsageError: "on" with synchronised batch norm, whose exchange between replicas XLA cannot compile here.
    """
    if isinstance(strategy, tf.distribute.TPUStrategy):
        return False
    if batch_norm != "synchronised":
        return choice == "on" or (choice == "auto" and bool(tf.config.list_logical_devices("GPU")))
    if choice == "on":
        raise UsageError("--jit=on cannot compile batch_norm=synchronised: use --jit=off or --config.batch_norm=local.")
    if choice == "auto":
        logging.info("batch_norm=synchronised cannot be compiled by XLA: running the plain graph.")
    return False


def precision(choice: str, *, convolutional: bool) -> str:
    """The dtype policy of a network. A mixed one leaves convolutions in float32 on a CPU without instructions for
    products of its 16-bit floats: oneDNN's convolutions of bfloat16 take about one and a half times as long there.
    """
    slow = not tf.config.list_logical_devices("GPU") and not tf.config.list_logical_devices("TPU")
    return "float32" if convolutional and slow and not _multiplies(choice) else choice


def _multiplies(choice: str) -> bool:
    short = {"mixed_bfloat16": "bf16", "mixed_float16": "fp16"}.get(choice)
    try:
        return bool({f"amx_{short}", f"avx512_{short}"} & set(CPU.read_text().split()))
    except OSError:
        return False


def check(strategy: tf.distribute.Strategy, config: Mapping) -> None:
    """Raises UsageError for what the strategy cannot do."""
    replicas, batch_size, parts = strategy.num_replicas_in_sync, config["batch_size"], config["accumulate"]
    steps_per_execution = config["steps_per_execution"]
    if batch_size % (replicas * parts):
        raise UsageError(
            f"Expected batch_size to be a multiple of {replicas * parts}, {replicas} replicas by {parts} parts each, "
            f"given {batch_size}. Set --config.batch_size or --config.accumulate."
        )
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) and steps_per_execution > 1:
        raise UsageError(f"Expected steps_per_execution to be 1 with several workers, given {steps_per_execution}.")


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes."""
    resolver = strategy.cluster_resolver
    if not resolver or not resolver.task_type:
        return True
    return resolver.task_type == "chief" or (resolver.task_type == "worker" and resolver.task_id == 0)
