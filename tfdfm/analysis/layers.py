"""What the layers of a run's networks say."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfdfm import arrays
from tfdfm.errors import UsageError
from tfdfm.images import from_uint8
from tfdfm.networks import Network

BATCH = 64


def of_discriminator(network: Network, images: tf.Tensor, labels: tf.Tensor | None) -> list[tf.Tensor]:
    """Each layer's activations [B, h, w, maps] of images in [-1, 1]; Phi alone of a network that shows no others.

    Raises:
        UsageError: it has none.
    """
    given = {} if labels is None or network.classifies or not network.num_classes else {"labels": labels}
    if hasattr(network, "activations"):
        return network.activations(images, **given)
    features = network(images, **given).features
    if features is None:
        raise UsageError(f"The discriminator {type(network).__name__} shows no activations. Take another run.")
    return [features[:, None, None, :]]


def of_generator(network: Network, latents: tf.Tensor, labels: tf.Tensor | None) -> list[tf.Tensor]:
    """Each layer's activations [B, h, w, maps], after their ReLU.

    Raises:
        UsageError: it shows none.
    """
    if not hasattr(network, "activations"):
        raise UsageError(
            f"The generator {type(network).__name__} shows no activations. Take a run of DCGAN's networks."
        )
    return [tf.nn.relu(maps) for maps in network.activations(latents, labels)]


def chosen(layers: Sequence, layer: int):
    """The layer of that number, from 1; 0: the last. Raises UsageError: there are not so many."""
    if not 0 <= layer <= len(layers):
        raise UsageError(f"Expected --view.layer from 1 to {len(layers)} (0: the last), given {layer}.")
    return layers[layer - 1]


def in_batches(function: Callable, inputs: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """What a function of a batch [B, ...] and its labels int32 [B], or None, gives, of all inputs [N, ...]."""
    parts = []
    for block in arrays.blocks(len(inputs), BATCH):
        given = None if labels is None else tf.constant(labels[block], tf.int32)
        parts.append(np.asarray(function(inputs[block], given)))
    return np.concatenate(parts)


def discriminated(network: Network, images: np.ndarray, labels: np.ndarray | None, layer: int) -> np.ndarray:
    """float32 [N, h, w, maps]: what a layer of D says of uint8 images."""

    def said(batch, given):
        return chosen(of_discriminator(network, from_uint8(batch), given), layer)

    return in_batches(said, images, labels)


def generated(network: Network, latents: np.ndarray, labels: np.ndarray | None, layer: int) -> np.ndarray:
    """float32 [N, h, w, maps]: what a layer of G says of latents."""
    return in_batches(lambda batch, given: chosen(of_generator(network, batch, given), layer), latents, labels)
