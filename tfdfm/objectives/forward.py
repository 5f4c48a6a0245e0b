"""The forward passes of one joint update: the tensors that objectives are made of.

Glossary: x data, z latents, G generator, D = d o Phi discriminator, Phi its features, r denoiser, B batch, F
features.
"""

import tensorflow as tf

from tfdfm import latents
from tfdfm.images import from_uint8
from tfdfm.random import Noise


class once:
    """`functools.cached_property` without the lock that Python 3.11 holds over all instances: replicas are threads
    that wait for each other (synchronised batch norm) within such a property."""

    def __init__(self, function):
        self._function, self.__doc__ = function, function.__doc__

    def __set_name__(self, owner, name):
        self._name = name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._function(instance)
        return value


class Forward:
    """The tensors of one replica, each made on first use inside the update's tape.

    Data and samples are separate calls, each with its own batch statistics. `tracked` are those that the population
    statistics learn from (the generator's, and the data's in D and r), `untracked` those of samples in D and r. Both
    None: frozen batch norm.

    Args:
        networks: by name: "generator", "discriminator" and those that the objectives add.
        images: uint8 [B, H, W, C].
        labels: int32 [B], -1 where an image's is not known; None of unconditional models.
        labelled: (uint8 [B, H, W, C], int32 [B]), a batch of images that have labels, or None.
        random: the `tfdfm.random.Random` of this replica and step.
        latent: (width of z, "uniform" in [-1, 1] or "normal").
        step: int64 scalar, finished steps.
        crop: side of the random patches that stand for the images; 0: the images themselves.
        terms: the objectives, for what they do to the images that D sees.
    """

    def __init__(
        self,
        networks,
        images,
        labels,
        *,
        random,
        latent,
        step,
        labelled=None,
        crop=0,
        flip=False,
        tracked=None,
        untracked=None,
        terms=(),
    ):
        self.networks, self.labels, self.random, self.step = networks, labels, random, step
        self.tracked, self.untracked = tracked, untracked
        self._pixels, self._labelled, self._latent, self._terms = images, labelled, latent, terms
        self._crop, self._flip = crop, flip

    @once
    def images(self) -> tf.Tensor:
        return self._scaled(self._pixels, "")  # [B, H, W, C]

    @once
    def latents(self) -> tf.Tensor:
        return latents.draw(self.random, self.images.shape[0], *self._latent)  # [B, Z]

    @once
    def generated(self) -> tf.Tensor:
        generator = self.networks["generator"]
        return generator(self.latents, labels=self.sample_labels, statistics=self.tracked)  # [B, H, W, C]

    @once
    def sample_labels(self) -> tf.Tensor | None:
        """int32 [B], what the samples are made for: the data's labels, drawn where these are not known."""
        if self.labels is None:
            return None
        classes = self.networks["generator"].num_classes
        drawn = tf.cast(self.random.uniform("labels", [self.labels.shape[0]]) * classes, tf.int32)
        return tf.where(self.labels < 0, drawn, self.labels)

    @once
    def real(self):
        """D's `DiscriminatorOutput` of the data."""
        return self.discriminate(self.images, "data", self.tracked, labels=self.labels)

    @once
    def fake(self):
        """D's `DiscriminatorOutput` of the samples; a sample is shown with the label that it was made for."""
        return self.discriminate(self.generated, "samples", self.untracked, labels=self.sample_labels)

    @once
    def labelled(self):
        """(D's `DiscriminatorOutput` of a batch of labelled images, their labels int32 [B])."""
        pixels, labels = self._labelled
        return self.discriminate(self._scaled(pixels, "labelled/"), "labelled", self.untracked), labels

    def discriminate(self, images: tf.Tensor, purpose: str, statistics, **inputs):
        """The discriminator's `DiscriminatorOutput` of images in [-1, 1], as the terms let it see them."""
        for term in self._terms:
            images = term.transform_input(self, images, purpose)
        noise = Noise(self.random, purpose)
        return self.networks["discriminator"](images, statistics=statistics, noise=noise, **inputs)

    def _scaled(self, pixels, purpose: str) -> tf.Tensor:
        if self._crop:
            pixels = patches(pixels, self._crop, self.random.uniform(f"{purpose}crop", [pixels.shape[0], 2]))
        images = from_uint8(pixels)
        if not self._flip:
            return images
        heads = self.random.uniform(f"{purpose}flip", [images.shape[0], 1, 1, 1]) < 0.5
        return tf.where(heads, images[:, :, ::-1], images)


def patches(images: tf.Tensor, side: int, places: tf.Tensor) -> tf.Tensor:
    """[B, H, W, C] -> [B, side, side, C], cut out at places [B, 2] in [0, 1)."""
    for axis in (1, 2):
        first = tf.cast(places[:, axis - 1] * (images.shape[axis] - side + 1), tf.int32)
        images = tf.gather(images, first[:, None] + tf.range(side), axis=axis, batch_dims=1)
    return images


def decayed(value: float, steps: int, step: tf.Tensor) -> tf.Tensor:
    """float32 scalar: `value` falling linearly to 0 in so many steps; 0 steps keep it."""
    if not steps:
        return tf.constant(value, tf.float32)
    return value * tf.maximum(1.0 - tf.cast(step, tf.float32) / steps, 0.0)
