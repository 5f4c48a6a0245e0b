import made_up
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from tfdfm.metrics.authenticity import authenticity


def test_on_a_line():
    """The real ones lie at 0, 1 and 10: 1.5 is nearer to 1 than 0 is, 12 nearer to 10 than 1 is, -3 far from 0."""
    found = authenticity(np.array([[0.0], [1], [10]]), np.array([[1.5], [12], [-3]]))
    assert found.rows.tolist() == [1, 2, 0]
    assert found.distances.tolist() == [0.5, 2, 3] and found.reaches.tolist() == [1, 9, 1]
    assert found.value == pytest.approx(1 / 3)


def test_it_is_the_definition():
    real, fake = made_up.features(300, 12), made_up.features(80, 12, seed=1)
    among = cdist(real, real) + np.diag(np.full(300, np.inf))
    across = cdist(fake, real)
    nearest = across.argmin(axis=1)
    found = authenticity(real, fake)
    np.testing.assert_array_equal(found.rows, nearest)
    np.testing.assert_allclose(found.distances, across.min(axis=1))
    np.testing.assert_allclose(found.reaches, among.min(axis=1)[nearest])
    assert found.value == np.mean(across.min(axis=1) > among.min(axis=1)[nearest])


def test_copies_are_told_from_fresh_data():
    real, fresh = made_up.features(1000, 8), made_up.features(500, 8, seed=2)
    assert authenticity(real, real[:500]).value == 0
    assert authenticity(real, real[:500] + 1e-4).value == 0
    assert 0.4 < authenticity(real, fresh).value < 0.7
    assert authenticity(real, fresh + 100).value == 1


def test_real_data_that_come_twice_make_nothing_authentic_but_what_is_apart():
    real = np.array([[0.0], [0.0], [5.0]])
    assert authenticity(real, np.array([[0.0], [0.1], [5.0]])).distances.tolist() == [0, 0.1, 0]
    assert authenticity(real, np.array([[0.0], [0.1], [5.0]])).value == pytest.approx(1 / 3)


def test_other_features_are_an_error():
    with pytest.raises(ValueError, match="as many real as fake features. Received 8 and 9"):
        authenticity(made_up.features(20, 8), made_up.features(20, 9))
