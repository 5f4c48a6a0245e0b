"""A model for each class split: what is trained where, what is refused, and the routing of labels."""

import json
import shutil
import signal
from pathlib import Path

import commands
import numpy as np
import pytest
import tensorflow as tf

from tfdfm import cli, data, recipes, train
from tfdfm.errors import UsageError
from tfdfm.evaluation.requests import Request
from tfdfm.networks import acgan
from tfdfm.networks.ensemble import Ensemble
from tfdfm.runs import ensembles, run
from tfdfm.sampling import restore

ACGAN = ["--config=cifar10_acgan", "--dataset=digits"]


def execute(run_dir, *arguments, **changes):
    """Two steps of AC-GAN on digits, two models of five classes each."""
    small = {key: value for key, value in commands.TOY.items() if key.split(".")[0] != "denoiser"}
    changed = small | {"steps": 2, "log_every": 1, "jit": "off", "class_splits": 2} | changes
    flags = [f"--config.{key}={value}" for key, value in changed.items()]
    where = [f"--run_dir={run_dir}"] if run_dir else []
    return train.main(cli.parse(["train", *ACGAN, *flags, *where, *arguments], train.define, ""))


def splits(run_dir) -> list[str]:
    return sorted(path.name for path in run_dir.iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "ensemble"
    assert execute(path) == 0
    return path


def test_each_split_has_a_run_of_its_own_and_sees_its_own_images(run_dir):
    assert splits(run_dir) == ["split000", "split001"]
    digits = data.load("digits")
    for number in range(2):
        stored = json.loads((run_dir / f"split00{number}" / "config.json").read_text())
        assert (stored["split"], stored["class_splits"]) == (number, 2)
        assert stored["data"]["class_names"] == list(digits.class_names[5 * number :][:5])
        assert stored["data"]["count"] == np.sum(digits.labels // 5 == number)
        assert [row["step"] for row in commands.lines(run_dir / f"split00{number}")] == [1, 2]
    whole = json.loads((run_dir / "config.json").read_text())
    assert whole["split"] == -1 and whole["data"]["class_names"] == list(digits.class_names)
    weights = [commands.state(commands.checkpoints(run_dir / f"split00{n}")[-1]) for n in (0, 1)]
    assert weights[0]["generator/000.kernel"] != weights[1]["generator/000.kernel"]


def test_the_same_command_goes_on_and_a_model_apart_is_the_same(run_dir, tmp_path, monkeypatch, capsys):
    assert execute(tmp_path, "--splits=1") == 0 and splits(tmp_path) == ["split001"]
    with pytest.raises(UsageError, match="none in .*split000"):
        restore.load(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(run, "train", lambda config, *_: run.Stopped(signal.SIGTERM, config.steps))
        assert execute(tmp_path) == 128 + signal.SIGTERM and "the same command goes on" in capsys.readouterr().out
    assert execute(tmp_path) == 0
    for name in splits(run_dir):
        commands.assert_same(tmp_path / name, run_dir / name)


def test_another_recipe_in_the_same_directory_is_refused(run_dir):
    with pytest.raises(UsageError, match=f"{run_dir} holds a run with other settings.*class_splits: 2 -> 5"):
        execute(run_dir, class_splits=5)


def test_the_config_of_an_ensemble_and_of_a_model_repeat_them(run_dir, tmp_path):
    for name, more in (("", ["--splits=1"]), ("split001", [])):
        flags = [f"--config={run_dir / name / 'config.json'}", f"--run_dir={tmp_path / f'again-{name}'}"]
        train.main(cli.parse(["train", *flags, *more], train.define, ""))
    for again in (tmp_path / "again-" / "split001", tmp_path / "again-split001"):
        commands.assert_same(again, run_dir / "split001")


def test_what_is_loaded_is_all_models(run_dir):
    trained = restore.load(run_dir)
    assert trained.class_names == data.load("digits").class_names and trained.step == 2
    assert [of.class_names for of in trained.members] == [trained.class_names[5 * n :][:5] for n in range(2)]
    latents = np.random.default_rng(0).uniform(-1, 1, (10, 8)).astype(np.float32)
    images = trained.generator(latents, labels=tf.range(10)).numpy()
    for label in range(10):
        alone = restore.load(run_dir / f"split00{label // 5}").generator(latents[[label]], labels=[label % 5])
        np.testing.assert_allclose(images[label], alone[0], rtol=0, atol=1e-6)


def test_its_step_is_that_of_the_model_that_was_trained_least(run_dir, tmp_path):
    shutil.copytree(run_dir, tmp_path / "further")
    assert execute(tmp_path / "further", "--splits=1", steps=3) == 0
    found = restore.load(tmp_path / "further")
    assert [of.step for of in found.members] == [2, 3] and found.step == 2


@pytest.mark.parametrize(
    ("arguments", "changes", "said"),
    [
        (
            [],
            {"class_splits": 3},
            "class_splits to divide the 10 classes of digits, given 3. Set --config.class_splits",
        ),
        ([], {"class_splits": 0}, "class_splits to be at least 1, given 0"),
        ([], {"split": 2}, "Expected split from 0 to 1, or -1 for all; given 2"),
        (
            [],
            {"conditional": "False"},
            "class_splits=2 makes a model for each .* unconditional. Set --config.class_sp",
        ),
        (["--splits=1,5"], {}, "Expected --splits from 0 to 1, given 5"),
        (["--splits=one"], {}, "--splits to be numbers like 3,4, given 'one'"),
        (["--splits=1"], {"class_splits": 1}, "--splits chooses among the models of an ensemble"),
    ],
)
def test_what_cannot_be_split_is_one_line_before_training(tmp_path, monkeypatch, arguments, changes, said):
    monkeypatch.setattr(run.data, "load", None)
    with pytest.raises(UsageError, match=said):
        execute(tmp_path, *arguments, **changes)


def test_one_run_is_of_one_model():
    recipe = recipes.recipe("cifar10_acgan")
    recipe.class_splits = 5
    with pytest.raises(UsageError, match="class_splits=5 makes an ensemble.*Set --config.split"):
        run.resolve(recipe)
    assert run.resolve(ensembles.member(recipe, 2))[1].num_classes == 2


@pytest.fixture(scope="module")
def three() -> tuple[list, Ensemble]:
    made = [acgan.ACGANGenerator(16, 1, 2, width=4, seed=seed) for seed in range(3)]
    for generator in made:
        generator(tf.zeros([1, 8]), labels=tf.zeros([1], tf.int32))
    return made, Ensemble(made)


def test_a_batch_of_mixed_labels_sends_each_row_to_its_model(three):
    made, ensemble = three
    latents = np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32)
    labels = np.array([5, 0, 3, 1, 2, 4, 0, 5, 3])
    images = tf.function(ensemble)(latents, tf.constant(labels)).numpy()
    for image, latent, label in zip(images, latents, labels, strict=True):
        expected = made[label // 2](latent[None], labels=[label % 2])[0]
        np.testing.assert_allclose(image, expected, rtol=0, atol=1e-6)


def test_a_model_runs_on_its_own_rows_alone(three, monkeypatch):
    ran = []
    for number, generator in enumerate(three[0]):
        call = generator.call
        monkeypatch.setattr(generator, "call", lambda z, n=number, c=call, **k: ran.append((n, len(z))) or c(z, **k))
    images = three[1](tf.ones([4, 8]), tf.constant([3, -1, 2, 2**62], tf.int64))  # unknown labels harm no other row
    assert ran == [(0, 1), (1, 2), (2, 1)]
    expected = three[0][1](tf.ones([2, 8]), labels=[1, 0])
    np.testing.assert_allclose(tf.gather(images, [0, 2]), expected, rtol=0, atol=1e-6)


def test_a_run_may_learn_from_some_classes_alone(tmp_path):
    assert execute(tmp_path / "run", class_range="(3,7)", class_splits=1) == 0
    stored = json.loads((tmp_path / "run" / "config.json").read_text())
    digits = data.load("digits")
    assert stored["data"]["class_names"] == list("3456")
    assert stored["data"]["count"] == np.sum((digits.labels >= 3) & (digits.labels < 7))
    assert restore.load(tmp_path / "run").class_names == tuple("3456")
    real = Request(tmp_path / "run", None, num=10).reference_images()
    np.testing.assert_array_equal(np.unique(real.labels), [3, 4, 5, 6])
    assert real.record["images"] == len(real.images) == stored["data"]["count"]


def test_classes_are_split_among_models():
    base = recipes.recipe("cifar10_acgan")
    base.update(class_range=(2, 8), class_splits=3)
    found = [ensembles.own_classes(ensembles.member(base, number), 10) for number in (0, 1, 2, -1)]
    assert found == [range(2, 4), range(4, 6), range(6, 8), range(2, 8)]


@pytest.mark.parametrize(
    ("classes", "message"),
    [("(3,)", "first one and the one after the last"), ("(7,3)", "first one"), ("(3,11)", "end at most at 10")],
)
def test_classes_that_are_not_there_are_refused(tmp_path, classes, message):
    with pytest.raises(UsageError, match=message):
        execute(tmp_path / "run", class_range=classes, class_splits=1)
