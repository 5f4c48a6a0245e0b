"""The steps at which a run logs, samples, tests, scores and saves."""

import math
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import tensorflow as tf

Step: TypeAlias = int | tf.Tensor  # finished steps; the answers are a bool, or a bool tensor []


class Schedule(NamedTuple):
    """A recipe's keys of these names. A step counts once it is finished; `*_every` of 0 is never.

    `steps_per_execution` is the most that one call runs, for speed alone.
    """

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

    def calls(self, first: int) -> list[tuple[int, int, int]]:
        """(from, to, steps a call) of the parts in which the steps after `first` run: each event is at a call's end.

        Parts that do not divide run step by step. In the plain graph over several replicas the length of a call changes
        last bits: a run whose parts end elsewhere is the same to rounding there, and to the bit anywhere else.
        """
        events = (self.log_every, self.sample_every, self.checkpoint_every, self.test_every, self.score_every)
        size = math.gcd(self.steps_per_execution, *events)
        start, stop = min(-(-first // size) * size, self.steps), self.steps // size * size
        parts = [(first, start, 1), (start, stop, size), (max(start, stop), self.steps, 1)]
        return [part for part in parts if part[0] < part[1]]

    def due(self, event: str, step: Step) -> bool | tf.Tensor:
        """Whether "log", "sample", "checkpoint", "test" or "score" falls on `step`: all that ever does, on the last."""
        every = getattr(self, f"{event}_every")
        return bool(every) and (step % every == 0) | (step >= self.steps)

    def logged(self, step: Step) -> bool | tf.Tensor:
        """Whether metrics are written: also at the end of a first whole call, and where there is a test or a score."""
        first = step == self.steps_per_execution
        return first | self.due("log", step) | self.due("test", step) | self.due("score", step)
