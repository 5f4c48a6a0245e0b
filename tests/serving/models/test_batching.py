"""Requests that wait are merged; what one of them does wrong harms no other. No TensorFlow: a run is a function."""

import asyncio

import grpc
import numpy as np
import pytest
from batches import Machine, ask, behind, lists, run
from hypothesis import given
from hypothesis import strategies as st
from searching import examples

from tfdfm.serving.status import StatusError, invalid


def test_one_alone_does_not_wait():
    machine = Machine()
    assert lists([run(lambda queue: ask(queue, 1, 2), machine)]) == [[2, 4]]
    assert machine.calls == [[[1, 2]]] and machine.rows == [2] and len(machine.waited[0]) == 1


def test_those_that_wait_are_merged_and_answered_apart():
    machine = Machine(gate_open=False)
    answers = run(lambda queue: behind(queue, machine, [1], [2, 3], [4]), machine)
    assert lists(answers) == [[2], [4, 6], [8]]
    assert machine.calls == [[[0]], [[1, 2, 3, 4]]] and machine.rows == [1, 4] and len(machine.waited[1]) == 3


def test_a_run_is_no_larger_than_allowed():
    machine = Machine(gate_open=False)
    answers = run(lambda queue: behind(queue, machine, [1, 2], [3], [4], [5, 6, 7]), machine, max_run=3)
    assert lists(answers) == [[2, 4], [6], [8], [10, 12, 14]]
    assert machine.calls[1:] == [[[1, 2, 3]], [[4]], [[5, 6, 7]]]


def test_nothing_is_merged_unless_asked_for():
    machine = Machine(gate_open=False)
    assert lists(run(lambda queue: behind(queue, machine, [1], [2]), machine, merge=False)) == [[2], [4]]
    assert machine.calls == [[[0]], [[1]], [[2]]]


def test_other_dimensions_have_to_agree():
    machine = Machine(gate_open=False)

    async def test(queue):
        return await behind(queue, machine, [[1, 2]], [[3, 4]], [[5]])

    assert lists(run(test, machine)) == [[[2, 4]], [[6, 8]], [[10]]]
    assert machine.calls[1:] == [[[[1, 2], [3, 4]]], [[[5]]]]


def test_what_cannot_be_merged_runs_alone():
    machine = Machine(gate_open=False)

    async def test(queue):
        first = ask(queue, 0)
        await asyncio.to_thread(machine.entered.acquire)
        tasks = [ask(queue, 1, rows=0), ask(queue, 2), ask(queue, 3, rows=0)]
        machine.gate.set()
        return await asyncio.gather(first, *tasks)

    assert lists(run(test, machine)) == [[0], [2], [4], [6]]
    assert len(machine.calls) == 4


def test_padding_repeats_the_first_row():
    machine = Machine(gate_open=False)
    answers = run(lambda queue: behind(queue, machine, [1, 2], [3]), machine, sizes=(2, 8), max_run=8)
    assert lists(answers) == [[2, 4], [6]]
    assert machine.calls == [[[0, 0]], [[1, 2, 3, 1, 1, 1, 1, 1]]] and machine.rows == [1, 3]


def test_one_bad_request_harms_no_other():
    def root(feeds):
        if (feeds[0] < 0).any():
            raise invalid(f"below zero in {len(feeds[0])} rows")
        return [np.sqrt(feeds[0])]

    machine = Machine(gate_open=False, run=root)
    good, bad, other = run(lambda queue: behind(queue, machine, [4], [-1], [9]), machine)
    assert lists([good, other]) == [[2], [3]]
    assert isinstance(bad, StatusError) and bad.message == "below zero in 1 rows"


def test_outputs_without_a_row_for_each_row_are_made_again_alone():
    machine = Machine(gate_open=False, run=lambda feeds: [feeds[0].sum(keepdims=True)])
    assert lists(run(lambda queue: behind(queue, machine, [1, 2], [3, 4]), machine)) == [[3], [7]]
    assert len(machine.calls) == 4


def test_padding_is_left_out_where_it_shows():
    machine = Machine(run=lambda feeds: [feeds[0].sum(keepdims=True)])
    assert lists([run(lambda queue: ask(queue, 1, 2, 3), machine, sizes=(4, 8), max_run=8)]) == [[6]]


def test_what_breaks_is_told_to_those_whom_it_concerns():
    def broken(feeds):
        raise MemoryError("no more") if len(feeds[0]) == 1 and feeds[0][0] else ValueError("merged")

    machine = Machine(gate_open=False, run=broken)

    async def test(queue):
        answers = asyncio.gather(ask(queue, 1), ask(queue, 2), return_exceptions=True)
        machine.gate.set()
        return await answers

    assert [type(answer) for answer in run(test, machine)] == [MemoryError] * 2


def test_a_large_request_is_split():
    machine = Machine()
    assert lists([run(lambda queue: ask(queue, *range(7)), machine, max_run=3)]) == [[0, 2, 4, 6, 8, 10, 12]]
    assert machine.calls == [[[0, 1, 2]], [[3, 4, 5]], [[6]]]


def test_of_a_refused_piece_the_others_are_forgotten():
    def root(feeds):
        if (feeds[0] < 0).any():
            raise invalid("below zero")
        return [np.sqrt(feeds[0])]

    async def test(queue):
        with pytest.raises(StatusError, match="below zero"):
            await ask(queue, -1, *range(19))
        return await ask(queue, 9)

    machine = Machine(run=root)
    assert lists([run(test, machine, max_run=2)]) == [[3]]
    assert len(machine.calls) <= 3 and machine.calls[-1] == [[9]]  # one may have begun by then


def test_a_request_may_be_too_large():
    with pytest.raises(StatusError, match="at most 4 rows.*batch size of 5") as caught:
        run(lambda queue: ask(queue, *range(5)), Machine(), max_rows=4)
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT


def test_a_full_queue_is_said_to_be_full():
    machine = Machine(gate_open=False)
    *taken, late = run(lambda queue: behind(queue, machine, [1, 2], [3], [4]), machine, max_waiting=3)
    assert lists(taken) == [[2, 4], [6]]
    assert isinstance(late, StatusError) and late.code == grpc.StatusCode.RESOURCE_EXHAUSTED and "full" in late.message


def test_who_no_longer_waits_makes_room():
    machine = Machine(gate_open=False)

    async def test(queue):
        first = ask(queue, 0)
        await asyncio.to_thread(machine.entered.acquire)
        gone = ask(queue, 1, 2, 3)
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        second = ask(queue, 4, 5, 6)
        await asyncio.sleep(0)
        machine.gate.set()
        return await asyncio.gather(first, second)

    assert lists(run(test, machine, max_waiting=3)) == [[0], [8, 10, 12]]
    assert machine.calls == [[[0]], [[4, 5, 6]]]


def test_cancelling_during_the_run_leaves_the_others_their_answer():
    machine = Machine(gate_open=False)

    async def test(queue):
        first = ask(queue, 0)
        await asyncio.to_thread(machine.entered.acquire)
        gone, stays = ask(queue, 1), ask(queue, 2)
        await asyncio.sleep(0)
        machine.gate.set()
        await first
        gone.cancel()
        return await stays

    assert lists([run(test, machine)]) == [[4]]


def test_several_runs_at_a_time():
    machine = Machine(gate_open=False)

    async def test(queue):
        tasks = [ask(queue, value) for value in (1, 2)]
        for _ in tasks:
            await asyncio.to_thread(machine.entered.acquire)
        machine.gate.set()
        return await asyncio.gather(*tasks)

    assert lists(run(test, machine, threads=2)) == [[2], [4]]


def test_a_timeout_waits_for_more_but_not_for_ever():
    machine = Machine()

    async def test(queue):
        first = ask(queue, 1)
        await asyncio.sleep(0)
        assert machine.calls == []
        return await asyncio.gather(first, ask(queue, 2))

    assert lists(run(test, machine, timeout=0.5)) == [[2], [4]]
    assert machine.calls == [[[1, 2]]]


def test_a_full_run_does_not_wait():
    assert lists([run(lambda queue: ask(queue, 1, 2), Machine(), timeout=3600, max_run=2)]) == [[2, 4]]


REQUESTS = st.lists(st.lists(st.integers(-4, 100), min_size=1, max_size=9), min_size=1, max_size=8)


@examples(60)
@given(requests=REQUESTS, sizes=st.lists(st.integers(1, 12), unique=True).map(sorted), merge=st.booleans())
def test_however_requests_are_merged_split_and_padded_each_has_the_answer_that_it_has_alone(requests, sizes, merge):
    """Where one is bad, it alone is refused."""

    def root(feeds):
        if (feeds[0] < 0).any():
            raise invalid("below zero")
        return [np.sqrt(feeds[0]), feeds[0][:, None] + [0, 1]]

    machine = Machine(gate_open=False, run=root)
    limits = {"merge": merge, "max_run": sizes[-1] if sizes else 5, "sizes": tuple(sizes)}
    answers = run(lambda queue: behind(queue, machine, *requests), machine, **limits)
    for values, answer in zip(requests, answers, strict=True):
        if min(values) < 0:
            assert isinstance(answer, StatusError) and answer.message == "below zero"
        else:
            expected = root([np.array(values, np.float32)])
            assert all(map(np.array_equal, answer, expected)) and len(answer) == 2
    forgotten = merge and any(len(values) > limits["max_run"] and min(values) < 0 for values in requests)  # in part
    ran, asked = sum(machine.rows), sum(map(len, requests)) + 1
    assert (ran <= asked if forgotten else ran == asked) and (not merge or max(machine.rows) <= limits["max_run"])
    if sizes and merge and min(map(min, requests)) >= 0:
        assert {len(call[0]) for call in machine.calls} <= set(sizes)
