import made_up
import numpy as np
import pytest
from scipy.special import softmax

from tfdfm.metrics.inception_score import inception_score, modified_inception_score


def reference(logits):
    p = softmax(logits.astype(np.float64), axis=1)
    q = p.mean(axis=0)
    return np.exp((p * (np.log(p) - np.log(q))).sum(axis=1).mean())


@pytest.mark.parametrize(("count", "classes"), [(600, 10), (3000, 1008), (1009, 64)])
def test_one_split_is_the_reference_and_tensorflow_gans(count, classes):
    logits = made_up.logits(count, classes)
    score = inception_score(logits, splits=1)
    assert score.value == pytest.approx(reference(logits), rel=1e-12)
    assert score.value == pytest.approx(made_up.oracle("classifier_score_from_logits", logits), rel=1e-12)
    assert score.spread == 0


def test_groups_are_all_the_samples_shuffled():
    logits = made_up.logits(1003, 10)
    halves = inception_score(logits, splits=2)
    other = inception_score(logits, splits=2, seed=1)
    assert halves != other and halves.value == pytest.approx(other.value, rel=0.05)
    whole = inception_score(logits, splits=1).value
    assert halves.value < whole + 0.05 * whole and halves.spread > 0


def test_samples_sorted_by_class_score_as_shuffled_ones():
    logits = 12.0 * np.repeat(np.eye(10), 50, axis=0) + made_up.logits(500, 10, scale=0.1)
    assert reference(logits[:50]) < 1.1  # what a split without a shuffle would score
    assert inception_score(logits).value > 8


def test_order_and_batches_change_nothing():
    logits = made_up.logits(1000, 10)
    order = np.random.default_rng(7).permutation(1000)
    assert inception_score(logits[order]) == pytest.approx(inception_score(logits), rel=1e-13)
    assert inception_score(logits) == inception_score(logits.copy())


def test_keys_decide_the_groups_when_logits_differ_in_their_last_bit():
    logits, images = made_up.logits(1000, 10), made_up.images(1000)
    nudged, order = np.nextafter(logits, 0), np.random.default_rng(7).permutation(1000)
    score = inception_score(logits, keys=images)
    assert inception_score(nudged[order], keys=images[order]) == pytest.approx(score, rel=1e-12)
    assert inception_score(nudged).value != pytest.approx(inception_score(logits).value, rel=1e-12)


def test_limits():
    same = np.tile(made_up.logits(1, 10), (100, 1))
    assert inception_score(same) == pytest.approx((1, 0), abs=1e-12)
    sure = 2000.0 * np.tile(np.eye(10), (10, 1))  # probabilities of exactly 0 and 1, whose logarithm is not taken
    assert inception_score(sure, splits=1).value == pytest.approx(10, rel=1e-12)
    assert inception_score(sure.astype(np.float32) + 1e4, splits=1).value == pytest.approx(10, rel=1e-12)


@pytest.mark.parametrize(("count", "classes"), [(600, 10), (300, 64)])
def test_modified_score(count, classes):
    logits = made_up.logits(count, classes)
    p = softmax(logits, axis=1)
    q = p.mean(axis=0)
    assert modified_inception_score(logits) == pytest.approx((q * np.log(q / p)).sum(axis=1).mean(), rel=1e-12)
    order = np.random.default_rng(7).permutation(count)
    assert modified_inception_score(logits[order]) == pytest.approx(modified_inception_score(logits), rel=1e-13)


def test_modified_score_of_equal_and_of_sure_samples():
    assert modified_inception_score(np.zeros((20, 10))) == pytest.approx(0, abs=1e-14)
    sure = np.array([[0.0, -1000.0], [-1000.0, 0.0]])  # each half the time: log 1/2 + 1000/2
    assert modified_inception_score(sure) == pytest.approx(500 - np.log(2), rel=1e-12)


@pytest.mark.parametrize(
    ("logits", "splits", "message"),
    [
        (made_up.logits(99, 10), 10, "at least 10 samples .* Received 99 samples in 10 splits. Make more"),
        (made_up.logits(99, 10), 0, "splits >= 1"),
        (made_up.logits(99, 1), 1, "at least 2 classes. Received 1"),
        (np.full((99, 10), np.nan), 1, "finite logits. Received NaN or infinity in row 0"),
        (np.zeros((99, 10, 1)), 1, r"shape \[N, D\]. Received float64 of shape \[99, 10, 1\]"),
        (np.array([["a"]]), 1, "real numbers"),
    ],
)
def test_what_cannot_be_scored_is_an_error(logits, splits, message):
    with pytest.raises(ValueError, match=message):
        inception_score(logits, splits)


def test_the_row_that_is_not_finite_is_named():
    logits = made_up.logits(5000, 10)
    logits[4321, 3] = np.inf
    for score in (inception_score, modified_inception_score):
        with pytest.raises(ValueError, match="row 4321"):
            score(logits)


def test_keys_must_be_one_a_sample_and_modified_score_needs_samples():
    with pytest.raises(ValueError, match="Expected 100 keys, one a sample. Received 99"):
        inception_score(made_up.logits(100, 10), keys=np.zeros((99, 1)))
    with pytest.raises(ValueError, match="at least 10 samples .* Received 9"):
        modified_inception_score(made_up.logits(9, 10))
