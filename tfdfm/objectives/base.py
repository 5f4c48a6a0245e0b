"""What every objective is, and what it sees of a move.

Glossary: x data, z latents, G generator, D = d o Phi discriminator, Phi its features, r denoiser, B batch, F
features.
"""

import tensorflow as tf


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


class Play:
    """The tensors of one move of one replica, each made on first use inside the move's tape.

    Data and samples are separate calls, each with its own batch statistics. `kept` are those that the population
    statistics learn from (the generator's, and the data's in D and r), `dropped` those of samples in D and r. Both
    None: frozen batch norm.

    Args:
        networks: by name: "generator", "discriminator" and those that the objectives add.
        images: uint8 [B, H, W, C].
        labels: int32 [B], or None.
        random: the `tfdfm.random.Random` of this replica and step.
        latent: (width of z, "uniform" in [-1, 1] or "normal").
        step: int64 scalar, finished steps.
    """

    def __init__(self, networks, images, labels, *, random, latent, step, flip=False, kept=None, dropped=None):
        self.networks, self.labels, self.random, self.step = networks, labels, random, step
        self.kept, self.dropped = kept, dropped
        self._pixels, self._latent, self._flip = images, latent, flip

    @once
    def images(self) -> tf.Tensor:
        images = tf.cast(self._pixels, tf.float32) / 127.5 - 1.0  # [B, H, W, C]
        if not self._flip:
            return images
        heads = self.random.uniform("flip", [images.shape[0], 1, 1, 1]) < 0.5
        return tf.where(heads, images[:, :, ::-1], images)

    @once
    def latents(self) -> tf.Tensor:
        return draw_latents(self.random, self.images.shape[0], *self._latent)  # [B, Z]

    @once
    def generated(self) -> tf.Tensor:
        return self.networks["generator"](self.latents, labels=self.labels, statistics=self.kept)  # [B, H, W, C]

    @once
    def real(self):
        """D's `Critique` of the data."""
        return self.networks["discriminator"](self.images, labels=self.labels, statistics=self.kept)

    @once
    def fake(self):
        """D's `Critique` of the samples; a sample is shown with the label that it was made for."""
        return self.networks["discriminator"](self.generated, labels=self.labels, statistics=self.dropped)


def draw_latents(random, batch: int, width: int, prior: str) -> tf.Tensor:
    """float32 [batch, width], uniform in [-1, 1) or ~ N(0, 1)."""
    if prior == "normal":
        return random.normal("latents", [batch, width])
    return random.uniform("latents", [batch, width]) * 2.0 - 1.0


class Objective(tf.Module):
    """One term of a recipe. Its keyword arguments are the recipe's keys of that term, their defaults the paper's.

    A subclass has a method `<player>_loss(play)` for each player that it concerns, returning {name: loss}. A loss of
    shape [B] is averaged over the global batch; a scalar, for a term that couples the examples of a batch, over
    replicas. The trainer sums, differentiates and steps; an objective never does. Its variables are saved with the run.
    """

    needs: tuple[str, ...] = ()  # fields of Critique that must be there
    full_precision: tuple[str, ...] = ()  # networks that must compute in float32
    unnormalised: tuple[str, ...] = ()  # networks that must have no batch norm
    players: tuple[str, ...] = ()  # players it adds, each owning the network of that name
    game: bool = False  # whether it is the game of G against D itself; a recipe has one

    def __init__(self):
        super().__init__()

    def diagnostics(self, play: Play, losses: dict[str, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """{name: scalar} to log, averaged over replicas. `losses` are all players' losses in this move."""
        return {}

    def after_step(self, networks, logs: dict[str, tf.Tensor]) -> None:
        """What is done once all players have moved: clipping weights, schedules kept in variables.

        `logs` are the losses ("<player>/<name>") and diagnostics of the move, already those of the global batch.
        """
