"""What a run writes of itself beside its metrics: on what it was started, and what it was warned of.

Both are lines of JSON, "step" first; those of steps that a resumed run has yet to do are cut off.
"""

import os
import platform
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from absl import logging
from tensorflow.python.util._pywrap_util_port import IsMklEnabled

from tfdfm.runs.metrics_log import MetricsLog, read
from tfdfm.version import __version__

STARTS, WARNINGS = "starts.jsonl", "warnings.jsonl"
NUMERIC = ("cpu", "cores", "gpus", "replicas", "xla", "tensorflow", "onednn")  # what the last bits of a run depend on


def started(run_dir: Path, step: int, replicas: int, jit: bool, config: Mapping) -> None:
    """Adds a line on the machine to starts.jsonl; says what is not as it was at the last start."""
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    about = machine() | {
        "gpus": [details.get("device_name", "GPU") for details in gpus],
        "replicas": replicas,
        "xla": jit,
        "precision": config["precision"],
    }
    log = MetricsLog(run_dir / STARTS, step)
    last = (read(log.path) or [about])[-1]
    if changed := [f"{key}: {last[key]} -> {about[key]}" for key in NUMERIC if last.get(key, about[key]) != about[key]]:
        logging.warning("Not as at the last start: %s. Results agree to rounding, not to the bit.", "; ".join(changed))
    log.write(step, about)
    log.sync()


def machine() -> dict[str, object]:
    """The processor, and the versions of what computes on it."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "onednn": IsMklEnabled(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "tfdfm": __version__,
    }


class Warnings:
    """Says each kind of warning once in a run, in the log and in warnings.jsonl.

    Args:
        run_dir: None: of a worker that does not write.
        first_step: steps done before; warnings of later ones are cut off, and those that are left are not said again.
    """

    def __init__(self, run_dir: Path | None, first_step: int):
        self._file = MetricsLog(run_dir / WARNINGS, first_step) if run_dir else None
        self._said = {line.get("kind") for line in read(self._file.path)} if self._file else set()

    def say(self, step: int, kind: str, text: str) -> None:
        if kind in self._said:
            return
        self._said.add(kind)
        logging.warning("Step %d: %s", step, text)
        if self._file:
            self._file.write(step, {"kind": kind, "text": text})
            self._file.sync()  # it is not said again


def _cpu() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
