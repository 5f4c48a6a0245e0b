"""The trainer: one joint update of all players (paper, section 5), driven by `keras.Model.fit`."""

import re

import keras
import tensorflow as tf

from tfdfm.images import from_uint8
from tfdfm.networks.layers import BatchNorm, Network
from tfdfm.objectives.base import draw_latents
from tfdfm.random import Random
from tfdfm.training.move import Game

SHOWN = 64  # samples of a grid


class Trainer(keras.Model):
    """Generator, discriminator and what the objectives add to them, as players of one game.

    "We calculate updates with respect to all losses with the parameters of all three networks fixed, and update all
    parameters simultaneously": one forward pass of each network for each source under one tape, one gradient for each
    player with respect to its own weights, then all updates. Random numbers, batches and their order are functions of
    (seed, step) alone. With n_critic > 1 the critic moves alone before that, each time on fresh data and latents.

    Args:
        game: networks, objectives, players and settings.
        average: a second generator to hold the moving average of weights and population statistics, or None.
        jit: compile the computation of gradients with XLA. The updates stay outside: MirroredStrategy needs it so.
    """

    def __init__(self, game: Game, *, average: Network | None = None, jit: bool = False):
        super().__init__()
        self.game, self.average = game, average
        self.networks = game.networks  # tracked by Keras
        self.step = self._counter("step", 0)
        self.first_bad_step, self.first_bad_term = self._counter("bad_step", -1), self._counter("bad_term", -1)
        self.term_names: list[str] = []
        self._move = tf.function(game.move, jit_compile=True, autograph=False) if jit else game.move
        for player in game.players:
            player.optimizer.build(game.weights(player))
        self.built = True

    def call(self, latents, labels=None):
        """latents [B, Z] (, labels int [B]) -> images [B, H, W, C] in [-1, 1], of the average if there is one."""
        return (self.average or self.networks["generator"])(latents, labels=labels)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing: all is built. Keras would average a batch over replicas, which fails for several workers' dict."""

    @property
    def loss_names(self) -> list[str]:
        return self.game.loss_names

    def train_step(self, batch):
        """One joint update, and the critic's moves before it.

        Args:
            batch: {"images": uint8 [n_critic b, H, W, C] (, "labels": int32 [n_critic b])}, b the replica's share, and
                the same as "labelled_images" and "labelled_labels" where a term learns from few labels.

        Returns:
            {name: float32 [1]}: losses and diagnostics of the joint update's global batch, the same on every replica.
        """
        turns = self.game.settings.n_critic
        share = self.game.settings.batch_size // tf.distribute.get_strategy().num_replicas_in_sync
        # Several steps a call over replicas lose the static batch size.
        batch = {name: tf.ensure_shape(value, [turns * share, *value.shape[1:]]) for name, value in batch.items()}
        for turn in range(turns):
            part = {name: value[turn * share : (turn + 1) * share] for name, value in batch.items()}
            logs = self._turn(part, turn, share, last=turn == turns - 1)
        self._watch(logs)
        self.step.assign_add(1)
        return {name: value[None] for name, value in logs.items()} | self._verdict()

    def _turn(self, batch, turn: int, share: int, *, last: bool) -> dict[str, tf.Tensor]:
        step = tf.identity(self.step.value)
        position = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.int64) * share
        move = self._move(batch, step, position, tf.constant(turn), last)
        with tf.control_dependencies(tf.nest.flatten(move)):  # everything is computed before anything is updated
            logs = _sum_over_replicas(move.scalars)
        with tf.control_dependencies(list(logs.values())):
            self._update(move, last)
        for objective in self.game.objectives.values():
            objective.after_step(self.networks, logs)
        return logs

    def _update(self, move, last: bool):
        for player in self.game.movers(last):
            player.optimizer.apply(move.gradients[player.name], self.game.weights(player))
        for variable, value in zip(self.game.populations[last], move.statistics, strict=True):
            variable.assign(variable.value + (value - variable.value) * (1.0 - BatchNorm.momentum))
        if self.average and last:
            decay = self.game.settings.ema_decay
            for average, now in zip(self.average.variables, self.networks["generator"].variables, strict=True):
                average.assign(average.value * decay + now.value * (1.0 - decay))

    def _watch(self, logs: dict[str, tf.Tensor]):
        """Records the first step, counted from 1, and the first loss or diagnostic that is not finite."""
        self.term_names = list(logs)
        bad = ~tf.math.is_finite(tf.stack(list(logs.values())))
        first = tf.reduce_any(bad) & (self.first_bad_step.value < 0)
        self.first_bad_term.assign(tf.where(first, tf.argmax(bad), self.first_bad_term.value))
        self.first_bad_step.assign(tf.where(first, self.step.value + 1, self.first_bad_step.value))

    def _verdict(self) -> dict[str, tf.Tensor]:
        return {
            "first_bad_step": tf.cast(self.first_bad_step.value, tf.float32)[None],
            "first_bad_term": tf.cast(self.first_bad_term.value, tf.float32)[None],
        }

    def variables_by_name(self) -> dict[str, tf.Variable]:
        """The whole state of a run under flat names: networks, average, optimisers, objectives, the step."""
        holders = dict(self.networks) | ({"average": self.average} if self.average else {})
        holders |= {f"{player.name}_optimizer": player.optimizer for player in self.game.players} | self.game.objectives
        named = [flat_names(holder, of.variables) for holder, of in holders.items()]
        return {name: variable for group in named for name, variable in group.items()} | {"step": self.step.value}

    def samples(self, seed: int, start: int, stop: int) -> tf.Tensor:
        """[stop - start, H, W, C] in [-1, 1]: a seed's samples of these numbers, the same alone and among others.

        Labels are in turn where the generator takes them.
        """
        settings, classes = self.game.settings, self.networks["generator"].num_classes
        random = Random(seed, tf.constant(0, tf.int64), tf.constant(start, tf.int64))
        latents = draw_latents(random, stop - start, settings.latent_size, settings.prior)
        labels = tf.range(start, stop) % classes if classes else None
        return self(latents, labels=labels)

    def fixed_samples(self) -> tf.Tensor:
        """[64, H, W, C] in [-1, 1]: always the same latents."""
        return self.samples(self.game.settings.seed, 0, SHOWN)

    def reconstructions(self, pixels) -> tf.Tensor:
        """uint8 [N, H, W, C] -> [N, H, W, C] in [-1, 1]: G of the mean of what the encoder infers from them."""
        mean, _ = self.networks["encoder"](from_uint8(pixels))
        return self(mean)

    def _counter(self, name: str, value: int) -> keras.Variable:
        return self.add_weight(
            name=name,
            shape=(),
            dtype="int64",
            initializer=keras.initializers.Constant(value),
            trainable=False,
            aggregation="only_first_replica",
        )


def _sum_over_replicas(scalars: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    total = tf.distribute.get_replica_context().all_reduce("SUM", tf.stack(list(scalars.values())))
    return dict(zip(scalars, tf.unstack(total), strict=True))


def flat_names(holder: str, variables) -> dict[str, tf.Variable]:
    """{"<holder>/<place>.<name>": variable}, the same in every process, whatever Keras numbered its layers by then."""

    def name(variable) -> str:
        return re.sub(r"_\d+(?=_)", "", variable.name.split("/")[-1].split(":")[0])

    def inner(variable) -> tf.Variable:
        return variable.value if isinstance(variable, keras.Variable) else variable

    return {f"{holder}/{place:03d}.{name(variable)}": inner(variable) for place, variable in enumerate(variables)}
