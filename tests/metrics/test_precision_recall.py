import made_up
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from tfdfm import arrays
from tfdfm.metrics.precision_recall import manifolds


def reference(real, fake, k=3, k_density=5):
    of_real, of_fake = (np.sort(cdist(x, x), axis=1) for x in (real, fake))
    between = cdist(real, fake)
    dense = between <= of_real[:, k_density, None]
    return (
        (between <= of_real[:, k, None]).any(axis=0).mean(),
        (between <= of_fake[:, k]).any(axis=1).mean(),
        dense.sum() / (k_density * len(fake)),
        dense.any(axis=1).mean(),
    )


@pytest.mark.parametrize("neighbours", [1, 3, 5])
@pytest.mark.parametrize(("counts", "width"), [((200, 300), 8), ((150, 100), 64), ((60, 70), 2048)])
def test_it_is_the_reference(counts, width, neighbours):
    real = made_up.features(counts[0], width)
    fake = made_up.features(counts[1], width, seed=1, shift=0.1, scale=0.7)
    found = manifolds(real, fake, neighbours, 6 - neighbours)
    assert found == reference(real, fake, neighbours, 6 - neighbours)
    assert found.recall < found.precision  # a fake set too narrow
    assert manifolds(fake, real, neighbours)[:2] == found[1::-1]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(6, 40), st.integers(6, 40), st.integers(1, 4), st.integers(1, 5))
def test_it_is_the_reference_where_distances_are_often_equal(seed, count, other, width, k):
    """On a grid of whole numbers, where a sample often lies exactly on a ball or on another sample."""
    rng = np.random.default_rng(seed)
    real, fake = (rng.integers(-3, 4, (size, width)).astype(float) for size in (count, other))
    assert manifolds(real, fake, k, 6 - k) == reference(real, fake, k, 6 - k)


def test_density_and_coverage_of_a_case_by_hand():
    """Real samples at 0, 1, 3, 7 reach their nearest other at 1, 1, 2, 4: balls [-1, 1], [0, 2], [1, 5], [3, 11]."""
    real = np.array([[0.0], [1], [3], [7]])
    fake = np.array([[1.5], [4], [4.5], [20]])  # inside of 2, 2, 2 and none of them
    found = manifolds(real, fake, 1, 1)
    assert (found.density, found.coverage) == (6 / 4, 3 / 4)
    assert manifolds(real, fake[[0, 1, 3]], 1, 2)[2:] == (6 / 6, 1)  # balls [-3, 3], [-1, 3], [0, 6], [1, 13]


def test_an_outlier_among_real_samples_does_not_fool_density():
    """Naeem et al., figure 2: one real sample far away makes a wide ball, in which samples of nothing are precise."""
    rng = np.random.default_rng(0)
    real = np.concatenate([rng.normal(size=(500, 2)), [[20, 20]]])
    fake = rng.normal(size=(500, 2)) * 0.3 + 15  # near no real sample
    found = manifolds(real, fake)
    assert found.precision == 1  # inside the ball of the outlier
    assert found.density == 1 / 5 and found.coverage == 1 / 501


@pytest.mark.parametrize(("count", "other", "k"), [(100, 100, 5), (60, 240, 3), (240, 60, 4)])
def test_of_one_distribution_their_expectations_are_known(count, other, k):
    """Naeem et al., section 3.3: density is 1, coverage 1 - (N-1)...(N-k) / (M+N-1)...(M+N-k), in any distribution."""
    rng = np.random.default_rng(count)
    drawn = [manifolds(rng.normal(size=(count, 4)), rng.normal(size=(other, 4)), k, k) for _ in range(200)]
    steps = np.arange(1, k + 1)
    expected = [1, 1 - np.prod((count - steps) / (other + count - steps))]
    found = np.array(drawn)[:, 2:]
    assert (abs(found.mean(axis=0) - expected) < 4 * found.std(axis=0) / np.sqrt(len(found))).all()
    assert (found.std(axis=0) < 0.15).all()  # so that 4 standard errors are 0.04 at most


def test_blocks_order_and_type_change_nothing(monkeypatch):
    real, fake = (x.astype(np.float32) for x in (made_up.features(210, 16), made_up.features(190, 16, seed=1)))
    whole = manifolds(real, fake)
    monkeypatch.setattr(arrays.blocks, "__defaults__", (64,))
    assert manifolds(real, fake) == whole == reference(real.astype(float), fake.astype(float))
    assert manifolds(real[::-1], fake[np.random.default_rng(7).permutation(190)]) == whole


def test_limits():
    real = made_up.features(100, 16)
    assert manifolds(real, real)[:2] == (1, 1)
    assert manifolds(real, real).density == 6 / 5  # each is in its own ball, too
    assert manifolds(real, real + 100) == (0, 0, 0, 0)
    constant = np.full((50, 16), 0.1)
    assert manifolds(constant, constant) == (1, 1, 10, 1)
    one = manifolds(real, np.repeat(real[:1], 50, axis=0))
    assert one[:2] == (1, 0.01)  # one image: only itself is recalled
    one_hot = np.eye(8)[np.arange(80) % 8]  # distances of 0 and of sqrt 2 only
    assert manifolds(one_hot, one_hot[:40]) == (1, 1, 2, 1)


def test_duplicates_far_from_the_origin_are_at_distance_zero():
    real = np.repeat(made_up.features(20, 64) + 1e4, 6, axis=0)
    assert manifolds(real, real[::3]) == (1, 1, 6 / 5, 1)
    assert manifolds(real, real[:40] + 1e-2) == (0, 0, 0, 0)


def test_samples_exactly_on_a_ball_are_inside():
    along, across = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 2)))[0].T
    real = 0.1 * np.arange(50)[:, None] * along
    assert manifolds(real, real + 0.1 * across, 1, 1) == (1, 1, 1, 1)
    assert manifolds(real, real + 0.10001 * across, 1, 1) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (np.zeros((5, 8)), np.zeros((9, 8)), "real features of at least 6 samples. Received 5"),
        (np.zeros((9, 8)), np.zeros((9, 7)), "as many real as fake features"),
        (np.zeros((9, 8)), np.full((9, 8), np.nan), "finite fake features"),
    ],
)
def test_wrong_features_are_errors(real, fake, message):
    with pytest.raises(ValueError, match=message):
        manifolds(real, fake)
