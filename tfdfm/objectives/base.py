"""The interface of an objective: one term of a recipe."""

from collections.abc import Mapping, Set

import keras
import tensorflow as tf

from tfdfm.objectives.forward import Forward

Losses = dict[str, tf.Tensor]  # [B], [B, K] or scalars, by name

ADVERSARIAL = {"generator": ("generator",), "discriminator": ("discriminator",)}  # players of most games


class Objective(tf.Module):
    """One term of a recipe. Its keyword arguments are the recipe's keys of that term, their defaults the paper's.

    A subclass has a method `<player>_loss(forward)` for each player that it concerns, returning {name: loss}. A loss of
    shape [B], or [B, K] of a D with K scores an image, is averaged over the global batch; a scalar, for a term that
    couples the examples of a batch, over replicas. The trainer sums, differentiates and steps; an objective never does.
    Its variables are saved with the run.
    """

    needs: tuple[str, ...] = ()  # fields of DiscriminatorOutput that must be there
    full_precision: tuple[str, ...] = ()  # networks that must compute in float32
    per_example_gradients: tuple[str, ...] = ()  # networks that must treat each example by itself
    players: dict[str, tuple[str, ...]] = {}  # the players that it adds, and the networks that each owns
    primary: bool = False  # whether it trains G by itself: an adversarial game, a VAE's bound; a recipe has one
    forward: type[Forward] = Forward  # the passes that a primary objective needs
    takes_codes: bool = False  # whether its D takes images together with their codes
    conditional: bool = False  # whether G must take labels
    gradient_norms_every: int = 0  # steps at which `after_step` needs the norms of G's gradients; 0: as they are logged
    supervised: bool = False  # whether it learns from a batch of labelled images, `forward.labelled`

    def __init__(self):
        super().__init__()

    @staticmethod
    def variable(value, name: str, dtype: tf.DType | None = None) -> tf.Variable:
        """A state of the objective, saved with the run, that `after_step` moves alike on every replica."""
        return tf.Variable(value, False, name=name, dtype=dtype, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)

    def build(self, networks: Mapping[str, keras.Model]) -> None:
        """Makes variables that are as large as the networks' weights."""

    def transform_input(self, forward: Forward, images: tf.Tensor, purpose: str) -> tf.Tensor:
        """Images [B, H, W, C] as D is to see them; `purpose` names them, "data" or "samples" say."""
        return images

    def diagnostics(self, forward: Forward, losses: dict[str, Losses]) -> Losses:
        """{name: scalar} to log, averaged over replicas. `losses` are all players' losses in this update."""
        return {}

    def after_step(self, networks: Mapping[str, keras.Model], logs: Losses, *, moved: Set[str]) -> Losses:
        """Clips weights, moves schedules kept in variables, once the players that `moved` names are updated.

        `logs` are the losses ("<player>/<name>") and diagnostics of the step so far, already those of the global batch.
        Returns more to log: what is no mean of the replicas' own values.
        """
        return {}
