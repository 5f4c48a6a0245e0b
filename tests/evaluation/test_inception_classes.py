"""Accuracy by an Inception network whose logits are in another order than the classes, and of more than they are."""

import numpy as np
import pytest
from frozen import PLACES, archive, graph_def, label_map

from tfdfm import arrays
from tfdfm.classifiers import inception_file, lookup
from tfdfm.classifiers.features import features
from tfdfm.errors import UsageError
from tfdfm.evaluation import image_sets, scores
from tfdfm.evaluation.evaluation import Evaluation
from tfdfm.metrics.inception_score import inception_score

GRAPH, NAMES = graph_def(True).SerializeToString(), tuple(sorted(PLACES))
ACCURACIES = ("accuracy", "accuracy_by_resolution", "accuracy_and_ms_ssim")


def evaluation(path) -> Evaluation:
    """Random images, each labelled as what the graph holds it for among its classes."""
    classifier = lookup.find(f"inception2015:{path}")
    rng = np.random.default_rng(0)
    images = rng.integers(2, 256, (1, 24, 24, 3)) * rng.random((64, 1, 1, 3)) + rng.uniform(0, 9, (64, 24, 24, 3))
    images = images.astype(np.uint8)
    labels = features(images, classifier).logits[:, [PLACES[name] for name in NAMES]].argmax(axis=1)
    kept = np.bincount(labels, minlength=4)[labels] > 1  # MS-SSIM is of pairs
    images, labels = images[kept], labels[kept]
    real = image_sets.ReferenceImages("real", images, labels, NAMES, {})
    return Evaluation(image_sets.ScoredImages(images, labels, NAMES, {}, stored=False), real, classifier, splits=1)


def test_accuracy_is_of_the_classes_and_the_inception_score_of_all_logits(tmp_path, monkeypatch):
    """Each class's logit is at another place than its own number: taken as they are, they would be right on none."""
    (tmp_path / "a.tgz").write_bytes(archive({inception_file.GRAPH: GRAPH, inception_file.LABELS: label_map(PLACES)}))
    this = evaluation(tmp_path / "a.tgz")
    logits, labels = this.features.logits, this.labels
    assert len(set(labels)) > 1 and (logits.argmax(axis=1) != labels).all()
    found, _ = scores.evaluate(this, [*ACCURACIES[:2], "inception_score"])
    assert [found.records[name]["value"] for name in ACCURACIES[:2]] == [1, 1]
    expected = inception_score(logits, 1, keys=arrays.digests(this.scored.images)).value
    assert logits.shape[1] == 5 and found.records["inception_score"]["value"] == expected
    monkeypatch.setattr(scores, "PAIRS", 1)
    pairs = scores.score(this, ACCURACIES[2]).records[ACCURACIES[2]]["per_class"]
    assert {name: pair[0] for name, pair in pairs.items()} == {NAMES[label]: 1 for label in set(labels)}


def test_a_graph_without_its_label_map_gives_no_accuracy(tmp_path):
    (tmp_path / "a.pb").write_bytes(GRAPH)
    this = evaluation(tmp_path / "a.pb")
    assert "accuracy" not in scores.select(None, this)
    for name in ACCURACIES:
        with pytest.raises(UsageError, match=f"^{name} needs .* inception2015 with the label map .*tgz"):
            scores.select([name], this)
