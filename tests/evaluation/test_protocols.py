"""The papers' protocols, with groups of 60 samples in place of 5,000."""

import json

import numpy as np
import pytest

from tfdfm import arrays
from tfdfm.classifiers import lookup
from tfdfm.errors import Failure
from tfdfm.evaluation import image_sets, protocols
from tfdfm.metrics.inception_score import inception_score

GROUP = 60


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(protocols, "GROUP", GROUP)


@pytest.fixture(scope="module")
def runs(made):
    return [made(f"protocol-seed{seed}", seed=seed) for seed in (1, 2)]


def expected(run_dir, classifier, first, count, groups):
    images = image_sets.of_run(run_dir, "last", count, 0, first).images[:]
    logits = lookup.find(classifier).run(images)[1]
    return inception_score(logits, groups, keys=arrays.digests(images))


def test_dfm_is_ten_groups(score, runs, classifier):
    score(f"--run_dir={runs[0]}", "--protocol=dfm")
    record = json.loads((runs[0] / "evaluation" / "2.json").read_text())["inception_score"]
    value, spread = expected(runs[0], classifier, 0, 10 * GROUP, 10)
    assert record["value"] == pytest.approx(value, rel=1e-5) and record["spread"] == pytest.approx(spread, rel=1e-4)
    assert record["samples"] == 600 and record["splits"] == 10 and record["protocol"] == "dfm"


def test_acgan_chooses_on_some_samples_and_reports_on_others(score, runs, classifier):
    score(f"--run_dir={runs[0]},{runs[1]}", "--protocol=acgan", "--checkpoint=last,2")
    first = [expected(run_dir, classifier, 0, 10 * GROUP, 10).value for run_dir in runs]
    best = runs[int(np.argmax(first))]
    record = json.loads((best / "evaluation" / "2.json").read_text())["inception_score"]
    value, spread = expected(best, classifier, 10 * GROUP, 5 * GROUP, 5)
    assert record["value"] == pytest.approx(value, rel=1e-5) and record["spread"] == pytest.approx(spread, rel=1e-4)
    assert (record["samples"], record["splits"], record["protocol"]) == (300, 5, "acgan")
    assert record["of"]["run"] == best.name and record["of"]["first"] == 600
    assert [each["value"] for each in record["candidates"]] == pytest.approx(
        [x for x in first for _ in range(2)], rel=1e-5
    )


def test_the_protocols_use_the_papers_network_unless_told(runs, monkeypatch):
    asked = []
    monkeypatch.setattr(lookup, "find", lambda name, *_: asked.append(name) or (_ for _ in ()).throw(Failure("no")))
    for protocol in (protocols.dfm, lambda request: protocols.acgan(request, [(runs[0], "last")])):
        with pytest.raises(Failure, match="no"):
            protocol(protocols.Request(runs[0], None))
    assert asked == ["inception2015"] * 2


def test_the_self_check_is_the_score_of_cifar10s_training_images(score, monkeypatch, capsys, classifier):
    """On digits in place of CIFAR-10."""
    monkeypatch.setattr(protocols, "REAL_IMAGES", "digits")
    images = image_sets.of_images("digits", 10 * GROUP, None).images
    logits = lookup.find(classifier).run(images)[1]
    value = inception_score(logits, 10, keys=arrays.digests(images)).value
    with pytest.raises(
        Failure, match=f"training images is {value:.2f}, the papers' 11.24: expected within 0.05. Check"
    ):
        score("--self_check")
    monkeypatch.setattr(protocols, "REAL", round(value, 2))
    score("--self_check")
    assert "the classifier is right" in capsys.readouterr().out
