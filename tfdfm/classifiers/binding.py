"""A network behind the checks of what it is given: any size, gray or RGB, in 0..255 and nothing else."""

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

PROBE = np.random.default_rng(0).uniform(0, 255, [2, 32, 32, 3])
LUMA = np.array([[0.299], [0.587], [0.114]], np.float32)  # ITU-R BT.601


class Classifier(NamedTuple):
    """A network bound to its weights, its resize and its range of pixels."""

    name: str  # as asked
    record: dict  # what results say of it: name, checksum, resize, ...
    num_classes: int  # C; 0: it has features alone
    run: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # 0..255 [B, H, W, 1 or 3] -> [B, F], [B, C] float32
    classes: str = ""  # `class_checksum` of those that it tells; "": those of the data that it is asked about
    rows: tuple[int, ...] = ()  # places of these classes among its logits; (): all, in their order

    def tells(self, class_names: Sequence[str]) -> bool:
        """Whether `of_classes` are the logits of these classes, in this order."""
        told = len(self.rows) or self.num_classes
        return told == len(class_names) and self.classes in ("", class_checksum(class_names))

    def of_classes(self, logits: np.ndarray) -> np.ndarray:
        """[N, num_classes] -> [N, those of its classes]: an Inception network has logits of no class."""
        return logits[:, self.rows] if self.rows else logits


def class_checksum(names: Sequence[str]) -> str:
    """SHA-256 of names of classes, in their order."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


class Resize(NamedTuple):
    """Bilinear, to height and width."""

    height: int
    width: int
    antialias: bool = False

    def __str__(self) -> str:
        return f"bilinear, {'' if self.antialias else 'not '}antialiased, to {self.height} x {self.width}"

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """float32 [B, H, W, C] of any size; the same if it has that size."""
        size = [self.height, self.width]
        images = tf.cond(
            tf.reduce_all(tf.shape(images)[1:3] == size),
            lambda: images,
            lambda: tf.image.resize(images, size, antialias=self.antialias),
        )
        return tf.ensure_shape(images, [None, *size, images.shape[-1]])


def bind(network: Callable, channels: int, record: dict) -> Classifier:
    """A classifier of `network`: float32 [B, H, W, channels] of any size -> (features [B, F], logits [B, C])."""
    spec = tf.TensorSpec([None, None, None, channels], tf.float32)
    function = tf.function(network, input_signature=[spec], autograph=False)

    def run(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        features, logits = function(tf.constant(pixels(images, channels)))
        return features.numpy(), logits.numpy()

    return Classifier(record["name"], record, run(PROBE)[1].shape[1], run)


def pixels(images: np.ndarray, channels: int) -> np.ndarray:
    """float32 [B, H, W, channels] of uint8 or float images; gray is repeated, of colours the luma is taken.

    Raises:
        ValueError: another shape or type, or pixels outside 0..255 or scaled to [0, 1] or [-1, 1].
    """
    images = np.asarray(images)
    typed = images.dtype == np.uint8 or images.dtype.kind == "f"
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not images.size or not typed:
        shape = f"{images.dtype} of shape {list(images.shape)}"
        raise ValueError(f"Expected images as uint8 or float of shape [B, H, W, 1 or 3]. Received {shape}.")
    low, high = images.min(), images.max()
    scaled = images.dtype.kind == "f" and 0 < high <= 1
    if scaled or not (low >= 0 and high <= 255):  # NaN is neither
        raise ValueError(f"Expected pixels in 0..255. Received {low:g}..{high:g}. Scale them back to 0..255.")
    images = images.astype(np.float32)
    if images.shape[-1] == channels:
        return images
    return np.repeat(images, 3, axis=-1) if channels == 3 else images @ LUMA
