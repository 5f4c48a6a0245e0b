import made_up
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from tfdfm import arrays
from tfdfm.metrics.precision_recall import precision_and_recall


def reference(real, fake, k=3):
    reach = [np.sort(cdist(x, x), axis=1)[:, k] for x in (real, fake)]
    between = cdist(real, fake)
    return (between <= reach[0][:, None]).any(axis=0).mean(), (between <= reach[1]).any(axis=1).mean()


@pytest.mark.parametrize("neighbours", [1, 3, 5])
@pytest.mark.parametrize(("counts", "width"), [((200, 300), 8), ((150, 100), 64), ((60, 70), 2048)])
def test_it_is_the_reference(counts, width, neighbours):
    real = made_up.features(counts[0], width)
    fake = made_up.features(counts[1], width, seed=1, shift=0.1, scale=0.7)
    found = precision_and_recall(real, fake, neighbours)
    assert found == reference(real, fake, neighbours)
    assert found.recall < found.precision  # a fake set too narrow
    assert precision_and_recall(fake, real, neighbours) == found[::-1]


def test_blocks_order_and_type_change_nothing(monkeypatch):
    real, fake = (x.astype(np.float32) for x in (made_up.features(210, 16), made_up.features(190, 16, seed=1)))
    whole = precision_and_recall(real, fake)
    monkeypatch.setattr(arrays.blocks, "__defaults__", (64,))
    assert precision_and_recall(real, fake) == whole == reference(real.astype(float), fake.astype(float))
    assert precision_and_recall(real[::-1], fake[np.random.default_rng(7).permutation(190)]) == whole


def test_limits():
    real = made_up.features(100, 16)
    assert precision_and_recall(real, real) == (1, 1)
    assert precision_and_recall(real, real + 100) == (0, 0)
    constant = np.full((50, 16), 0.1)
    assert precision_and_recall(constant, constant) == (1, 1)
    assert precision_and_recall(real, np.repeat(real[:1], 50, axis=0)) == (
        1,
        0.01,
    )  # one image: only itself is recalled
    one_hot = np.eye(8)[np.arange(80) % 8]  # distances of 0 and of sqrt 2 only
    assert precision_and_recall(one_hot, one_hot[:40]) == (1, 1)


def test_duplicates_far_from_the_origin_are_at_distance_zero():
    real = np.repeat(made_up.features(20, 64) + 1e4, 5, axis=0)
    assert precision_and_recall(real, real[::5]) == (1, 1)
    assert precision_and_recall(real, real[:40] + 1e-2) == (0, 0)


def test_samples_exactly_on_a_ball_are_inside():
    along, across = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 2)))[0].T
    real = 0.1 * np.arange(50)[:, None] * along
    assert precision_and_recall(real, real + 0.1 * across, neighbours=1) == (1, 1)
    assert precision_and_recall(real, real + 0.10001 * across, neighbours=1) == (0, 0)


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (np.zeros((3, 8)), np.zeros((9, 8)), "real features of at least 4 samples. Received 3"),
        (np.zeros((9, 8)), np.zeros((9, 7)), "as many real as fake features"),
        (np.zeros((9, 8)), np.full((9, 8), np.nan), "finite fake features"),
    ],
)
def test_wrong_features_are_errors(real, fake, message):
    with pytest.raises(ValueError, match=message):
        precision_and_recall(real, fake)
