import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfdfm import arrays
from tfdfm.metrics.cmmd import cmmd


def reference(x, y):
    x, y = (values / np.sqrt((values**2).sum(1))[:, None] for values in (x, y))
    kernel = [np.exp(-((a[:, None] - b) ** 2).sum(2) / (2 * 10**2)) for a, b in ((x, x), (y, y), (x, y))]
    return 1000 * (kernel[0].mean() + kernel[1].mean() - 2 * kernel[2].mean())


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(2, 30), st.integers(1, 8))
def test_it_is_the_reference(seed, count, other, width):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(count, width)), rng.normal(size=(other, width)) + 0.3
    assert cmmd(x, y) == pytest.approx(reference(x, y), rel=1e-6, abs=1e-9)


def test_known_answers():
    """Two points at angle a: |x - y|^2 = 2 - 2 cos a."""
    for angle in (0, 0.5, np.pi / 2, np.pi):
        x, y = np.array([[1.0, 0]] * 3), np.array([[np.cos(angle), np.sin(angle)]] * 5)
        expected = 2000 * (1 - np.exp(-(2 - 2 * np.cos(angle)) / 200))
        assert cmmd(x, y * 7) == pytest.approx(expected, rel=1e-9, abs=1e-9)  # of any length


def test_of_one_distribution_it_is_as_far_above_0_as_the_sum_of_its_diagonals():
    """The unbiased estimate has mean 0; unit vectors of many dimensions are at |x - y|^2 = 2."""
    rng = np.random.default_rng(0)
    drawn = [cmmd(rng.normal(size=(50, 64)), rng.normal(size=(40, 64))) for _ in range(100)]
    expected = 1000 * (1 - np.exp(-2 / 200)) * (1 / 50 + 1 / 40)
    assert abs(np.mean(drawn) - expected) < 4 * np.std(drawn) / 10 and np.std(drawn) < 0.1


def test_blocks_and_types_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(count, 8)).astype(np.float32) for count in (150, 130))
    whole = cmmd(x, y)
    monkeypatch.setattr(arrays.blocks, "__defaults__", (64,))
    assert cmmd(x, y) == pytest.approx(whole, rel=1e-9) == pytest.approx(reference(*map(np.float64, (x, y))), rel=1e-6)
    assert cmmd(x, x) == pytest.approx(0, abs=1e-9)


def test_wrong_embeddings_are_errors():
    x = np.ones([4, 3])
    with pytest.raises(ValueError, match="Expected embeddings that are not 0. Received 0 in row 2"):
        cmmd(x, np.where(np.arange(4)[:, None] == 2, 0, x))
    with pytest.raises(ValueError, match="as many real as fake features"):
        cmmd(x, x[:, :2])
