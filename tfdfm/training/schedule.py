"""The steps at which a run logs, samples, tests, scores and saves."""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import tensorflow as tf

Step: TypeAlias = int | tf.Tensor  # finished steps; the answers are a bool, or a bool tensor []


class Schedule(NamedTuple):
    """A recipe's keys of these names. A step counts once it is finished; `*_every` of 0 is never."""

    steps: int
    steps_per_execution: int = 1
    log_every: int = 0
    sample_every: int = 0
    checkpoint_every: int = 0
    test_every: int = 0
    score_every: int = 0

    @classmethod
    def of(cls, config: Mapping) -> "Schedule":
        return cls(**{name: config[name] for name in cls._fields})

    def due(self, event: str, step: Step) -> bool | tf.Tensor:
        """Whether "log", "sample", "checkpoint", "test" or "score" falls on `step`: all that ever does, on the last."""
        every = getattr(self, f"{event}_every")
        return bool(every) and (step % every == 0) | (step >= self.steps)

    def logged(self, step: Step) -> bool | tf.Tensor:
        """Whether metrics are written: also at the end of the first call, and wherever there is a test or a score."""
        first = step == self.steps_per_execution
        return first | self.due("log", step) | self.due("test", step) | self.due("score", step)
