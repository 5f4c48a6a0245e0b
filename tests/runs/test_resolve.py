"""Recipes that their data or labels do not allow."""

import pytest

from tfdfm import recipes
from tfdfm.errors import UsageError
from tfdfm.runs import run


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_labelled": 50}, "batches of 100 labelled images, given num_labelled=50"),
        ({"num_labelled": 0}, "batches of 100 labelled images, given num_labelled=0"),
        ({"dataset": "stl10", "image_size": 32}, "num_labelled=100 needs labels, and stl10 has none"),
        ({"terms": ("feature_matching_game",)}, "No term of this recipe learns from labels"),
    ],
)
def test_labels_that_cannot_be_are_an_error_before_training(changes, message):
    config = recipes.recipe("mnist_improved_ssl")
    config.update(changes)
    with pytest.raises(UsageError, match=message):
        run.resolve(config)


def test_a_discriminator_given_labels_may_not_miss_some_of_the_datas():
    config = recipes.recipe("digits_conditional")
    config.num_labelled = 100
    with pytest.raises(UsageError, match="num_labelled=100 leaves images without a label.*--config.num_labelled=0"):
        run.resolve(config)


def test_a_test_error_needs_a_discriminator_that_classifies():
    config = recipes.recipe("digits")
    config.test_every = 10
    with pytest.raises(UsageError, match="test_every=10 needs a discriminator that tells classes"):
        run.resolve(config)
