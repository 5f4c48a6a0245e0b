"""Batching: a queue for each version and signature, whose waiting requests are merged into one run."""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

import grpc
import numpy as np

from tfdfm.errors import UsageError
from tfdfm.serving.status import StatusError, invalid

Arrays = list[np.ndarray]
Run = Callable[[Arrays], Arrays]
OnStart, OnEnd = Callable[[int, list[float]], None], Callable[[], None]


@dataclass(frozen=True)
class QueueOptions:
    """As TF Serving's BatchingParameters. Without a file: large requests are split, alone ones never wait."""

    merge: bool = True
    max_rows: int = 1024  # of one request
    max_run: int = 64  # of one run
    timeout: float = 0.0  # seconds that a run which is not full waits for more
    max_waiting: int = 640  # rows
    threads: int = 1  # runs of one queue at the same time
    sizes: tuple[int, ...] = ()

    def padded(self, rows: int) -> int:
        """The next allowed size."""
        return next((size for size in self.sizes if size >= rows), rows)


UNMERGED = QueueOptions(merge=False, threads=os.cpu_count() or 1)


def queue_options(parameters) -> QueueOptions:
    """From BatchingParameters, with TF Serving's defaults. Raises UsageError."""

    def value(name: str, default: int) -> int:
        given = getattr(parameters, name).value if parameters.HasField(name) else default
        if given < (0 if name == "batch_timeout_micros" else 1):
            raise UsageError(f"Expected a positive {name} in the batching parameters, given {given}.")
        return given

    rows = value("max_batch_size", 1000)
    split = parameters.enable_large_batch_splitting.value
    run = min(value("max_execution_batch_size", rows), rows) if split else rows
    sizes = tuple(parameters.allowed_batch_sizes)
    if sizes and (sizes[-1] != run or sizes[0] < 1 or list(sizes) != sorted(set(sizes))):
        limit = "max_execution_batch_size" if split else "max_batch_size"
        raise UsageError(f"Expected rising allowed_batch_sizes that end with {limit} = {run}, given {list(sizes)}.")
    waiting = value("max_enqueued_batches", 10) * run
    threads = value("num_batch_threads", os.cpu_count() or 1)
    return QueueOptions(True, rows, run, value("batch_timeout_micros", 0) / 1e6, waiting, threads, sizes)


@dataclass(eq=False)
class _Task:
    feeds: Arrays
    rows: int  # 0: runs alone
    answer: asyncio.Future
    since: float = field(default_factory=time.monotonic)

    def merges_with(self, other: "_Task") -> bool:
        same = all(a.shape[1:] == b.shape[1:] for a, b in zip(self.feeds, other.feeds, strict=True))
        return same and self.rows > 0 and other.rows > 0


class Queue:
    """Belongs to the event loop; only `_execute` is called in a thread of the executor."""

    def __init__(self, run: Run, options: QueueOptions, executor: Executor, started: OnStart, ended: OnEnd):
        """`started(rows, seconds that each request waited)` and `ended()` are told of each run."""
        self._run, self._options, self._executor = run, options, executor
        self._on_start, self._on_end = started, ended
        self._waiting: deque[_Task] = deque()
        self._rows = 0  # of the waiting
        self._running = 0
        self._expected = 0  # requests, after a run of several: the clients that it answered are likely to ask again
        self._took = self._ended = self._came = 0.0  # seconds of the last run; when it ended; when a request came
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, feeds: Arrays, rows: int) -> Arrays:
        """The outputs of a request of `rows` rows (0: not to be merged). Raises StatusError."""
        if rows > self._options.max_rows:
            raise invalid(f"Expected at most {self._options.max_rows} rows in a request, given a batch size of {rows}.")
        if rows <= self._options.max_run or not self._options.merge:
            return await self._add([(feeds, rows)])[0]
        starts = range(0, rows, self._options.max_run)
        pieces = [[feed[start : start + self._options.max_run] for feed in feeds] for start in starts]
        answers = self._add([(piece, len(piece[0])) for piece in pieces])
        try:
            parts = await asyncio.gather(*answers)
        finally:  # of a refused piece the others wait in vain
            for answer in answers:
                answer.cancel()
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _add(self, requests: list[tuple[Arrays, int]]) -> list[asyncio.Future]:
        self._drop()
        rows = sum(max(1, rows) for _, rows in requests)
        if self._waiting and self._rows + rows > self._options.max_waiting:
            raise StatusError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"The batch scheduling queue to which this request was submitted is full: {self._rows} rows wait.",
            )
        loop = asyncio.get_running_loop()
        tasks = [_Task(feeds, rows, loop.create_future()) for feeds, rows in requests]
        self._waiting.extend(tasks)
        self._rows += rows
        self._came = time.monotonic()
        self._start()
        return [task.answer for task in tasks]

    def _start(self) -> None:
        while self._waiting and self._running < self._options.threads:
            batch = self._take()
            if not batch:
                return
            self._running += 1
            now = time.monotonic()
            self._on_start(max(1, sum(task.rows for task in batch)), [now - task.since for task in batch])
            run = asyncio.get_running_loop().run_in_executor(self._executor, self._execute, batch)
            run.add_done_callback(lambda done, batch=batch, start=now: self._finish(batch, start, done.result()))

    def _take(self) -> list[_Task]:
        """The requests at the head that go together; none when it pays to wait for more."""
        self._drop()
        if self._gathers():
            return []
        batch, rows = [], 0
        for task in self._waiting:
            alone = not self._options.merge or rows + task.rows > self._options.max_run
            if batch and (alone or not task.merges_with(batch[0])):
                break
            batch.append(task)
            rows += task.rows
        if not batch or self._waits(batch, rows):
            return []
        for task in batch:
            self._waiting.popleft()
            self._rows -= max(1, task.rows)
        return batch

    def _drop(self) -> None:
        """Forgets who no longer waits: deadlines passed, connections cut."""
        if any(task.answer.done() for task in self._waiting):
            self._waiting = deque(task for task in self._waiting if not task.answer.done())
            self._rows = sum(max(1, task.rows) for task in self._waiting)

    def _waits(self, batch: list[_Task], rows: int) -> bool:
        if not self._options.timeout or not rows or rows >= self._options.max_run or len(batch) < len(self._waiting):
            return False
        return self._later(batch[0].since + self._options.timeout)

    def _gathers(self) -> bool:
        """Whether those that ask again are still coming: one large run is cheaper than two that take turns.

        No longer than the last run took, and no longer than a quarter of that after the last request.
        """
        if len(self._waiting) >= self._expected or self._rows >= self._options.max_run:
            return False
        return self._later(min(self._ended + self._took, max(self._ended, self._came) + self._took / 4))

    def _later(self, moment: float) -> bool:
        """Whether it is yet to come; `_start` is called again then."""
        left = moment - time.monotonic()
        if left > 0:
            self._timer and self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(left, self._start)
        return left > 0

    def _execute(self, batch: list[_Task]) -> list[Arrays | Exception]:
        if len(batch) > 1 or self._options.padded(batch[0].rows) > batch[0].rows > 0:
            try:
                return self._merged(batch)
            except (StatusError, ValueError):
                pass  # each alone, so that one bad request harms no other
        results = []
        for task in batch:
            try:
                results.append(self._run(task.feeds))
            except Exception as error:
                results.append(error)
        return results

    def _merged(self, batch: list[_Task]) -> list[Arrays]:
        """Raises ValueError when an output has not one row for each row of the inputs."""
        columns = list(zip(*(task.feeds for task in batch), strict=True))
        feeds = [np.concatenate(column) for column in columns]
        rows = len(feeds[0])
        if size := self._options.padded(rows) - rows:
            feeds = [np.concatenate([feed, np.repeat(feed[:1], size, axis=0)]) for feed in feeds]
        outputs = self._run(feeds)
        if any(output.shape[:1] != (rows + size,) for output in outputs):
            raise ValueError("an output without a row for each row of the inputs")
        ends = np.cumsum([task.rows for task in batch])
        return [[output[end - task.rows : end] for output in outputs] for task, end in zip(batch, ends, strict=True)]

    def _finish(self, batch: list[_Task], start: float, results: list[Arrays | Exception]) -> None:
        self._running -= 1
        self._on_end()
        self._ended = time.monotonic()
        self._took = self._ended - start
        self._expected = len(self._waiting) + len(batch) if len(batch) > 1 else 0
        for task, result in zip(batch, results, strict=True):
            if task.answer.done():
                continue
            if isinstance(result, Exception):
                task.answer.set_exception(result)
            else:
                task.answer.set_result(result)
        self._start()
