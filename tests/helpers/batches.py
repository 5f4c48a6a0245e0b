"""A machine for the tests of batching: a run is a function, requests come while another one is under way."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tfdfm.serving.models.batching import Queue, QueueOptions


class Machine:
    """Doubles its input when the gate is open; keeps what it was given. Counts its users."""

    def __init__(self, gate_open=True, run=lambda feeds: [2 * feeds[0]]):
        self.calls, self.rows, self.waited, self.users, self._run = [], [], [], 0, run
        self.gate, self.entered = threading.Event(), threading.Semaphore(0)
        if gate_open:
            self.gate.set()

    def __call__(self, feeds):
        self.calls.append([feed.tolist() for feed in feeds])
        self.entered.release()
        assert self.gate.wait(60)
        return self._run(feeds)

    def started(self, rows, waited):
        self.users += 1
        self.rows.append(rows)
        self.waited.append(waited)

    def release(self):
        self.users -= 1


def run(test, machine, **limits):
    """test(queue) on an event loop."""

    async def main():
        with ThreadPoolExecutor(4) as executor:
            queue = Queue(machine, QueueOptions(**limits), executor, machine.started, machine.release)
            try:
                return await test(queue)
            finally:
                machine.gate.set()
                while machine.users:  # pieces of a request that was refused for another piece
                    await asyncio.sleep(0.001)

    value = asyncio.run(main())
    assert machine.users == 0
    return value


def ask(queue, *values, rows=None):
    feed = np.array(values, np.float32)
    return asyncio.ensure_future(queue([feed], len(feed) if rows is None else rows))


async def behind(queue, machine, *requests):
    """The answers of requests that came while another one (value 0) was run."""
    first = ask(queue, 0)
    await asyncio.to_thread(machine.entered.acquire)
    tasks = [ask(queue, *values) for values in requests]
    await asyncio.sleep(0)
    machine.gate.set()
    await first
    return await asyncio.gather(*tasks, return_exceptions=True)


def lists(answers):
    return [answer if isinstance(answer, Exception) else answer[0].tolist() for answer in answers]
