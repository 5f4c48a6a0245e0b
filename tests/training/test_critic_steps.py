"""Critic steps: n_critic of D for one update of the others, which share in the last one or, alternating, follow it."""

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm import data
from tfdfm.data.loading import Images

CRITIC = ("discriminator/", "discriminator_optimizer/")


def batch(n_critic: int) -> dict[str, np.ndarray]:
    return toys.batch(size=n_critic * toys.BATCH)


def statistic(name: str) -> bool:
    return "mean" in name or "variance" in name


@pytest.mark.parametrize("play", ["simultaneous", "alternating"])
@pytest.mark.parametrize("n_critic", [1, 2, 5])
def test_the_critic_moves_n_times_a_step_and_the_others_once(n_critic, play):
    trainer = toys.trainer(n_critic=n_critic, play=play, terms=("nonsaturating", "dfm"))
    toys.stepper(trainer)(batch(n_critic))
    moves = {player.name: int(player.optimizer.iterations) for player in trainer.joint_update.players}
    assert moves == {"generator": 1, "discriminator": n_critic, "denoiser": 1}
    assert int(trainer.step) == 1


def test_a_step_of_three_moves_is_two_of_the_critic_alone_and_one_of_all():
    """Played by a trainer of one move a step, all but whose critic is put back after the first two."""
    tested, played = toys.trainer(n_critic=3), toys.trainer()
    whole = batch(3)
    logs = toys.stepper(tested)(whole)
    step = toys.stepper(played)
    for turn in range(3):
        before = {name: variable.numpy() for name, variable in played.variables_by_name().items()}
        expected = step({"images": whole["images"][turn * toys.BATCH : (turn + 1) * toys.BATCH]})
        for name, variable in played.variables_by_name().items():
            if turn < 2 and not name.startswith(CRITIC) and name != "step" and not statistic(name):
                variable.assign(before[name])
    one, other = toys.state(tested), toys.state(played)
    assert one.pop("step") == 1 and other.pop("step") == 3
    for name in one:
        if not (name.startswith("denoiser/") and statistic(name)):  # the denoiser sees data only when it moves
            np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-6, err_msg=name)
    assert logs["generator/nonsaturating"] == pytest.approx(expected["generator/nonsaturating"], rel=1e-4)


@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.whole)])
def test_alternating_the_others_move_on_fresh_latents_against_the_moved_critic(jit):
    """Played by a trainer of one move a step: all but the critic are put back after two, the critic after the third."""
    tested, played = toys.trainer(n_critic=2, play="alternating", jit=jit), toys.trainer(jit=jit)
    whole = batch(2)
    logs = toys.stepper(tested)(whole)
    step, said = toys.stepper(played), []
    for place in (0, 1, 1):
        before = {name: variable.numpy() for name, variable in played.variables_by_name().items()}
        said.append(step({"images": whole["images"][place * toys.BATCH : (place + 1) * toys.BATCH]}))
        for name, variable in played.variables_by_name().items():
            if name.startswith(CRITIC) == (len(said) == 3) and name != "step" and not statistic(name):
                variable.assign(before[name])
    one, other = toys.state(tested), toys.state(played)
    assert one.pop("step") == 1 and other.pop("step") == 3
    for name in one:
        if not (name.startswith("denoiser/") and statistic(name)):
            np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-6, err_msg=name)
    for name, value in logs.items():
        of = 1 if name.startswith("discriminator/") else 2  # D's are of its own last move, before it
        if "gradient_norm" not in name:  # of steps that are logged
            assert value == pytest.approx(said[of][name], rel=1e-3, abs=1e-5), name


def test_what_tells_only_of_g_needs_no_pass_of_data_through_d_when_g_moves():
    trainer = toys.trainer(play="alternating", terms=("nonsaturating",))
    step, forward = trainer.joint_update, toys.forward(trainer)
    step.losses(forward, step.movers("others"))
    assert step.diagnostics(forward, {}, "others") == {} and "real" not in vars(forward)


def test_each_move_has_images_and_latents_of_its_own():
    images = Images("numbers", "", np.arange(60, dtype=np.uint8).reshape(60, 1, 1, 1), None, ())
    one, three = (
        data.batches(images, batch_size=5, first_step=0, last_step=steps, seed=0, n_critic=n_critic)
        for n_critic, steps in ((1, 6), (3, 2))
    )
    singles, triples = (np.concatenate([b["images"].numpy().ravel() for b in batches]) for batches in (one, three))
    np.testing.assert_array_equal(singles, triples)
    trainer = toys.trainer(n_critic=3)
    plays = [
        trainer.joint_update.forward(
            {"images": tf.constant(toys.batch()["images"])}, tf.constant(2, tf.int64), tf.constant(0, tf.int64), t
        )
        for t in range(3)
    ]
    following = toys.trainer(n_critic=3).joint_update.forward(
        {"images": tf.constant(toys.batch()["images"])}, tf.constant(3, tf.int64), tf.constant(0, tf.int64), 0
    )
    drawn = [forward.latents.numpy().tobytes() for forward in (*plays, following)]
    assert len(set(drawn)) == 4


@pytest.mark.parametrize("play", ["simultaneous", "alternating"])
def test_two_replicas_with_two_moves_give_the_step_of_one(play):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())
    one = toys.trainer(n_critic=2, play=play, batch_norm="frozen")
    two = toys.trainer(strategy, n_critic=2, play=play, batch_norm="frozen")
    toys.stepper(one)(batch(2))
    toys.replicated(two, strategy)(batch(2))
    one, two = toys.state(one), toys.state(two)
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-3, atol=1e-5, err_msg=name)
