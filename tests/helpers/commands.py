"""Commands as a user runs them, on the smallest run that still has everything, and what a run leaves behind."""

import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import tensorflow as tf

from tfdfm import cli
from tfdfm import train as training
from tfdfm.runs import metrics_log

TOY = {
    "generator.width": 4,
    "discriminator.width": 4,
    "denoiser.depth": 2,
    "denoiser.width": 128,
    "latent_size": 8,
    "batch_size": 8,
    "steps_per_execution": 1,
    "log_every": 2,
    "sample_every": 100,
    "checkpoint_every": 20,
    "score_every": 0,
    "ema_decay": 0.9,
}


def flags(**changes) -> list[str]:
    """--config.KEY=VALUE of the toy, `__` for a dot: optimizer__learning_rate=1. Terms without dfm have no denoiser."""
    changed = TOY | {key.replace("__", "."): value for key, value in changes.items()}
    if "dfm" not in str(changed.get("terms", "dfm")).split(","):
        changed = {key: value for key, value in changed.items() if not key.startswith("denoiser.")}
    return [f"--config.{key}={value}" for key, value in changed.items()]


def train(run_dir, *more: str, **changes) -> list[str]:
    """The arguments of a training command; `python -m tfdfm.train` in front of them."""
    return [sys.executable, "-m", "tfdfm.train", f"--run_dir={run_dir}", *flags(**changes), *more]


def maker(folder: Path, **always):
    """make(name, **changes): the directory of a run of the toy, trained in this process once for each of both."""
    done = {}

    def make(name: str = "", **changes) -> Path:
        key = name, json.dumps(changes)
        if key not in done:
            done[key] = folder / (name or str(len(done)))
            arguments = [*flags(**always | changes), f"--run_dir={done[key]}"]
            training.main(cli.parse(["", *arguments], training.define, ""))
        return done[key]

    return make


def run(command: list, code: int = 0, timeout: int = 300, **how) -> subprocess.CompletedProcess:
    """Runs it to its end, which must be `code`."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=timeout, check=False, **how)
    assert done.returncode == code, f"{done.returncode}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done


def checkpoints(run_dir) -> list[Path]:
    """Oldest first."""
    return sorted((Path(run_dir) / "checkpoints").glob("[0-9]*"))


def state(checkpoint: Path) -> dict[str, bytes]:
    """Every variable of a checkpoint, to the bit."""
    bundle = tf.train.load_checkpoint(os.fspath(checkpoint / "state"))
    return {name: bundle.get_tensor(name).tobytes() for name in bundle.get_variable_to_shape_map()}


def lines(run_dir) -> list[dict]:
    """metrics.jsonl without what depends on the clock."""
    return [row | {"images_per_second": 0} for row in metrics_log.read(Path(run_dir) / "metrics.jsonl")]


def change(run_dir, **changes) -> None:
    """Keys of a run's config.json, as one who edits it would."""
    path = Path(run_dir) / "config.json"
    stored = json.loads(path.read_text()) | changes
    del stored["sha256"]
    path.write_text(json.dumps(stored))


def assert_same(run_dir, other):
    """The same newest weights, optimisers and counters, and the same metrics."""
    one, two = (checkpoints(directory)[-1] for directory in (run_dir, other))
    assert one.name == two.name
    one, two = state(one), state(two)
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []
    assert lines(run_dir) == lines(other)


def die_at(directory: str, event: str, part: str, count: int):
    """Ends this process with SIGKILL at the n-th file operation of that kind below a directory."""
    left = [count]

    def hook(name, arguments):
        if name == event and directory in str(arguments) and part in str(arguments):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


if __name__ == "__main__":  # DIRECTORY EVENT PART COUNT MODULE --flag=value ...
    die_at(*sys.argv[1:4], int(sys.argv[4]))
    sys.argv[:] = sys.argv[5:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
