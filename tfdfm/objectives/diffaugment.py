"""Differentiable augmentation of all that D sees (DiffAugment, Zhao et al., NeurIPS 2020); its adaptive strength."""

from collections.abc import Callable, Mapping, Set

import keras
import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.objectives.base import Losses, Objective
from tfdfm.objectives.forward import Forward, patches

Uniform = Callable[[str, list[int]], tf.Tensor]  # (purpose, shape) -> float32 in [0, 1)


class DiffAugment(Objective):
    """Random colour, translation and cutout of data and samples alike; gradients flow through it to G.

    Each image has draws of its own, the same for all losses of an update; every term that shows D images shows them
    so, gradient penalties too. Magnitudes are those of Zhao et al.'s code, for pixels in [-1, 1]: brightness by up to
    0.5, saturation times 0 to 2, contrast times 0.5 to 1.5, translation by up to an eighth of the side, a square of
    half the side cut out.

    With a target each kind is applied to an image with probability p, as in ADA (Karras et al., NeurIPS 2020,
    section 3.1; its kinds are more): p starts at 0 and moves by 1 / `steps` with D, up where the mean of sign(D(x))
    over the data is above the target, down where it is below.

    Args:
        policy: of "color", "translation" and "cutout", in their order.
        target: ADA's, of the mean sign of D's score of data (there 0.6); 0: all images are augmented.
        steps: of D in which p could go from 0 to 1 (there 500,000 images: 7,812 batches of 64).
    """

    needs = ("score",)

    def __init__(
        self,
        policy: tuple[str, ...] = ("color", "translation", "cutout"),
        target: float = 0.0,
        steps: int = 7_812,
    ):
        super().__init__()
        if unknown := sorted(set(policy) - KINDS.keys()):
            raise UsageError(
                f"Expected diffaugment.policy to be of {', '.join(KINDS)}, given {', '.join(unknown)}. "
                "Set --config.diffaugment.policy."
            )
        self.policy, self.target, self.steps = policy, target, steps

    def build(self, networks: Mapping[str, keras.Model]) -> None:
        if self.target:
            self.p = self.variable(0.0, "p")

    def transform_input(self, forward: Forward, images: tf.Tensor, purpose: str) -> tf.Tensor:
        def uniform(name: str, shape: list[int]) -> tf.Tensor:
            return forward.random.uniform(f"diffaugment/{purpose}/{name}", shape)

        for kind in self.policy:
            changed = KINDS[kind](images, uniform)
            if self.target:
                chosen = uniform(f"{kind}/chosen", [images.shape[0], 1, 1, 1]) < self.p
                changed = tf.where(chosen, changed, images)
            images = changed
        return images

    def diagnostics(self, forward: Forward, losses: dict[str, Losses]) -> Losses:
        """The mean sign of D's score of data: D overfits where it nears 1 (ADA's r_t)."""
        return {"discriminator/sign_of_data": tf.reduce_mean(tf.sign(forward.real.score))}

    def after_step(self, networks: Mapping[str, keras.Model], logs: Losses, *, moved: Set[str]) -> Losses:
        if not self.target:
            return {}
        if "discriminator" in moved and "discriminator/sign_of_data" in logs:
            direction = tf.sign(logs["discriminator/sign_of_data"] - self.target)
            self.p.assign(tf.clip_by_value(self.p + direction / self.steps, 0.0, 1.0))
        return {"discriminator/augmentation": self.p.read_value()}


def color(images: tf.Tensor, uniform: Uniform) -> tf.Tensor:
    """Brightness, saturation, contrast.  [B, H, W, C]"""
    brightness, saturation, contrast = tf.split(uniform("color", [images.shape[0], 1, 1, 3]), 3, axis=3)
    images = images + (brightness - 0.5)
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = (images - grey) * (2.0 * saturation) + grey
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return (images - mean) * (contrast + 0.5) + mean


def translation(images: tf.Tensor, uniform: Uniform) -> tf.Tensor:
    """By whole pixels, zeros coming in.  [B, H, H, C]"""
    batch, side = images.shape[:2]
    most = int(side / 8 + 0.5)
    padded = tf.pad(images, [[0, 0], [most, most], [most, most], [0, 0]])
    return patches(padded, side, uniform("translation", [batch, 2]))


def cutout(images: tf.Tensor, uniform: Uniform) -> tf.Tensor:
    """A square of half the side, its centre anywhere, is 0.  [B, H, W, C]"""
    batch, *sides = images.shape[:3]
    drawn, outside = uniform("cutout", [batch, 2]), []
    for axis, side in enumerate(sides):
        size = int(side / 2 + 0.5)
        first = tf.cast(drawn[:, axis, None] * (side + 1 - size % 2), tf.int32) - size // 2
        place = tf.range(side)
        outside.append((place < first) | (place >= first + size))  # [B, side]
    kept = outside[0][:, :, None] | outside[1][:, None, :]
    return images * tf.cast(kept, images.dtype)[..., None]


KINDS: dict[str, Callable[[tf.Tensor, Uniform], tf.Tensor]] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
}
