import made_up
import numpy as np
import pytest
import tensorflow as tf

from tfdfm import arrays
from tfdfm.metrics.kid import kernel_distance, squared_discrepancy

ORACLE = "kernel_classifier_distance_from_activations"


def reference(x, y):
    def mean(a, b, same):
        kernel = (a @ b.T / a.shape[1] + 1) ** 3
        return kernel[~np.eye(len(a), dtype=bool)].mean() if same else kernel.mean()

    return mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)


@pytest.mark.parametrize(("count", "width"), [(200, 64), (100, 2048), (700, 64)])
def test_it_is_the_reference_and_tensorflow_gans(count, width):
    real, fake = made_up.features(count, width), made_up.features(count, width, seed=1, shift=0.1, scale=1.3)
    value = squared_discrepancy(real, fake)
    assert value == pytest.approx(reference(real, fake), rel=1e-9)
    assert value == pytest.approx(float(made_up.oracle(ORACLE, tf.constant(real), tf.constant(fake))), rel=1e-9)


def test_blocks_change_nothing(monkeypatch):
    real, fake = made_up.features(301, 64), made_up.features(205, 64, seed=1, shift=0.1)
    whole = squared_discrepancy(real, fake)
    monkeypatch.setattr(arrays.blocks, "__defaults__", (50,))
    assert squared_discrepancy(real, fake) == pytest.approx(whole, rel=1e-10)
    assert squared_discrepancy(real.astype(np.float32), fake) == pytest.approx(whole, rel=1e-4)


def test_one_subset_of_all_samples_is_the_whole_and_many_surround_it():
    real, fake = made_up.features(400, 64), made_up.features(400, 64, seed=1, shift=0.3)
    whole = squared_discrepancy(real, fake)
    one = kernel_distance(real, fake, subsets=1, size=400)
    assert one.value == pytest.approx(whole, rel=1e-9) and one.spread == 0
    many = kernel_distance(real, fake, subsets=50, size=100)
    assert many.value == pytest.approx(whole, abs=4 * many.spread / np.sqrt(50)) and many.spread > 0
    drawn = kernel_distance(real, fake, subsets=3, size=100)
    assert drawn.spread > 0  # no subset twice


def test_unbiased_around_zero_for_one_distribution():
    values = [
        squared_discrepancy(made_up.features(60, 16, seed=s), made_up.features(60, 16, seed=s + 500))
        for s in range(100)
    ]
    assert np.mean(values) == pytest.approx(0, abs=4 * np.std(values) / 10)
    assert min(values) < 0 < max(values)


def test_order_changes_nothing_and_the_seed_decides():
    real, fake = made_up.features(300, 64), made_up.features(310, 64, seed=1, shift=0.1)
    score = kernel_distance(real, fake, subsets=5, size=100)
    shuffled = kernel_distance(real[::-1], fake[np.random.default_rng(7).permutation(310)], subsets=5, size=100)
    assert shuffled == pytest.approx(score, rel=1e-9)
    assert kernel_distance(real, fake, subsets=5, size=100) == score
    assert kernel_distance(real, fake, subsets=5, size=100, seed=1) != score
    keys = made_up.images(300), made_up.images(310, seed=1)
    keyed = kernel_distance(real, fake, subsets=5, size=100, keys=keys)
    nudged = kernel_distance(np.nextafter(real, 0), fake[::-1], subsets=5, size=100, keys=(keys[0], keys[1][::-1]))
    assert nudged == pytest.approx(keyed, rel=1e-9)


def test_identical_and_constant_features():
    constant = np.full((50, 8), 2.0)
    assert kernel_distance(constant, constant, subsets=2, size=20) == (0, 0)
    assert squared_discrepancy(constant, constant + 1) == pytest.approx(5**3 + 10**3 - 2 * 7**3, rel=1e-12)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (np.zeros((999, 8)), np.zeros((1000, 8)), "real features of at least 1,000 samples. Received 999"),
        (np.zeros((1000, 8)), np.zeros((1000, 9)), "as many real as fake features. Received 8 and 9"),
        (np.zeros((1000, 8)), np.full((1000, 8), np.inf), "finite fake features. Received NaN or infinity in row 0"),
    ],
)
def test_wrong_features_are_errors(real, fake, message):
    with pytest.raises(ValueError, match=message):
        kernel_distance(real, fake)
