"""AC-GAN's class loss beside any game, against values worked by hand, and the discriminators that tell classes."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tfdfm import recipes
from tfdfm.errors import UsageError
from tfdfm.networks.dcgan import DCGANDiscriminator
from tfdfm.networks.iliescu import IliescuDiscriminator
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives.class_loss import ClassLoss
from tfdfm.training import build

EVEN, SURE = np.log([0.5, 0.5]), np.log([0.75, 0.25])
FORWARD = SimpleNamespace(
    real=DiscriminatorOutput(tf.zeros(2), class_logits=tf.constant([EVEN, SURE], tf.float32)),
    fake=DiscriminatorOutput(tf.zeros(2), class_logits=tf.constant([SURE, SURE], tf.float32)),
    labels=tf.constant([0, 0]),
    sample_labels=tf.constant([0, 1]),
)


def test_each_player_has_its_own_images_and_weight():
    term = ClassLoss(weight=2.0, generator_weight=0.5)
    np.testing.assert_allclose(term.discriminator_loss(FORWARD)["class"], [2 * np.log(2), 2 * np.log(4 / 3)], rtol=1e-6)
    np.testing.assert_allclose(term.generator_loss(FORWARD)["class"], [np.log(4 / 3) / 2, np.log(4) / 2], rtol=1e-6)
    assert float(term.diagnostics(FORWARD, {})["discriminator/class_accuracy_samples"]) == 0.5


@pytest.mark.parametrize("network", [DCGANDiscriminator, IliescuDiscriminator])
def test_what_d_tells_of_the_class_is_of_the_image_alone_where_labels_are_projected(network):
    images = tf.random.stateless_uniform([4, 32, 32, 3], [0, 1], -1, 1)
    made = network(32, 3, width=4, projection=True, class_logits=True, seed=1)
    one, other = (made(images, tf.constant(labels)) for labels in ([0, 1, 2, 0], [1, 1, 1, 1]))
    assert one.class_logits.shape == (4, 3) and one.class_logits.dtype == tf.float32
    np.testing.assert_array_equal(one.class_logits, other.class_logits)
    assert not np.allclose(one.score, other.score)
    np.testing.assert_allclose(
        one.class_logits, one.features @ made.classes.kernel + made.classes.bias, rtol=1e-4, atol=1e-5
    )


def test_without_the_key_there_is_nothing_to_learn_from():
    assert (
        IliescuDiscriminator(32, 3, width=4, seed=1)(tf.zeros([2, 32, 32, 3]), tf.constant([0, 1])).class_logits is None
    )
    config = recipes.recipe("cifar10_quick_acgan")
    config.discriminator.class_logits, config.image_size = False, 32
    with pytest.raises(UsageError, match="'class_loss' needs the discriminator's class_logits"):
        build.trainer(recipes.check(config), channels=3, num_classes=10, jit=False)
