"""AC-GAN's networks: the shapes of the appendix, the class at the input, and what D says."""

import numpy as np
import pytest
import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.networks import acgan
from tfdfm.networks.layers import BatchNorm, BatchStatistics
from tfdfm.random import Noise, Random


def images(size=16, batch=4):
    return np.random.default_rng(0).uniform(-1, 1, (batch, size, size, 3)).astype(np.float32)


def discriminator(size=16, classes=5, **kwargs):
    made = acgan.ACGANDiscriminator(size, classes, width=2, seed=0, **kwargs)
    made(images(size))
    return made


def noise(purpose="data"):
    return Noise(Random(0, tf.constant(0, tf.int64), tf.constant(0, tf.int64)), purpose)


@pytest.mark.parametrize(
    ("size", "width", "base", "maps"),
    [(32, 96, 4, [192, 96, 3]), (64, 192, 4, [384, 256, 192, 3]), (128, 192, 8, [384, 256, 192, 3])],
)
def test_the_generators_are_the_appendixs(size, width, base, maps):
    made = acgan.ACGANGenerator(size, 3, 10, width=width, seed=0)
    assert made(tf.zeros([1, 100]), labels=tf.zeros([1], tf.int32)).shape == (1, size, size, 3)
    assert made.project.kernel.shape == (110, base**2 * 4 * width) and made.project.use_bias
    layers = [*made.convs, made.last]
    assert [layer.kernel.shape[2] for layer in layers] == maps  # a transposed kernel is [h, w, out, in]
    assert {(*layer.kernel.shape[:2], *layer.strides) for layer in layers} == {(5, 5, 2, 2)}
    assert len(made.norms) == len(maps) - 1
    assert not any(layer.use_bias for layer in made.convs) and made.last.use_bias


@pytest.mark.parametrize(("size", "side"), [(16, 2), (32, 4), (64, 8), (128, 16)])
def test_the_discriminator_is_the_appendixs(size, side):
    made = acgan.ACGANDiscriminator(size, 10, seed=0)
    made(tf.zeros([1, size, size, 3]))
    assert [layer.kernel.shape[3] for layer in made.convs] == [16, 32, 64, 128, 256, 512]
    assert [layer.strides[0] for layer in made.convs] == [2, 1, 2, 1, 2, 1]
    assert {tuple(layer.kernel.shape[:2]) for layer in made.convs} == {(3, 3)}
    assert made.feature_shape == (side, side, 512) and made.num_features == side**2 * 512
    assert made.head.kernel.shape == (made.num_features, 11)
    assert [layer.use_bias for layer in made.convs] == [True] + [False] * 5
    assert [isinstance(layer, BatchNorm) for layer in made.norms] == [False] + [True] * 5


def test_what_d_says_is_the_linear_layers_of_its_last_maps():
    made = discriminator()
    output = made(images())
    phi = output.features.numpy()
    assert phi.min() == 0 and phi.shape == (4, made.num_features) and output.class_logits.shape == (4, 5)
    x = images()
    for conv, norm in zip(made.convs, made.norms, strict=True):
        maps = norm(conv(x)).numpy()
        x = np.where(maps > 0, maps, 0.2 * maps)
    flat = x.reshape(4, -1)
    np.testing.assert_allclose(phi, np.maximum(flat, 0), atol=1e-6)  # the paper's activations, negative part cut
    said = flat @ made.head.kernel.numpy() + made.head.bias.numpy()
    np.testing.assert_allclose(output.score, said[:, 0], atol=1e-5)
    np.testing.assert_allclose(output.class_logits, said[:, 1:], atol=1e-5)


def test_labels_change_the_sample_and_nothing_that_d_says():
    made = acgan.ACGANGenerator(16, 3, 5, width=4, seed=0)
    latents = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    one, two = (made(latents, labels=tf.fill([4], label)).numpy() for label in (1, 2))
    assert (one != two).reshape(4, -1).any(1).all()
    critic = discriminator()
    np.testing.assert_array_equal(critic(images(), labels=tf.fill([4], 1)).score, critic(images()).score)


def test_noise_is_in_training_only_and_its_deviation_a_key():
    still, noisy = discriminator(), discriminator(noise=0.5)
    np.testing.assert_array_equal(still(images()).score, noisy(images()).score)
    dropped = still(images(), noise=noise())
    np.testing.assert_array_equal(still(images(), noise=noise()).score, dropped.score)
    others = [still(images()), still(images(), noise=noise("samples")), noisy(images(), noise=noise())]
    assert all((other.score.numpy() != dropped.score.numpy()).all() for other in others)


def test_half_of_each_convolutions_activations_are_dropped(monkeypatch):
    rates, drop = [], Noise.dropout
    monkeypatch.setattr(
        Noise, "dropout", lambda self, x, rate: rates.append((x.shape[-1], rate)) or drop(self, x, rate)
    )
    discriminator()(images(), noise=noise())
    assert rates == [(2 * 2**i, 0.5) for i in range(6)]


def test_mixed_bfloat16_keeps_what_it_says_float32():
    made = discriminator(dtype="mixed_bfloat16", noise=0.1)
    output = made(images(), statistics=BatchStatistics(), noise=noise())
    assert output.score.dtype == output.features.dtype == output.class_logits.dtype == tf.float32
    np.testing.assert_allclose(made(images()).score, discriminator()(images()).score, atol=0.02)
    maker = acgan.ACGANGenerator(16, 3, 5, width=4, seed=0, dtype="mixed_bfloat16")
    assert maker(tf.zeros([2, 8]), labels=tf.zeros([2], tf.int32)).dtype == tf.float32


@pytest.mark.parametrize(("kind", "size", "side"), [("G", 20, 8), ("G", 72, 16), ("D", 20, 8)])
def test_wrong_sizes_are_refused(kind, size, side):
    with pytest.raises(UsageError, match=f"multiple of {side}, given {size}. Set --config.image_size"):
        acgan.ACGANGenerator(size, 3, seed=0) if kind == "G" else acgan.ACGANDiscriminator(size, 5, seed=0)
