"""The joint update (issue 2, points 2 and 3)."""

import numpy as np
import pytest
import tensorflow as tf
import toys
from reference import Reference, populations

from tfdfm.networks.layers import BatchStatistics
from tfdfm.objectives.forward import patches
from tfdfm.runs.checkpoints import Checkpoints


def close(ours, expected):
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5 * (1 + np.abs(b).max()))


@pytest.mark.parametrize("graph", [False, True])
def test_the_joint_update_equals_a_slow_reference(graph):
    config = toys.recipe(ema_decay=0.9)
    trainer = toys.trainer(ema_decay=0.9)
    step, reference = toys.stepper(trainer, graph=graph), Reference(trainer, config)
    for number in range(3):
        logs, expected = step(toys.batch(number)), reference.step(toys.batch(number)["images"])
        totals = {name: 0.0 for name in expected}
        for name in trainer.loss_names:
            totals[name.split("/")[0]] += logs[name]
        assert totals == pytest.approx(expected, rel=1e-4)
    for player in trainer.joint_update.players:
        network, name = trainer.networks[player.name], player.name
        close([m.numpy() for m in player.optimizer._momentums], reference.m[name])
        close([v.numpy() for v in player.optimizer._velocities], reference.v[name])
        close([w.numpy() for w in network.trainable_variables], reference.weights[name])
        close(populations(network), reference.populations[name])
    close([w.numpy() for w in trainer.ema_generator.trainable_variables], reference.average)
    close(populations(trainer.ema_generator), reference.average_populations)
    assert int(trainer.step.numpy()) == 3


def test_samples_never_touch_what_d_and_r_make_of_data():
    def after(latents):
        trainer = toys.trainer()
        kernel = trainer.networks["generator"].project.kernel
        kernel.assign(kernel * latents)
        now = toys.forward(trainer, tracked=BatchStatistics(), untracked=BatchStatistics())
        answers = [now.real.score, now.real.features, now.generated]
        toys.stepper(trainer, graph=False)(toys.batch())
        statistics = [populations(trainer.networks[name]) for name in ("discriminator", "denoiser")]
        return answers, sum(statistics, [])

    (answers, statistics), (others, other_statistics) = after(1.0), after(-300.0)
    assert np.abs(answers[2] - others[2]).max() > 0.1
    for a, b in zip(answers[:2] + statistics, others[:2] + other_statistics, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((s != 0).any() and (s != 1).any() for s in statistics)


def test_data_and_samples_are_normalised_apart():
    trainer = toys.trainer()
    now = toys.forward(trainer, tracked=BatchStatistics(), untracked=BatchStatistics())
    d = trainer.networks["discriminator"]
    alone = d(now.generated, statistics=BatchStatistics())
    mixed = d(tf.concat([now.images, now.generated], 0), statistics=BatchStatistics())
    np.testing.assert_array_equal(now.fake.features, alone.features)
    assert not np.allclose(now.fake.features, mixed.features[toys.BATCH :], atol=1e-2)


@pytest.mark.parametrize("shape", [[toys.BATCH], [toys.BATCH, 5], [toys.BATCH, 2, 3], []], ids=str)
def test_a_loss_is_the_mean_over_the_batch_and_all_its_places(shape):
    assert float(toys.trainer().joint_update._share(tf.fill(shape, 3.0))) == 3.0


def created(**changes):
    """A trainer and every variable that TensorFlow made while it was built and stepped."""
    variables = []

    def creator(make, **kwargs):
        variables.append(make(**kwargs))
        return variables[-1]

    with tf.variable_creator_scope(creator):
        trainer = toys.trainer(**changes)
        toys.stepper(trainer, graph=False)(toys.batch())
    return trainer, variables


def test_every_variable_has_a_name_of_its_own():
    trainer, variables = created(ema_decay=0.9)
    named = trainer.variables_by_name()
    unused = ("rm_sprop", "loss")  # Keras's own, made by compile()
    flags = {id(trainer.first_bad_step.value), id(trainer.first_bad_term.value)}
    ours = {id(v) for v in variables if not v.name.startswith(unused)}
    assert ours - flags == {id(v) for v in named.values()}
    assert len({id(v) for v in named.values()}) == len(named)
    assert {n.split("/")[0] for n in named} >= {
        "generator",
        "discriminator",
        "denoiser",
        "ema_generator",
        "generator_optimizer",
    }


def test_variables_of_an_objective_are_named_too():
    trainer = toys.trainer()
    trainer.joint_update.objectives["dfm"].k = tf.Variable(0.5, name="k")
    assert trainer.variables_by_name()["dfm/000.k"] is trainer.joint_update.objectives["dfm"].k


def test_names_do_not_depend_on_what_was_built_before():
    first = toys.trainer().variables_by_name()
    toys.trainer(terms=("minimax",))
    assert list(toys.trainer().variables_by_name()) == list(first)


def test_a_restored_trainer_is_the_saved_one_and_goes_on_alike(tmp_path):
    trainer, other = (toys.trainer(seed=seed, ema_decay=0.9) for seed in (0, 1))
    other.joint_update.settings = trainer.joint_update.settings
    step = toys.stepper(trainer, graph=False)
    for number in range(2):
        step(toys.batch(number))
    Checkpoints(tmp_path, trainer.variables_by_name()).save(2)
    assert Checkpoints(tmp_path, other.variables_by_name()).restore() == 2
    for _ in range(2):
        ours, theirs = toys.state(trainer), toys.state(other)
        for name, value in ours.items():
            np.testing.assert_array_equal(theirs[name], value, err_msg=name)
        assert step(toys.batch(7)) == toys.stepper(other, graph=False)(toys.batch(7))


def test_gradient_norms_come_at_logging_steps_only():
    trainer = toys.trainer(log_every=3, test_every=4)
    step = toys.stepper(trainer)
    logs = [step(toys.batch(number)) for number in range(6)]
    norms = [[row[f"generator/gradient_norm_{term}"] for term in ("nonsaturating", "dfm")] for row in logs]
    assert [all(pair) for pair in norms] == [True, False, True, True, False, True]
    assert not any(any(norms[i]) for i in (1, 4))


def test_gradient_norms_are_those_of_each_term():
    both, alone = toys.trainer(), toys.trainer(terms=("nonsaturating",))
    ours, theirs = (toys.stepper(trainer, graph=False)(toys.batch()) for trainer in (both, alone))
    name = "generator/gradient_norm_nonsaturating"
    assert ours[name] == pytest.approx(theirs[name], rel=1e-5)
    m = [m.numpy() for m in alone.joint_update.players[0].optimizer._momentums]
    assert theirs[name] == pytest.approx(2 * np.sqrt(sum((x**2).sum() for x in m)), rel=1e-4)  # m = g / 2


def test_the_first_step_and_term_that_are_not_finite_are_recorded():
    trainer = toys.trainer()
    step = toys.stepper(trainer)
    assert step(toys.batch())["first_bad_step"] == -1
    bias = trainer.networks["denoiser"].last.bias
    bias.assign(bias * np.nan)
    step(toys.batch())
    logs = step(toys.batch())
    assert logs["first_bad_step"] == 2
    names = trainer.in_order(logs.keys() - {"first_bad_step", "first_bad_term"})
    assert names[int(logs["first_bad_term"])] == "generator/dfm"


def test_flips_turn_half_of_the_images_left_right():
    trainer = toys.trainer()
    plain, flipped = (toys.forward(trainer, step=3, flip=flip).images.numpy() for flip in (False, True))
    turned = [np.array_equal(a, b[:, ::-1]) for a, b in zip(plain, flipped, strict=True)]
    assert 0 < sum(turned) < len(turned)
    assert all(turn or np.array_equal(a, b) for turn, a, b in zip(turned, plain, flipped, strict=True))
    assert plain.min() == -1 and plain.max() == 1


def test_patches_are_cut_anywhere_from_larger_images():
    images = tf.reshape(tf.range(2 * 7 * 5 * 3), [2, 7, 5, 3])
    corners = patches(images, 4, tf.constant([[0.0, 0.99], [0.99, 0.0]]))
    np.testing.assert_array_equal(corners, [images[0, :4, 1:], images[1, 3:, :4]])
    trainer = toys.trainer()
    cut = toys.forward(trainer, step=3, crop=12).images.numpy()
    whole = toys.forward(trainer, step=3).images.numpy()
    places = {
        (y, x)
        for image, patch in zip(whole, cut, strict=True)
        for y in range(5)
        for x in range(5)
        if np.array_equal(image[y : y + 12, x : x + 12], patch)
    }
    assert cut.shape == (8, 12, 12, 1) and len(places) > 3
