"""Scores during training: what is written, what is kept, what is said."""

import logging

import commands
import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm import data
from tfdfm.classifiers import lookup
from tfdfm.classifiers.binding import Classifier
from tfdfm.errors import UsageError
from tfdfm.evaluation import scores
from tfdfm.evaluation.requests import Request
from tfdfm.metrics.ms_ssim import Similarity
from tfdfm.runs import metrics_log, monitoring, run
from tfdfm.runs.checkpoints import Checkpoints
from tfdfm.runs.monitoring import DISTANCE, Scorer, Scores
from tfdfm.sampling import restore
from tfdfm.training import distribution

COUNT, STEPS = 72, 8  # samples, more than one batch


def classifier(classes: int = 10) -> Classifier:
    """Random projections of the pixels."""
    weights = np.random.default_rng(0).normal(size=(256, classes + 4)).astype(np.float32) / 256

    def answer(images):
        found = images.reshape(len(images), -1).astype(np.float32) @ weights
        return found[:, :4], found[:, 4:]

    return Classifier("dataset", {"name": "made up", "accuracy": 0.5}, classes, answer)


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Few samples, and a classifier that needs no training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(monitoring, "SAMPLES", COUNT)
        patch.setattr(monitoring, "PAIRS", 20)
        patch.setattr(lookup, "of_data", lambda *_: classifier())
        yield


def train(run_dir, **changes):
    config = toys.recipe(image_size=0, conditional=True, steps=STEPS, log_every=3, checkpoint_every=4, score_every=2)
    config.update(changes)
    run.train(config, run_dir)


def best(run_dir):
    return {path.name: commands.state(path) for path in (run_dir / "checkpoints" / "best").iterdir()}


@pytest.fixture(scope="module")
def whole(quick, tmp_path_factory):
    """A run that was never stopped."""
    run_dir = tmp_path_factory.mktemp("runs") / "whole"
    train(run_dir)
    return run_dir


def test_scores_are_in_the_line_of_their_step_and_in_tensorboard(whole):
    rows = metrics_log.read(whole / "metrics.jsonl")
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 6, 8]
    names = {DISTANCE, "score/inception_score", "score/ms_ssim"}
    assert [row["step"] for row in rows if names <= row.keys()] == [2, 4, 6, 8]
    assert not any(names & row.keys() for row in rows if row["step"] in (1, 3))
    assert all(row["generator/gradient_norm_dfm"] > 0 for row in rows)
    (events,) = (path for path in (whole / "tensorboard").iterdir() if "-start" not in path.name)
    seen = [(e.step, v.tag) for e in tf.compat.v1.train.summary_iterator(str(events)) for v in e.summary.value]
    assert {step for step, tag in seen if tag == DISTANCE} == {2, 4, 6, 8}


def test_a_score_is_that_of_evaluate(whole):
    """Of as many samples, from the checkpoint of its step."""
    evaluation = Request(whole, None, num=COUNT, splits=1).evaluation()
    found, _ = scores.evaluate(evaluation, ["frechet_distance", "inception_score"])
    last = metrics_log.read(whole / "metrics.jsonl")[-1]
    for name, record in found.records.items():
        assert record["value"] == pytest.approx(last[f"score/{name}"], rel=1e-6)
    assert record["samples"] == COUNT


def test_the_best_checkpoint_is_that_of_the_least_distance(whole, caplog):
    found = monitoring.history(whole / "metrics.jsonl", STEPS)
    least = min(found, key=found.get)
    assert list(best(whole)) == [f"{least:07d}"]
    assert restore.load(whole, "best").step == least


def test_a_run_in_parts_keeps_the_scores_and_the_best_of_the_whole(whole, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoints, "keep", killed)  # the first score is the best, and its checkpoint is saved
        train(tmp_path, steps=2)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["0000002"]
    train(tmp_path, steps=2)  # already there
    assert list(best(tmp_path)) == ["0000002"]
    train(tmp_path, steps=6)
    train(tmp_path)
    commands.assert_same(tmp_path, whole)
    assert best(tmp_path) == best(whole)


def test_scoring_leaves_the_training_as_it_was(whole, tmp_path):
    train(tmp_path, score_every=0)
    one, other = (commands.state(commands.checkpoints(path)[-1]) for path in (tmp_path, whole))
    assert one == other and not (tmp_path / "checkpoints" / "best").exists()
    rows = {row["step"]: row for row in commands.lines(tmp_path)}
    assert all(rows.get(row["step"], row).items() <= row.items() for row in commands.lines(whole))


def diverse(trainer):
    """The trainer with samples that are not all alike, as those of first weights are."""
    for norm in trainer.networks["generator"].norms:
        norm.variance.assign(np.full(norm.variance.shape, 1e-5))
    return trainer


def test_two_replicas_are_scored_by_the_same_samples():
    drawn = []
    for strategy in (None, distribution.strategy("mirrored")):
        trainer = diverse(toys.trainer(strategy))
        scoring = Scores(None, None, toys.recipe())
        scoring.set_model(trainer)
        drawn.append(scoring._samples())
    assert drawn[0].shape == (COUNT, 16, 16, 1) and np.ptp(drawn[0], axis=0).mean() > 10
    np.testing.assert_array_equal(*drawn)


def test_two_replicas_train_with_scores(tmp_path):
    train(tmp_path, distribution="mirrored", steps=2, terms=("nonsaturating",))
    assert metrics_log.read(tmp_path / "metrics.jsonl")[-1][DISTANCE] > 0 and list(best(tmp_path)) == ["0000002"]


def test_a_sample_is_the_same_in_any_batch_and_none_of_the_training():
    trainer = diverse(toys.trainer(conditional=True))
    together = trainer.samples(range(10, 22)).numpy()
    np.testing.assert_allclose(trainer.samples(range(20, 22)), together[10:], atol=1e-6)
    assert np.abs(trainer.samples(range(30, 42)) - together).mean() > 0.01


# ------------------------------------------------------------------------------------------------------------ scorer


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def test_the_data_themselves_are_at_no_distance(digits):
    scorer = Scorer(classifier(), digits, conditional=False)
    found, similarity = scorer.score(digits.pixels)
    assert found[DISTANCE] == pytest.approx(0, abs=1e-6)
    assert found["score/ms_ssim"] == pytest.approx(scorer.similarity.values[0]) == similarity.values[0]


def test_samples_that_are_all_one_image_are_alike(digits):
    found, _ = Scorer(classifier(), digits, conditional=False).score(np.repeat(digits.pixels[:1], COUNT, axis=0))
    assert found["score/ms_ssim"] == pytest.approx(1) and found["score/inception_score"] == pytest.approx(1)
    assert found[DISTANCE] > 0


def test_a_class_of_one_image_has_no_similarity_of_its_own(digits):
    labels = np.zeros(9, np.int64)
    labels[5] = 1
    images = digits._replace(pixels=digits.pixels[:9], labels=labels, class_names=("many", "one"))
    scorer = Scorer(classifier(2), images, conditional=True)
    assert scorer.similarity.labels.tolist() == [0]
    assert scorer.score(digits.pixels[:8])[1].labels.tolist() == [0, 1]


# ------------------------------------------------------------------------------------------------------------ warnings


class MadeUp:
    """A scorer that says what it is told to."""

    names = ("in class cat", "in class dog")
    similarity = Similarity(np.arange(2), np.array([0.2, 0.4]), np.zeros(2))

    def __init__(self, distances, alike):
        self._answers = iter(
            [
                ({DISTANCE: d}, Similarity(np.arange(2), np.array(a), np.zeros(2)))
                for d, a in zip(distances, alike, strict=True)
            ]
        )

    def score(self, samples):
        return next(self._answers)


@pytest.fixture
def said(tmp_path, caplog):
    """Scores at steps 10, 20, ... of a hundred -> what is said of them."""
    caplog.set_level(logging.INFO, logger="absl")

    def say(distances, alike=None):
        alike = alike or [(0.2, 0.4)] * len(distances)
        lines = metrics_log.MetricsLog(tmp_path / "metrics.jsonl", 0)
        config = {"seed": 0, "score_every": 10, "steps": 100}
        scoring = Scores(MadeUp(distances, alike), lines.path, config)
        scoring.set_model(toys.trainer(terms=("nonsaturating",), score_every=10, steps=100))
        for step in range(10, 10 * len(distances) + 1, 10):
            scoring.model.step.assign(step)
            scoring.on_train_batch_end(step - 1, logs := {})
            lines.write(step, logs)
        scoring.on_train_end()  # of a part of the training
        scoring.model.stop_training = True
        scoring.on_train_end()
        return [record.getMessage() for record in caplog.records]

    return say


@pytest.mark.parametrize(
    ("distances", "word"),
    [
        ([40, 20, 26, 26, 30, 60], "Step 50: the Frechet distance decays: 30 now, 20 at step 20"),
        ([40, 20, 26, 24, 26, 26], None),
        ([40, 20, 19, 18, 17, 30], None),
        ([1, 2, 3], None),
    ],
)
def test_a_decay_is_said_once(said, distances, word):
    *words, last = said(distances)
    assert len(words) == (word is not None) and (not word or words[0].startswith(word))
    step = 10 * (distances.index(min(distances)) + 1)
    assert last == f"Best Frechet distance: {min(distances)}, at step {step} (--checkpoint=best)."


@pytest.mark.parametrize(
    ("alike", "word"),
    [
        ([(0.9, 0.9), (0.2, 0.4), (0.2, 0.9), (0.2, 0.4), (0.2, 0.9)], None),
        ([(0.5, 0.6)] * 7, None),
        ([(0.9, 0.95)] * 5, None),
        (
            [(0.2, 0.4), (0.7, 0.5), (0.7, 0.8), (0.7, 0.8)],
            "Step 30: the generator collapses: its samples grow alike, MS-SSIM in class cat 0.70 (data 0.20).",
        ),
        (
            [(0.9, 0.95)] * 7,
            "Step 60: the generator collapses: its samples grow alike, "
            "MS-SSIM in class dog 0.95 (data 0.40), in class cat 0.90 (data 0.20).",
        ),
    ],
)
def test_a_collapse_is_said_once_with_the_worst_classes(said, alike, word):
    assert said([10] * len(alike), alike)[:-1] == ([word] if word else [])


# -------------------------------------------------------------------------------------------------------- what it needs


@pytest.mark.parametrize("classes", [None, 1, COUNT])
def test_a_set_that_no_classifier_can_learn_is_refused_before_training(monkeypatch, classes):
    monkeypatch.setattr(data, "describe", lambda *_: data.Description(16, 1, classes))
    with pytest.raises(UsageError, match=f"needs the labels of 2 to 36 classes, and digits has {classes or 'none'}"):
        run.resolve(toys.recipe(score_every=2))
    run.resolve(toys.recipe())


def test_scores_come_never_or_after_some_steps():
    with pytest.raises(UsageError, match="score_every to be at least 0, given -1"):
        toys.recipe(score_every=-1)


def test_held_out_are_the_test_images_or_every_tenth(digits, monkeypatch):
    training, held_out = lookup.sets("digits")
    assert len(training.images) == 1618 and len(held_out.images) == 179
    np.testing.assert_array_equal(held_out.images[1], digits.pixels[19])
    parts = {"train": digits._replace(pixels=digits.pixels[:9]), "test": digits._replace(pixels=digits.pixels[9:12])}
    monkeypatch.setattr(data, "load", lambda name, *, image_size, data_dir, split="train": parts[split])
    assert [len(part.images) for part in lookup.sets("some")] == [9, 3]
