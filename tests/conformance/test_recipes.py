"""Every recipe in configs/ at toy size. What takes long is tried for a share of them, first for each kind of state.

tools/test.sh --all tries all 16 shares, each in its own processes, as TensorFlow keeps what XLA compiled: 50 MB a step.
"""

import functools
import os
import re

import commands
import numpy as np
import pytest
import tensorflow as tf
import toys
from ai_edge_litert.interpreter import Interpreter

from tfdfm import data, recipes
from tfdfm.networks import ebgan
from tfdfm.runs import run
from tfdfm.sampling import restore, saved_model, tflite
from tfdfm.sampling.sampler import Sampler
from tfdfm.training import build, distribution

NAMES = sorted(recipes.names())
SHARE = int(os.environ.get("TFDFM_TEST_SHARE", 0))
# The first share: k_t; history, virtual batch norm and minibatch discrimination.
FIRST = ["cifar10_began", "cifar10_improved"]
BATCH = 8
CHOSEN = [name for name in NAMES if name not in FIRST][SHARE - 1 :: 15] if SHARE else FIRST
COUPLED = {"pull_away", "feature_matching", "feature_matching_game"}  # terms that couple the examples of a batch
NEIGHBOURS = {"ImprovedGAN"}  # discriminators that do


def toy(name: str, **changes):
    """The recipe with narrow networks and few steps; Adam's epsilon makes the update smooth in the gradient."""
    config = recipes.recipe(name)
    config.generator.width = config.discriminator.width = config.encoder.width = config.separator.width = 4
    if config.discriminator.network in (
        "Ladder",
        "ImprovedGANFullyConnected",
    ):  # its last layers have a quarter of that
        config.discriminator.width = 16
    if config.generator.network == "R3GAN":
        config.generator.group = config.discriminator.group = 4
        config.generator.blocks = config.discriminator.blocks = 1
    config.denoiser.update(depth=2, width=64)
    config.optimizer.epsilon = 1e-3
    if "ali" in config.terms:  # weights N(0, 0.01) and no batch norm in D: narrow networks say next to nothing
        config.generator.width = config.encoder.width = 16
        config.discriminator.width = 32  # of which maxout leaves half
        config.optimizer.update(epsilon=1e-4, generator_learning_rate=0.0)  # 0: D's
    if {"wasserstein", "ali"} & set(config.terms) or config.discriminator.network in ("FullyConnected", "SNDCGAN"):
        config.optimizer.learning_rate = 1e-1  # an untrained critic's slopes are small beside epsilon
    if data.describe(config.dataset, config.image_size or None).image_size > 48:
        config.image_size = 16
    if config.class_range:
        config.class_range = (3, 43)
    if config.patches_of:
        config.patches_of = 24
    if "ebgan" in config.terms and config.ebgan.margin_steps:
        config.ebgan.margin_steps = config.optimizer.generator_until = 3
    if config.num_labelled:
        config.num_labelled = 2 * data.describe(config.dataset).num_classes
    config.update(batch_size=BATCH, latent_size=8, steps=4, steps_per_execution=1, distribution="none", jit="off")
    if config.generator.network == "NoisePlanes":
        config.latent_size = sum(side**2 * planes for side, planes in ebgan.noise_shapes(config.image_size))
    config.update(log_every=2, sample_every=4, checkpoint_every=2, score_every=0, test_every=config.test_every and 2)
    config.update(changes | {"class_splits": 1})  # the models of an ensemble are as that of all classes
    return config


@pytest.fixture(autouse=True)
def noise(monkeypatch):
    """Random pixels of the size and channels that the recipe's data has, in place of it."""

    def load(name, *, image_size, data_dir=None, split="train"):
        found = data.describe(name, image_size)
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 256, (5 * BATCH, image_size, image_size, found.channels), dtype=np.uint8)
        labels = np.arange(len(pixels), dtype=np.int32) * 7 % min(found.num_classes, 43) if found.num_classes else None
        return data.Images(name, "noise", pixels, labels, tuple(map(str, range(found.num_classes or 0))))

    monkeypatch.setattr(data, "load", load)


@functools.cache
def parts(name: str) -> set[str]:
    """The terms and networks that the recipe names."""
    config = recipes.recipe(name)
    found = (config.generator.network, config.discriminator.network, config.encoder.network, config.separator.network)
    return {*config.terms, *zip(("G", "D", "E", "F"), found, strict=True)}


def trained(name: str, *, graph: bool = True, jit: bool = False, replicas: int = 1, **changes):
    """The trainer after one step on the same batch; the logs of it and the state before and after."""
    config, found = run.resolve(toy(name, jit="on" if jit else "off", **changes))
    strategy = distribution.strategy("mirrored" if replicas > 1 else "none")
    assert strategy.num_replicas_in_sync == replicas
    trainer = run.build_trainer(config, found, strategy)
    _loosen(trainer)
    before = toys.state(trainer)
    step = toys.replicated(trainer, strategy) if replicas > 1 else toys.stepper(trainer, graph=graph)
    return trainer, step(first_batch(config)), before, toys.state(trainer)


def _loosen(trainer):
    """A ladder's combinators start at zero, and nothing but the lowest would learn in the first step; so do the last
    layers of R3GAN's blocks."""
    for network in trainer.networks.values():
        for place, block in enumerate(sum(getattr(network, "stages", []), [])):
            kernel = block.narrow.kernel
            kernel.assign(np.random.default_rng(place).normal(0, 0.1, kernel.shape))
    for place, lateral in enumerate(getattr(trainer.networks.get("discriminator"), "laterals", [])):
        for number, weight in enumerate(lateral.trainable_variables):
            weight.assign_add(np.random.default_rng([place, number]).normal(0, 0.1, weight.shape))


def first_batch(config):
    images = data.load(config.dataset, image_size=config.patches_of or config.image_size)
    count = BATCH * config.n_critic
    batch = {"images": images.pixels[:count]} | ({} if images.labels is None else {"labels": images.labels[:count]})
    return batch | ({f"labelled_{key}": value for key, value in batch.items()} if config.num_labelled else {})


def trained_on_halves(name: str, **changes):
    """The same on one replica by the mean of what the two halves of the batch say, each by itself."""
    half = BATCH // 2
    config, found = run.resolve(toy(name, **changes))
    config.batch_size = half
    trainer = run.build_trainer(config, found, distribution.strategy("none"))
    halves = [{key: value[place : place + half] for key, value in first_batch(config).items()} for place in (0, half)]
    gradients, positions = trainer.joint_update.gradients, [tf.constant(place, tf.int64) for place in (0, half)]

    def mean(_, step, position, **how):
        found = [gradients(batch, step, place, **how) for batch, place in zip(halves, positions, strict=True)]
        return tf.nest.map_structure(lambda a, b: (a + b) / 2, *found)

    trainer._gradients = mean
    _loosen(trainer)
    before = toys.state(trainer)
    return trainer, toys.stepper(trainer, graph=False)(halves[0]), before, toys.state(trainer)


def is_new(name: str) -> bool:
    """Whether it has a term or a network that no recipe before it has."""
    return not parts(name) <= set().union(*map(parts, NAMES[: NAMES.index(name)]))


KNOWN = [name for name in NAMES if not is_new(name)]
NEW = [name for name in NAMES if is_new(name)]
LATER = [pytest.param(name, marks=pytest.mark.whole) for name in NAMES if name not in NEW[::3]]
SELDOM = [pytest.param(name, marks=pytest.mark.whole) for place, name in enumerate(KNOWN) if place % 4]


@pytest.mark.parametrize("name", NEW + KNOWN[::4] + SELDOM)
def test_one_step_moves_all_weights_and_each_has_one_player(name):
    trainer, logs, before, after = trained(name, graph=is_new(name))  # else the same, eagerly
    owned = [id(weight) for player in trainer.joint_update.players for weight in trainer.joint_update.weights(player)]
    every = [id(weight) for network in trainer.networks.values() for weight in network.trainable_variables]
    assert sorted(owned) == sorted(every) and len(set(owned)) == len(owned)
    still = {key for key in before if np.array_equal(before[key], after[key])}
    if "hinge" in trainer.joint_update.objectives:  # scores within the margin: data's pull on D's last bias is samples'
        still = {key for key in still if before[key].shape != (1,)}
    fixed = {"learning_rate", "reference", "mean_e"}  # of virtual batch norm; a ladder's, undone by a batch norm
    assert {key.split(".")[-1] for key in still} <= fixed  # all else moves: Adam's, batch norm's
    assert all(np.isfinite(value) for value in logs.values()) and logs["first_bad_step"] == -1
    assert {loss.split("/")[0] for loss in trainer.loss_names} == {
        player.name for player in trainer.joint_update.players
    }


@pytest.mark.parametrize("name", NEW[::3] + LATER)
def test_xla_gets_one_computation_in_bfloat16(name, monkeypatch):
    """What a GPU would compile: no loop over images, nothing from the host or to it, no convolution in float32 but
    those of a D whose slopes are penalised."""
    monkeypatch.setattr(distribution, "_multiplies", lambda choice: True)
    config, found = run.resolve(toy(name, precision="mixed_bfloat16"))
    trainer = run.build_trainer(config, found, distribution.strategy("none"))
    batch = {key: tf.constant(value[:BATCH]) for key, value in first_batch(config).items()}
    zero = tf.constant(0, tf.int64)
    full = any(objective.full_precision for objective in trainer.joint_update.objectives.values())
    allowed = {"bf16", "f32"} if full else {"bf16"}
    for _, who in trainer.joint_update.updates[-2:]:
        gradients = functools.partial(trainer.joint_update.gradients, who=who)
        compiled = tf.function(lambda *of: tf.nest.flatten(gradients(*of)[:3]), jit_compile=True, autograph=False)  # noqa: B023
        hlo = compiled.experimental_get_compiler_ir(batch, zero, zero)(stage="hlo")
        operations = set(re.findall(r"= \S+ ([a-z-]+)\(", hlo))
        assert (
            not operations & {"while", "custom-call", "infeed", "outfeed", "send", "recv"} and "multiply" in operations
        )
        kinds = set(re.findall(r"= (\w+)\[\S* convolution\(", hlo))
        assert bool(kinds) == ("convolution" in operations) and kinds <= allowed


@pytest.mark.parametrize("name", CHOSEN)
def test_a_run_in_two_parts_is_the_run_in_one(name, tmp_path):
    for steps, run_dir in ((4, "whole"), (2, "parts"), (4, "parts")):
        config = toy(name)
        config.steps = steps
        assert run.train(config, tmp_path / run_dir) is None
    commands.assert_same(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("name", CHOSEN)
def test_the_export_is_the_model(name, tmp_path):
    config, found = run.resolve(toy(name))
    names = tuple(map(str, range(found.num_classes))) if config.conditional else ()
    generator = build.generator(config, found.channels, len(names))
    trained = restore.Trained(generator, config, 0, found.channels, names, "generator")
    model = tf.saved_model.load(str(saved_model.write(trained, tmp_path)))
    inputs = {"seed": tf.range(4, dtype=tf.int64)} | ({"labels": tf.range(4, dtype=tf.int64)} if names else {})
    images = model.signatures["serving_default"](**inputs)["images"]
    latents = model.signatures["latents"](seed=inputs["seed"])["latents"]
    expected = (generator(latents, labels=inputs.get("labels")) + 1) / 2
    assert images.shape == (4, config.image_size, config.image_size, found.channels)
    np.testing.assert_allclose(images, expected, rtol=0, atol=1e-6)
    tflite.write(Sampler(trained), {}, tmp_path, "float32")
    lite = Interpreter(model_path=str(tmp_path / tflite.FILE)).get_signature_runner()
    first = {"latents": latents[:1].numpy()} | ({"labels": inputs["labels"][:1].numpy()} if names else {})
    np.testing.assert_allclose(lite(**first)["images"], expected[:1], rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHOSEN if SHARE else [FIRST[0], pytest.param(FIRST[1], marks=pytest.mark.whole)])
def test_xla_and_two_replicas_give_the_step_of_the_graph(name):
    """XLA on two, which compiles twice, is --all's."""
    recipe = recipes.recipe(name)
    trainer, logs, _, state = trained(name, batch_norm="frozen")
    halves = logs, state
    if COUPLED & set(recipe.terms) or recipe.discriminator.network in NEIGHBOURS:
        halves = trained_on_halves(name, batch_norm="frozen")[1::2]  # logs and state
    for replicas, jit in ((1, True), (2, bool(SHARE))):
        expected_logs, expected = (logs, state) if replicas == 1 else halves
        _, other_logs, _, other = trained(name, batch_norm="frozen", jit=jit, replicas=replicas)
        assert expected.keys() == other.keys()
        for key in expected:
            note = f"{key}, {replicas=}"
            np.testing.assert_allclose(other[key], expected[key], rtol=1e-3, atol=1e-5, err_msg=note)
        for loss in trainer.loss_names:  # of the diagnostics some are ratios, averaged over replicas
            assert other_logs[loss] == pytest.approx(expected_logs[loss], rel=1e-4, abs=1e-5), (loss, replicas)


def test_every_recipe_is_here():
    assert set(NAMES) == {path.stem for path in recipes.folder().iterdir() if path.suffix == ".py"} - {"__init__"}
