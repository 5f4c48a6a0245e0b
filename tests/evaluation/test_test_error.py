"""The test error of a discriminator that classifies: while it trains, and in evaluate."""

import json

import commands
import numpy as np
import pytest

from tfdfm import cli, data, evaluate, train
from tfdfm.errors import UsageError
from tfdfm.evaluation.requests import Request
from tfdfm.sampling import restore

TINY = {
    "dataset": "digits",
    "image_size": 8,
    "num_labelled": 20,
    "batch_size": 10,
    "steps": 4,
    "test_every": 2,
    "checkpoint_every": 4,
    "generator.width": 8,
    "discriminator.width": 32,
}


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    """Digits in place of MNIST, the last 500 of them as test images."""
    load = data.load

    def halves(name, *, split="train", **how):
        found = load(name, **how)
        rows = slice(-500, None) if split == "test" else slice(0, -500)
        return found._replace(pixels=found.pixels[rows], labels=found.labels[rows])

    monkeypatch.setattr(data, "load", halves)
    flags = [f"--config.{key}={value}" for key, value in TINY.items()]
    flags += ["--config=mnist_improved_ssl", f"--run_dir={tmp_path / 'run'}", "--jit=off", "--config.log_every=1"]
    assert train.main(cli.parse(["", *flags], train.define, "")) == 0
    return tmp_path / "run"


def test_training_and_evaluate_say_what_a_count_by_hand_says(run_dir, tmp_path, capsys):
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    errors = {row["step"]: row["score/test_error"] for row in rows if "score/test_error" in row}
    assert list(errors) == [2, 4]
    network, held_out = restore.discriminator(run_dir), data.load("digits", image_size=8, split="test")
    logits = network(held_out.pixels.astype(np.float32) / 127.5 - 1).class_logits.numpy()
    wrong = [np.argmax(row) != label for row, label in zip(logits, held_out.labels, strict=True)]
    assert errors[4] == pytest.approx(100 * sum(wrong) / 500) and 10 < errors[4] < 95
    out = tmp_path / "scores.json"
    flags = [
        f"--run_dir={run_dir}",
        "--metrics=test_error",
        f"--json={out}",
        "--num=10",
        "--classifier=efficientnet_lite0",
    ]
    evaluate.main(cli.parse(["", *flags], evaluate.define, ""))
    record = json.loads(out.read_text())["test_error"]
    assert record["value"] == pytest.approx(errors[4]) and record["samples"] == 500
    assert record["reference"]["name"] == "digits:test" and record["of"]["checkpoint"] == 4
    assert "test_error" in capsys.readouterr().out


def test_a_run_that_tells_no_classes_has_no_test_error(made):
    request = Request(made("digits-seed0"), None, num=10, classifier="efficientnet_lite0")
    assert request._test_error() is None
    flags = [f"--run_dir={request.run_dir}", "--metrics=test_error", "--num=10", "--classifier=efficientnet_lite0"]
    with pytest.raises(UsageError, match="test_error needs a run whose discriminator tells the classes"):
        evaluate.main(cli.parse(["", *flags], evaluate.define, ""))


def test_a_model_of_some_classes_is_tested_on_theirs_alone(run_dir):
    """What the run learned does not matter here: only which images are counted."""
    commands.change(run_dir, class_range=[2, 5])
    error, record = Request(run_dir, None)._test_error()()
    labels = data.load("digits", image_size=8, split="test").labels
    assert record["images"] == np.sum((labels >= 2) & (labels < 5)) and 0 <= error <= 100
