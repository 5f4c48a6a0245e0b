"""The scale of losses that keeps their gradients within float16 (Micikevicius et al., ICLR 2018, section 3.2)."""

from collections.abc import Iterable

import tensorflow as tf

from tfdfm.training.joint_update import Gradients

START, LEAST = 2.0**15, 1.0
GROWS_AFTER = 2000  # updates one after the other that fit


class LossScale:
    """A factor of all losses, by which their gradients are divided again: what underflows in float16 is kept.

    An update in which a gradient of any replica overflows is left out: weights, the optimizers' means, population
    statistics and what layers keep stay as they are, and the scale is halved. After 2,000 updates that fit it doubles.
    The update counts as one for everything else: steps, an optimizer's schedule and its correction of the start, EMA.

    Args:
        factor: float32 scalar, a state of the run.
        fitted: int64 scalar, the same: updates since the scale changed.
    """

    def __init__(self, factor: tf.Variable, fitted: tf.Variable):
        self.factor, self.fitted = factor, fitted

    def overflows(self, found: Gradients) -> tf.Tensor:
        """float32, 1 where a gradient of this replica is not finite, else 0."""
        return 1.0 - tf.cast(_finite(tf.nest.flatten(found.of_players)), tf.float32)

    def kept(self, found: Gradients, fits: tf.Tensor, populations: dict) -> Gradients:
        """`found`, or where it does not fit NaN as gradients, which `Skipping` passes over, and states as before."""
        factor = tf.where(fits, 1.0, float("nan"))
        before = {path: populations[path].value for path in found.statistics | found.states}
        return found._replace(
            of_players=tf.nest.map_structure(lambda gradient: gradient * factor, found.of_players),
            statistics={path: tf.where(fits, new, before[path]) for path, new in found.statistics.items()},
            states={path: tf.where(fits, new, before[path]) for path, new in found.states.items()},
        )

    def move(self, fits: tf.Tensor) -> None:
        """The scale of the next update."""
        grows = fits & (self.fitted + 1 >= GROWS_AFTER)
        changed = tf.where(grows, self.factor * 2.0, tf.where(fits, self.factor, self.factor / 2.0))
        self.fitted.assign(tf.where(fits & ~grows, self.fitted + 1, 0))
        self.factor.assign(tf.maximum(changed, LEAST))


def _finite(gradients: Iterable[tf.Tensor]) -> tf.Tensor:
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite(gradient)) for gradient in gradients])
