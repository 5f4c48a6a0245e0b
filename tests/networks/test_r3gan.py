"""R3GAN's networks: weights counted as in their code, resampling as a fixed convolution, the grouped product."""

import math

import numpy as np
import pytest
import tensorflow as tf
import toys

from tfdfm.errors import UsageError
from tfdfm.networks.r3gan import GAIN, R3GANDiscriminator, R3GANGenerator, doubled, halved

RECIPE = {
    "terms": ("relativistic", "r1", "r2"),
    "generator": {"network": "R3GAN", "width": 8, "group": 4},
    "discriminator": {"network": "R3GAN", "width": 8, "group": 4},
}
FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32)[:, :, None, None] / 64


def depthwise(x, maps):
    return tf.nn.depthwise_conv2d(x, tf.tile(FILTER, [1, 1, maps, 1]), [1, 2, 2, 1], [[0, 0], [1, 1], [1, 1], [0, 0]])


def test_halving_is_the_filter_with_stride_2():
    x = tf.random.stateless_normal([2, 8, 8, 3], [0, 0])
    np.testing.assert_allclose(halved(x), depthwise(x, 3), rtol=1e-4, atol=1e-5)


def test_doubling_is_four_times_the_transposed_filter():
    x, y = tf.random.stateless_normal([2, 4, 4, 3], [0, 0]), tf.zeros([2, 8, 8, 3])
    with tf.GradientTape() as tape:
        tape.watch(y)
        z = depthwise(y, 3)
    np.testing.assert_allclose(doubled(x), 4 * tape.gradient(z, y, output_gradients=x), rtol=1e-4, atol=1e-5)


def test_a_block_starts_as_the_identity_and_its_product_is_a_grouped_convolution():
    discriminator = R3GANDiscriminator(16, width=8, group=4, seed=0)
    discriminator(tf.zeros([1, 16, 16, 3]))
    block = discriminator.stages[0][0]
    x = tf.random.stateless_normal([2, 5, 5, 8], [0, 0])
    np.testing.assert_array_equal(block(x), x)
    wide = tf.random.stateless_normal([2, 5, 5, 16], [1, 0])
    kernel = block.kernel.numpy().reshape(4, 3, 3, 4, 4)
    apart = [tf.nn.conv2d(part, kernel[g], 1, "SAME") for g, part in enumerate(tf.split(wide, 4, axis=3))]
    np.testing.assert_allclose(block._grouped(wide), tf.concat(apart, 3), rtol=1e-4, atol=1e-5)
    spread = GAIN * len(sum(discriminator.stages, [])) ** -0.25
    assert block.kernel.numpy().std() == pytest.approx(spread / math.sqrt(36), rel=0.1)


@pytest.mark.parametrize("classes", [0, 10])
def test_as_many_weights_as_their_cifar10_preset(classes):
    """A block: 768 x 1536 twice, 96 groups of 16 x 16 x 9, two biases of 1536."""
    generator = R3GANGenerator(32, 3, classes, seed=0)
    discriminator = R3GANDiscriminator(32, classes, seed=0)
    labels = tf.zeros([1], tf.int32) if classes else None
    assert generator(tf.zeros([1, 64]), labels=labels).shape == (1, 32, 32, 3)
    assert discriminator(tf.zeros([1, 32, 32, 3]), labels=labels).features.shape == (1, 768)
    blocks = 8 * (2 * 768 * 1536 + 96 * 9 * 16 * 16 + 2 * 1536)
    g_labels, d_labels = (10 * 64 + 64 * 768, 10 * 768 + 767 * 768) if classes else (0, 0)
    assert generator.basis.numpy().std() == pytest.approx(1, rel=0.05)
    assert generator.count_params() == blocks + 16 * 768 + 64 * 768 + 768 * 3 + g_labels
    assert discriminator.count_params() == blocks + 3 * 768 + 16 * 768 + 768 + d_labels


def test_the_label_chooses_the_direction_of_the_score():
    discriminator = R3GANDiscriminator(16, 3, width=8, group=4, seed=0)
    x = tf.random.stateless_normal([2, 16, 16, 1], [0, 0])
    found = [discriminator(x, labels=tf.fill([2], label)) for label in range(3)]
    for label, output in enumerate(found):
        projected = discriminator.head(output.features).numpy() @ discriminator.embed.kernel.numpy()[label]
        np.testing.assert_allclose(output.score, projected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "group", "message"), [(48, 4, "16, 32, 64 or 128"), (16, 5, "group to divide .* width 8")]
)
def test_what_does_not_fit_is_one_line(size, group, message):
    with pytest.raises(UsageError, match=message):
        R3GANGenerator(size, 3, width=8, group=group, seed=0)


@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.whole)])
def test_a_step_with_both_penalties_is_finite_and_moves_all(jit):
    narrow = {key: RECIPE[key] | {"blocks": 1} for key in ("generator", "discriminator")}
    trainer = toys.trainer(**RECIPE | narrow, jit=jit)
    step = toys.stepper(trainer)
    before = toys.state(trainer)
    for number in range(3):  # biases before the layers that start at 0 wait for those
        logs = step(toys.batch(number))
    assert logs["first_bad_step"] == -1 and logs["discriminator/r1"] > 0
    after = toys.state(trainer)
    still = [name for name in before if np.array_equal(before[name], after[name])]
    assert not [name for name in still if "learning_rate" not in name]
