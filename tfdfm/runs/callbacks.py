"""The callbacks of a run: metrics, samples, checkpoints, progress, clean stops.

All are driven by `keras.Model.fit` and see a step only at the end of a call of `steps_per_execution` steps. What is due
is a function of the step alone, so a resumed run writes what the run that was never stopped writes.
"""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from tfdfm import images, stores
from tfdfm.errors import Diverged
from tfdfm.progress import left
from tfdfm.runs.checkpoints import Checkpoints
from tfdfm.runs.metrics_log import MetricsLog, TensorBoard
from tfdfm.runs.monitoring import keep_best
from tfdfm.runs.signals import Signals
from tfdfm.runs.starts import Warnings

_FLAGS = ("first_bad_step", "first_bad_term")  # in the logs, but no metrics
_SATURATED = 5  # lines in a row
_SYMBOLS = {"generator": "G", "discriminator": "D", "denoiser": "r", "separator": "F"}


def callbacks(
    run_dir: str | os.PathLike,
    config: Mapping,
    checkpoints: Checkpoints,
    signals: Signals,
    *,
    chief: bool,
    first_step: int,
    warnings: Warnings,
    scorers: Sequence[keras.callbacks.Callback] = (),
    shown: np.ndarray | None = None,
    more: Sequence[keras.callbacks.Callback] = (),
) -> list[keras.callbacks.Callback]:
    """What `fit` needs, in the order that makes a checkpoint the last thing written for its step.

    Args:
      config: holds batch_size (global), n_critic, steps, log_every, sample_every, checkpoint_every, score_every.
      checkpoints: of all variables of the trainer, restored.
      signals: entered by the caller, who asks it afterwards what was received.
      chief: whether this process writes.
      first_step: steps done before; the metrics of later ones are cut off.
      warnings: what is said once of a run.
      scorers: those that add scores to the logs.
      shown: uint8 [N, H, W, C] of the data, to be drawn beside their reconstructions where there is an encoder.
      more: those that come after all is written, of a process that writes.
    """
    run_dir = Path(run_dir)
    tensorboard = TensorBoard(run_dir / "tensorboard", first_step) if chief else None
    log = MetricsLog(run_dir / "metrics.jsonl", first_step) if chief else None
    run = [StopOnBadLoss(checkpoints), signals, *scorers]
    run += [Metrics(log, tensorboard, config, warnings)] if chief else []
    run += [Samples(run_dir / "samples", tensorboard, config, shown), Save(checkpoints, log, config)]
    return run + ([Progress(config), *more] if chief else [])


class StopOnBadLoss(keras.callbacks.Callback):
    """Ends the run with `Diverged` at the first loss that is not finite; nothing is written after it."""

    def __init__(self, checkpoints: Checkpoints):
        super().__init__()
        self._checkpoints = checkpoints

    def on_train_batch_end(self, batch: int, logs: Mapping) -> None:
        step = int(_number(logs["first_bad_step"]))
        if step >= 0:
            term = self.model.in_order(logs.keys() - set(_FLAGS))[int(_number(logs["first_bad_term"]))]
            raise _diverged(f"the loss {term}", step, self._checkpoints)


class Metrics(keras.callbacks.Callback):
    """The logs of the first, each `log_every`-th, each tested or scored and the last step.

    To metrics.jsonl and TensorBoard. Adds images_seen and images_per_second, the rate since the last line; the first
    call, which traces, does not count, and the rate is null where nothing else was.
    """

    def __init__(self, log: MetricsLog, tensorboard: TensorBoard, config: Mapping, warnings: Warnings):
        super().__init__()
        self._log, self._tensorboard, self._config, self._warnings = log, tensorboard, config, warnings
        self._since: tuple[float, int] | None = None
        self._perfect = 0

    def on_train_batch_end(self, batch: int, logs: Mapping) -> None:
        step, now = _step(self.model), time.monotonic()
        if self.model.schedule.logged(step):
            size = _images_a_step(self._config)
            rate = (step - self._since[1]) * size / (now - self._since[0]) if self._since else None
            values = {name: _number(value) for name, value in logs.items() if name not in _FLAGS}
            values |= {"images_seen": step * size, "images_per_second": rate}
            self._log.write(step, values)
            self._tensorboard.scalars(step, values)
            self._watch(step, values)
            self._since = None
        self._since = self._since or (now, step)

    def _watch(self, step: int, values: Mapping) -> None:
        """A word, once, when D saturates: then it tells G little."""
        accuracies = [values.get(f"discriminator/accuracy_{of}") or 0 for of in ("data", "samples")]
        self._perfect = self._perfect + 1 if min(accuracies) >= 0.99 else 0
        if self._perfect == _SATURATED:
            text = f"D saturates, right on 99 % of data and samples at {_SATURATED} lines in a row."
            self._warnings.say(step, "saturation", text)


class Samples(keras.callbacks.Callback):
    """Writes the trainer's `grid` to `directory` at each `sample_every`-th and the last step.

    Where images of the data are given, also one of these, each beside its reconstruction. Every worker draws them,
    as drawing may need all; the one with a `tensorboard` writes.
    """

    def __init__(self, directory: Path, tensorboard: TensorBoard | None, config: Mapping, shown: np.ndarray | None):
        super().__init__()
        self._directory, self._tensorboard, self._config, self._shown = directory, tensorboard, config, shown

    def on_train_batch_end(self, batch: int, logs: Mapping) -> None:
        step = _step(self.model)
        if self.model.schedule.due("sample", step):
            self._show(step, "step", "samples", images.grid(images.to_uint8(self.model.grid())))
            if self._shown is not None:
                found = images.to_uint8(self.model.reconstructions(self._shown))
                pairs = np.stack([self._shown, found], axis=1).reshape(-1, *found.shape[1:])  # [2 N, H, W, C]
                self._show(step, "reconstructions", "reconstructions", images.grid(pairs, columns=8))

    def _show(self, step: int, file: str, tag: str, grid: np.ndarray) -> None:
        if self._tensorboard:
            images.write_png(self._directory / f"{file}_{step:07d}.png", grid)
            self._tensorboard.image(step, grid, tag)


class Save(keras.callbacks.Callback):
    """Saves the state at each `checkpoint_every`-th, each scored and the last step, and where the run is told to stop.

    The one of the best score is kept: as a copy, so it is never of a step that a resumed run has yet to do.
    """

    def __init__(self, checkpoints: Checkpoints, log: MetricsLog | None, config: Mapping):
        super().__init__()
        self._checkpoints, self._log, self._config = checkpoints, log, config

    def on_train_batch_end(self, batch: int, logs: Mapping) -> None:
        step = _step(self.model)
        scored = self.model.schedule.due("score", step)
        if scored or self.model.schedule.due("checkpoint", step) or self.model.stop_training:
            if name := self._checkpoints.not_finite():  # its loss would be seen only in the next step
                raise _diverged(f"the variable {name}", step, self._checkpoints)
            if self._log:
                self._log.sync()  # a checkpoint stands for all lines up to its step
            self._checkpoints.save(step)
            if self._log and scored:
                keep_best(self._log.path, self._checkpoints, step)
            if self._log:
                stores.send_if_possible()


class Progress(keras.callbacks.Callback):
    """One line, rewritten, on a terminal; otherwise a plain line every ten seconds."""

    def __init__(self, config: Mapping):
        super().__init__()
        self._config = config
        self._since: tuple[float, int] | None = None  # the end of the first call, which traces
        self._shown = -1e9

    def on_train_batch_end(self, batch: int, logs: Mapping) -> None:
        step, now, terminal = _step(self.model), time.monotonic(), sys.stdout.isatty()
        self._since = self._since or (now, step)
        last = step >= self._config["steps"] or self.model.stop_training
        if last or now - self._shown >= (0.2 if terminal else 10):
            self._shown = now
            _show(f"{self._where(step, now)}  {_losses(self.model.loss_names, logs)}", terminal, last)

    def _where(self, step: int, now: float) -> str:
        steps, (start, first) = self._config["steps"], self._since
        text = f"step {step}/{steps}"
        if step == first:
            return text
        seconds = (now - start) / (step - first)
        return f"{text}  {_images_a_step(self._config) / seconds:.0f} images/s  {left(seconds * (steps - step))} left"


def _losses(names: list[str], logs: Mapping) -> str:
    """G nonsaturating 1.12 dfm 0.0152  D data 0.158 samples 0.428  r dfm 395"""
    players = {}
    for name in names:
        player, term = name.split("/")
        players.setdefault(_SYMBOLS.get(player, player), []).append(f"{term} {_number(logs[name]):.3g}")
    return "  ".join(" ".join([player, *terms]) for player, terms in players.items())


def _show(line: str, terminal: bool, last: bool) -> None:
    if terminal:
        line = "\r" + line[: shutil.get_terminal_size().columns - 1] + "\x1b[K"
    with contextlib.suppress(OSError):  # a run outlives its terminal
        print(line, end="" if terminal and not last else "\n", flush=True)


def _images_a_step(config: Mapping) -> int:
    return config["batch_size"] * config["n_critic"]


def _diverged(what: str, step: int, checkpoints: Checkpoints) -> Diverged:
    return Diverged(
        f"Step {step}: {what} is not finite; stopped, nothing saved since. Last good checkpoint: "
        f"{checkpoints.latest() or 'none yet'}. Use a lower learning rate or --precision=float32, in another --run_dir."
    )


def _number(value: object) -> float:
    """A log value, [] or [1], as a float."""
    return float(np.reshape(value, -1)[0])


def _step(trainer: keras.Model) -> int:
    return int(trainer.step.numpy())
