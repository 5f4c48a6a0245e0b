"""After a run of several requests the next one waits for as many, while they come, and never long."""

import asyncio
import time

from batches import Machine, ask, behind, lists, run

SECONDS = 0.4  # of a run of several


def slow(feeds):
    time.sleep(SECONDS * (len(feeds[0]) > 1))
    return [2 * feeds[0]]


def test_those_that_were_answered_are_waited_for():
    machine = Machine(gate_open=False, run=slow)

    async def test(queue):
        await behind(queue, machine, [1], [2], [3])
        tasks = [ask(queue, 4), ask(queue, 5)]
        await asyncio.sleep(0)
        assert machine.rows == [1, 3]  # of three, two have come
        return await asyncio.gather(*tasks, ask(queue, 6))

    assert lists(run(test, machine)) == [[8], [10], [12]]
    assert machine.rows == [1, 3, 3]


def test_a_full_run_waits_for_none():
    machine = Machine(gate_open=False, run=slow)

    async def test(queue):
        await behind(queue, machine, [1], [2], [3])
        task = ask(queue, 4, 5, 6)
        await asyncio.sleep(0)
        assert machine.rows == [1, 3, 3]
        await task

    run(test, machine, max_run=3)


def test_when_they_stay_away_one_goes_alone_and_the_next_at_once():
    machine = Machine(gate_open=False, run=slow)

    async def test(queue):
        await behind(queue, machine, [1], [2], [3])
        ended = time.monotonic()
        assert lists([await ask(queue, 4)]) == [[8]]
        assert time.monotonic() - ended > SECONDS / 8  # it was waited for others
        task = ask(queue, 5)
        await asyncio.sleep(0)
        assert machine.rows == [1, 3, 1, 1]
        await task

    run(test, machine)


def test_a_stream_without_end_is_not_gathered_for_longer_than_the_run_took():
    machine = Machine(gate_open=False, run=slow)

    async def test(queue):
        await behind(queue, machine, *([value] for value in range(1, 9)))
        tasks = []
        while len(machine.rows) == 2:  # one before each quarter of the time is over
            tasks.append(ask(queue, len(tasks)))
            await asyncio.sleep(SECONDS / 6)
        assert len(tasks) < 8
        await asyncio.gather(*tasks)

    run(test, machine)
