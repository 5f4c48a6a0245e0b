import made_up
import numpy as np
import pytest
from scipy.linalg import sqrtm

from tfdfm.metrics.fid import Statistics, frechet_distance, from_moments, statistics

ORACLE = "frechet_classifier_distance_from_activations"


def distance(one, other):
    return frechet_distance(statistics(one), statistics(other))


def reference(one, other):
    s1, s2 = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    return np.sum((one.mean(0) - other.mean(0)) ** 2) + np.trace(s1 + s2 - 2 * sqrtm(s1 @ s2).real)


def truth(one, other):
    """From the singular values of the centred features, without a covariance."""
    a, b = ((x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (one, other))
    shared = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return np.sum((one.mean(0) - other.mean(0)) ** 2) + np.sum(a**2) + np.sum(b**2) - 2 * shared


@pytest.mark.parametrize(("count", "width"), [(500, 64), (700, 128)])
def test_it_is_scipys_and_tensorflow_gans(count, width):
    real, fake = made_up.features(count, width), made_up.features(count + 7, width, seed=1, shift=0.1, scale=1.3)
    value = distance(real, fake)
    assert value == pytest.approx(reference(real, fake), rel=1e-8)
    theirs = made_up.oracle(ORACLE, 1e4 * real, 1e4 * fake) / 1e8  # far above the 1e-10 that they take for 0
    assert value == pytest.approx(theirs, rel=1e-6)
    assert distance(fake, real) == pytest.approx(value, rel=1e-10)


@pytest.mark.parametrize(
    ("counts", "width"), [((20, 30), 64), ((64, 64), 64), ((50, 500), 64), ((65, 64), 64), ((300, 200), 2048)]
)
def test_with_fewer_samples_than_features_it_is_the_truth(counts, width):
    real = made_up.features(counts[0], width)
    fake = made_up.features(counts[1], width, seed=1, scale=1.1)
    assert distance(real, fake) == pytest.approx(truth(real, fake), rel=1e-6)
    near = real + 1e-3 * made_up.features(counts[0], width, seed=2)
    assert distance(real, near) == pytest.approx(truth(real, near), rel=1e-6)


def test_moments_with_few_samples_are_near_the_truth():
    real, fake = made_up.features(50, 128), made_up.features(60, 128, seed=1, scale=1.1)
    moments = [from_moments(x.mean(0), np.cov(x, rowvar=False)) for x in (real, fake)]
    assert [len(of.root) for of in moments] == [49, 59]
    assert frechet_distance(*moments) == pytest.approx(truth(real, fake), rel=1e-6)


@pytest.mark.parametrize(("count", "width"), [(500, 64), (30, 64), (5000, 32)])
def test_identities(count, width):
    real, fake = made_up.features(count, width), made_up.features(count, width, seed=1, shift=0.2)
    value, size = distance(real, fake), np.trace(np.cov(real, rowvar=False))
    rotation = np.linalg.qr(np.random.default_rng(3).normal(size=(width, width)))[0]
    assert distance(real, real) == pytest.approx(0, abs=1e-9 * size)
    assert distance(real, real + 1) == pytest.approx(width, rel=1e-9)
    assert distance(real @ rotation, fake @ rotation) == pytest.approx(value, rel=1e-7)
    assert distance(real + 100, fake + 100) == pytest.approx(value, rel=1e-7)
    assert distance(3 * real, 3 * fake) == pytest.approx(9 * value, rel=1e-7)


def test_gaussians_of_one_shape_have_a_closed_form():
    real = made_up.features(3000, 16)
    assert distance(real, 2 * real - real.mean(0)) == pytest.approx(np.trace(np.cov(real, rowvar=False)), rel=1e-8)


def test_constants_and_features_without_variance():
    assert distance(np.zeros((100, 64)), np.ones((80, 64))) == 64
    assert distance(np.ones((9, 64)), np.ones((9, 64))) == 0
    real, fake = made_up.features(900, 64), made_up.features(900, 64, seed=1, shift=0.2)
    real[:, 10:30] = fake[:, 10:30] = 0.1  # dead units
    live = np.r_[0:10, 30:64]
    assert distance(real, fake) == pytest.approx(distance(real[:, live], fake[:, live]), rel=1e-8)
    assert distance(np.ones((100, 64)), real) == pytest.approx(
        np.sum((real.mean(0) - 1) ** 2) + np.trace(np.cov(real, rowvar=False)), rel=1e-10
    )


def test_order_blocks_and_types_change_nothing(tmp_path):
    real, fake = (x.astype(np.float32) for x in (made_up.features(5000, 64), made_up.features(4500, 64, seed=1)))
    order = np.random.default_rng(7).permutation(5000)
    value = distance(real, fake)
    assert distance(real[order], fake[::-1]) == pytest.approx(value, rel=1e-10)
    assert distance(real.astype(np.float64), fake) == pytest.approx(value, rel=1e-10)
    np.save(tmp_path / "features.npy", real)
    assert distance(np.load(tmp_path / "features.npy", mmap_mode="r"), fake) == value
    assert distance(real, fake) == value
    bytes_ = np.random.default_rng(0).integers(0, 256, (300, 8), np.uint8)
    assert distance(bytes_, bytes_[::-1].astype(float) + 1) == pytest.approx(8, rel=1e-9)


def test_statistics_are_the_mean_and_a_root_of_the_covariance():
    for features in (made_up.features(5000, 64), made_up.features(30, 64)):
        mean, root = statistics(features)
        np.testing.assert_allclose(mean, features.mean(0), rtol=0, atol=1e-12)
        np.testing.assert_allclose(root.T @ root, np.cov(features, rowvar=False), rtol=0, atol=1e-12)
    assert len(root) == 30  # few samples are their own root: no covariance is made


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((1, 8)), "at least 2 samples. Received 1. Make more"),
        (np.full((5, 8), np.nan), "finite features. Received NaN or infinity in row 0"),
        (np.zeros((5, 4, 4, 2)), r"shape \[N, D\]. Received float64 of shape \[5, 4, 4, 2\]. Flatten"),
        (np.zeros((5, 0)), r"Received float64 of shape \[5, 0\]"),
    ],
)
def test_wrong_features_are_errors(features, message):
    with pytest.raises(ValueError, match=message):
        statistics(features)


@pytest.mark.parametrize(
    ("mean", "covariance", "message"),
    [
        (np.zeros(3), np.zeros((2, 2)), r"Received \[3\] and \[2, 2\]"),
        (np.zeros(2), np.array([[1, np.nan], [np.nan, 1]]), "finite symmetric covariance"),
        (np.zeros(2), np.array([[1, 0.5], [0, 1]]), "finite symmetric covariance"),
    ],
)
def test_wrong_moments_are_errors(mean, covariance, message):
    with pytest.raises(ValueError, match=message):
        from_moments(mean, covariance)


def test_statistics_of_different_classifiers_do_not_compare():
    with pytest.raises(ValueError, match="as many features in both. Received 3 and 4"):
        frechet_distance(Statistics(np.zeros(3), np.eye(3)), Statistics(np.zeros(4), np.eye(4)))
