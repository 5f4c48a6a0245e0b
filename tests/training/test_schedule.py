"""The schedule answers alike for numbers and for tensors."""

import pytest
import tensorflow as tf
from hypothesis import assume, given
from hypothesis import strategies as st
from searching import examples

from tfdfm.training.schedule import Schedule

SCHEDULE = Schedule(steps=10, steps_per_execution=2, log_every=4, sample_every=5, checkpoint_every=3, test_every=0)
DUE = {"log": {4, 8, 10}, "sample": {5, 10}, "checkpoint": {3, 6, 9, 10}, "test": set(), "score": set()}


@pytest.mark.parametrize("event", DUE)
@pytest.mark.parametrize("of", [int, lambda step: tf.constant(step, tf.int64)], ids=["int", "tensor"])
def test_an_event_is_due_at_its_multiples_and_at_the_last_step_or_never(event, of):
    assert {step for step in range(1, 11) if bool(SCHEDULE.due(event, of(step)))} == DUE[event]


@pytest.mark.parametrize("of", [int, lambda step: tf.constant(step, tf.int64)], ids=["int", "tensor"])
def test_the_end_of_the_first_call_and_each_test_and_score_are_logged_too(of):
    schedule = SCHEDULE._replace(test_every=3, score_every=7)
    assert [step for step in range(1, 11) if bool(schedule.logged(of(step)))] == [2, 3, 4, 6, 7, 8, 9, 10]


def test_what_is_not_asked_for_is_never_due():
    assert [(event, step) for step in range(5) for event in DUE if Schedule(4).due(event, step)] == []


def test_it_is_read_from_a_recipe_and_knows_no_other_keys():
    keys = dict.fromkeys(Schedule._fields, 3)
    assert Schedule.of(keys | {"batch_size": 64}) == Schedule(3, 3, 3, 3, 3, 3, 3)


@pytest.mark.parametrize(
    ("first", "steps", "parts"),
    [
        (0, 30, [(0, 30, 10)]),
        (0, 2, [(0, 2, 1)]),
        (0, 25, [(0, 20, 10), (20, 25, 1)]),
        (7, 33, [(7, 10, 1), (10, 30, 10), (30, 33, 1)]),
        (7, 8, [(7, 8, 1)]),
        (20, 20, []),
    ],
)
def test_calls_fit_any_number_of_steps(first, steps, parts):
    schedule = Schedule(steps=steps, steps_per_execution=10, log_every=50, sample_every=20)
    assert schedule.calls(first) == parts


def test_calls_end_where_something_is_due():
    assert Schedule(steps=30, steps_per_execution=10, log_every=15, sample_every=20).calls(0) == [(0, 30, 5)]
    assert Schedule(steps=30, steps_per_execution=10, log_every=7).calls(0) == [(0, 30, 1)]


EVERY = st.integers(0, 12)
SCHEDULES = st.builds(Schedule, st.integers(1, 60), st.integers(1, 12), EVERY, EVERY, EVERY, EVERY, EVERY)


def ends(schedule, first):
    """The steps at which the callbacks look, in order."""
    return [step for start, stop, size in schedule.calls(first) for step in range(start + size, stop + 1, size)]


@examples(200)
@given(schedule=SCHEDULES, first=st.integers(0, 60))
def test_calls_run_every_step_once_and_all_that_is_due_is_at_the_end_of_one(schedule, first):
    assume(first <= schedule.steps)
    parts = schedule.calls(first)
    assert all((stop - start) % size == 0 and 1 <= size <= schedule.steps_per_execution for start, stop, size in parts)
    places = [first, *(place for start, stop, _ in parts for place in (start, stop)), schedule.steps]
    assert places[::2] == places[1::2] and all(start < stop for start, stop, _ in parts)
    due = {step for step in range(first + 1, schedule.steps + 1) for event in DUE if schedule.due(event, step)}
    assert due <= set(ends(schedule, first))


@examples(200)
@given(schedule=SCHEDULES, data=st.data())
def test_a_run_that_goes_on_from_a_checkpoint_looks_at_the_steps_that_a_whole_run_looks_at(schedule, data):
    whole = ends(schedule, 0)
    saved = [step for step in whole if schedule.due("checkpoint", step)]
    assume(saved)
    first = data.draw(st.sampled_from(saved))
    assert ends(schedule, first) == [step for step in whole if step > first]


@examples(200)
@given(schedule=SCHEDULES, step=st.integers(1, 60))
def test_numbers_and_tensors_agree(schedule, step):
    for ask in (schedule.logged, *(lambda step, event=event: schedule.due(event, step) for event in DUE)):
        assert bool(ask(step)) == bool(ask(tf.constant(step, tf.int64)))
