import made_up
import numpy as np
import pytest
from sklearn.svm import LinearSVC

from tfdfm.metrics.separability import COSTS, LabelledImages, best_cost, pooled, separability


def layers(images):
    x = images.astype(np.float32) / 255
    return x, x[:, ::2, ::2] ** 2


def data(count, seed=0):
    """Two classes: a bright corner, left or right."""
    labels = np.arange(count) % 2
    images = made_up.images(count, 8, seed=seed) // 2
    images[labels == 0, :2, :2] = images[labels == 1, :2, -2:] = 255
    return LabelledImages(images, labels)


def test_pooling_takes_the_maximum_of_each_of_16_cells_of_every_layer():
    first, second = np.arange(2 * 8 * 8 * 3).reshape(2, 8, 8, 3), np.random.default_rng(0).normal(size=(2, 4, 4, 5))
    features = pooled([first, second])
    assert features.shape == (2, 16 * 8)
    np.testing.assert_array_equal(features[:, :48], first.reshape(2, 4, 2, 4, 2, 3).max(axis=(2, 4)).reshape(2, -1))
    np.testing.assert_array_equal(features[:, 48:], second.reshape(2, -1))
    assert pooled([np.zeros((2, 7, 5, 3)), np.zeros((2, 2, 1, 3))]).shape == (2, (4 * 3 + 2 * 1) * 3)


def test_separable_features_are_separated_and_noise_is_not():
    assert separability(layers, data(200), data(100, seed=1)) == 1
    noise = LabelledImages(made_up.images(300, 8), np.arange(300) % 2)
    assert separability(layers, noise, LabelledImages(made_up.images(200, 8, seed=1), np.arange(200) % 2)) < 0.65


def test_the_best_cost_is_one_that_separates():
    def faint(
        images,
    ):  # a cheap machine says the frequent class of all: differences are small beside the largest feature
        return [layers(images)[0][:, :2] / 10, np.ones((len(images), 1, 1, 1))]

    def unequal(of):
        rows = (of.labels == 1) | (np.arange(len(of.labels)) % 10 == 0)
        return LabelledImages(of.images[rows], of.labels[rows])

    training, held_out = unequal(data(200)), unequal(data(100, seed=1))
    cost = best_cost(faint, training)
    assert separability(faint, training, held_out, cost) == 1
    assert separability(faint, training, held_out, COSTS[0]) < 1 and cost > COSTS[0]
    assert best_cost(faint, training) == cost


def test_a_scale_of_the_features_changes_nothing():
    training, held_out = LabelledImages(made_up.images(100, 8), np.arange(100) % 3), data(50)
    one = separability(layers, training, held_out)
    assert separability(layers, training, held_out) == one
    assert separability(lambda images: [1024 * x for x in layers(images)], training, held_out) == one
    assert separability(lambda images: [0 * x for x in layers(images)], training, held_out) in (0, 0.5)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        (LabelledImages(made_up.images(10, 8), np.full(10, 3)), r"two classes or more. Received \[3\] only"),
        (LabelledImages(made_up.images(10, 8), np.arange(9)), "for each of 10 samples"),
        (LabelledImages(made_up.images(10, 8) / 255, np.arange(10)), "as uint8"),
    ],
)
def test_wrong_data_are_errors(training, message):
    with pytest.raises(ValueError, match=message):
        separability(layers, training, data(10))


def test_the_machine_sees_the_same_rows_whatever_order_they_come_in(monkeypatch):
    seen = []

    class Machine(LinearSVC):
        def fit(self, features, labels):
            seen.append(np.column_stack([features, labels]))
            return super().fit(features, labels)

    monkeypatch.setattr("tfdfm.metrics.separability.LinearSVC", Machine)
    training, held_out = data(50), data(10)
    for rows in (slice(None), slice(None, None, -1)):
        separability(layers, LabelledImages(training.images[rows], training.labels[rows]), held_out)
    np.testing.assert_array_equal(*seen)
    assert not np.array_equal(seen[0][:, -1], training.labels)


def test_activations_that_are_not_finite_are_an_error():
    with pytest.raises(ValueError, match="finite features"):
        separability(lambda images: [np.full((len(images), 4, 4, 1), np.nan)], data(10), data(10))
