"""Vision transformers (Dosovitskiy et al., 2021): an image's patches and a class token through blocks of attention."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

HEAD = 64  # numbers of a head


class Kind(NamedTuple):
    """What sets one family of transformers apart."""

    size: int  # pixels that it is given; 0: those of its positions
    mean: tuple[float, ...]  # of pixels in [0, 1]
    deviation: tuple[float, ...]
    epsilon: float  # of layer norms
    gelu: Callable[[tf.Tensor], tf.Tensor]


def network(kind: Kind, weights: dict[str, np.ndarray]) -> tuple[Callable, int]:
    """A function of images [B, S, S, 3] in 0..255 -> features [B, F], and S. Takes what it needs out of `weights`."""
    token, positions = (weights.pop(name) for name in ("class", "positions"))
    kernel = weights.pop("patch.weight").transpose(2, 3, 1, 0)  # [h, w, in, out]
    width, patch = kernel.shape[-1], len(kernel)
    grid = positions.reshape(-1, width)[1:]
    own = round(len(grid) ** 0.5)
    side = kind.size // patch or own
    grid = np.einsum("ia,jb,abd->ijd", *2 * [_cubic(own, side)], grid.reshape(own, own, width))
    tokens = np.concatenate([np.zeros([1, width]), grid.reshape(-1, width) + weights.pop("patch.bias", 0)])
    tokens[0] = token.reshape(width) + positions.reshape(-1, width)[0]
    first = _norm(kind, weights, "first") if "first.weight" in weights else tf.identity
    blocks = [_block(kind, weights, f"{number}.") for number in range(_count(weights))]
    last = _norm(kind, weights, "last")
    project = _linear(weights, "projection") if "projection.weight" in weights else tf.identity
    tokens = tf.constant(tokens, tf.float32)

    def run(images):
        x = tf.nn.conv2d((images / 255 - kind.mean) / kind.deviation, kernel, patch, "VALID")
        x = tf.reshape(x, [-1, side * side, width])
        x = first(tf.pad(x, [[0, 0], [1, 0], [0, 0]]) + tokens)  # [B, T, F]
        for block in blocks:
            x = block(x)
        return project(last(x[:, 0]))

    return run, side * patch


def _count(weights: dict[str, np.ndarray]) -> int:
    return 1 + max(int(name.split(".")[0]) for name in weights if name[0].isdecimal())


def _block(kind: Kind, weights: dict[str, np.ndarray], name: str) -> Callable:
    """Attention, then a hidden layer, each of the normed input and added to it."""
    norms = [_norm(kind, weights, f"{name}norm{number}") for number in (1, 2)]
    scales = [weights.pop(f"{name}layer_scale{number}", np.float32(1)) for number in (1, 2)]
    query, key, value, out = (_linear(weights, name + part) for part in ("query", "key", "value", "out"))
    one, two = (_linear(weights, name + part) for part in ("mlp.fc1", "mlp.fc2"))

    def attend(x):
        size = tf.shape(x)
        q, k, v = (tf.reshape(of(x), [size[0], size[1], -1, HEAD]) for of in (query, key, value))
        shares = tf.nn.softmax(tf.einsum("bthd,bshd->bhts", q, k) / HEAD**0.5)
        return out(tf.reshape(tf.einsum("bhts,bshd->bthd", shares, v), size))

    def run(x):
        x += scales[0] * attend(norms[0](x))
        return x + scales[1] * two(kind.gelu(one(norms[1](x))))

    return run


def _linear(weights: dict[str, np.ndarray], name: str) -> Callable:
    weight, bias = tf.constant(weights.pop(f"{name}.weight").T), weights.pop(f"{name}.bias", np.float32(0))
    return lambda x: tf.tensordot(x, weight, 1) + bias


def _norm(kind: Kind, weights: dict[str, np.ndarray], name: str) -> Callable:
    gain, bias = (weights.pop(f"{name}.{part}") for part in ("weight", "bias"))

    def run(x):
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, bias, gain, kind.epsilon)

    return run


def _cubic(side: int, to: int) -> np.ndarray:
    """[to, side]: weights of a side's positions in another number of them, by cubic convolution as PyTorch has it:
    a = -0.75, without antialiasing, the border repeated."""
    places = (np.arange(to) + 0.5) * side / to - 0.5
    weights = np.zeros([to, side])
    for tap in range(-1, 3):
        at = np.floor(places).astype(int) + tap
        x = np.abs(places - at)
        inner, outer = (1.25 * x - 2.25) * x * x + 1, -0.75 * (((x - 5) * x + 8) * x - 4)
        np.add.at(weights, (np.arange(to), np.clip(at, 0, side - 1)), np.where(x <= 1, inner, outer))
    return weights
