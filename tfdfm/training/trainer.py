"""The trainer: one joint update of all players (paper, section 5), driven by `keras.Model.fit`."""

import re
from collections.abc import Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfdfm import latents
from tfdfm.images import from_uint8
from tfdfm.networks.layers import BatchNorm, Network
from tfdfm.training.joint_update import Gradients, JointUpdate
from tfdfm.training.keras_internals import Prebuilt
from tfdfm.training.loss_scale import START, LossScale
from tfdfm.training.schedule import Schedule

GRID = 64  # samples of a picture


class Trainer(Prebuilt):
    """Generator, discriminator and what the objectives add to them, updated together.

    "We calculate updates with respect to all losses with the parameters of all three networks fixed, and update all
    parameters simultaneously": one forward pass of each network for each source under one tape, one gradient for each
    player with respect to its own weights, then all updates. Random numbers, batches and their order are functions of
    (seed, step) alone. With n_critic > 1 critic steps come before that, each on fresh data and latents; in alternating
    play the others then move after the last one, on fresh latents, against the critic as it is by then.

    Args:
        joint_update: networks, objectives, players and settings.
        loss_names: "<player>/<name>" of each loss of the joint update.
        schedule: when gradient norms are logged.
        ema_generator: a second generator to hold the moving average of weights and population statistics, or None.
        jit: compile the computation of gradients with XLA. The updates stay outside: MirroredStrategy needs it so.
        scaled: whether losses are scaled for float16.
    """

    def __init__(
        self,
        joint_update: JointUpdate,
        loss_names: list[str],
        schedule: Schedule,
        *,
        ema_generator: Network | None = None,
        jit: bool = False,
        scaled: bool = False,
    ):
        super().__init__()
        self.joint_update, self.loss_names, self.schedule = joint_update, loss_names, schedule
        self.ema_generator = ema_generator
        self.networks = joint_update.networks  # tracked by Keras
        self.step = self._counter("step", 0)
        self.first_bad_step, self.first_bad_term = self._counter("bad_step", -1), self._counter("bad_term", -1)
        self.loss_scale = None
        if scaled:
            factor, fitted = self._counter("loss_scale", START, "float32"), self._counter("fitted", 0)
            self.loss_scale = LossScale(factor.value, fitted.value)
        gradients = joint_update.gradients
        self._gradients = tf.function(gradients, jit_compile=True, autograph=False) if jit else gradients
        self.xla = jit
        for player in joint_update.players:
            player.optimizer.build(joint_update.weights(player))
        self.built = True

    def call(self, latents: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        """latents [B, Z] (, labels int [B]) -> images [B, H, W, C] in [-1, 1], of the EMA generator if there is one."""
        return (self.ema_generator or self.networks["generator"])(latents, labels=labels)

    def train_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """All updates of a step.

        Args:
            batch: {"images": uint8 [n_critic b, H, W, C] (, "labels": int32 [n_critic b])}, b the replica's share, and
                the same as "labelled_images" and "labelled_labels" where a term learns from few labels.

        Returns:
            {name: float32 [1]}: losses and diagnostics of each player's last update, of its global batch, the same on
            every replica.
        """
        n_critic, logs = self.joint_update.settings.n_critic, {}
        share = self.joint_update.settings.batch_size // tf.distribute.get_strategy().num_replicas_in_sync
        # Several steps a call over replicas lose the static batch size.
        batch = {name: tf.ensure_shape(value, [n_critic * share, *value.shape[1:]]) for name, value in batch.items()}
        for number, (place, who) in enumerate(self.joint_update.updates):
            part = {name: value[place * share : (place + 1) * share] for name, value in batch.items()}
            logs |= self._update(part, number, share, who, logs)
        self._watch(logs)
        self.step.assign_add(1)
        return {name: value[None] for name, value in logs.items()} | self._verdict()

    def _update(self, batch, number: int, share: int, who: str, before: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The logs of an update; those of the same step's `before` it are known to `after_step`."""
        step = tf.identity(self.step.value)
        position = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.int64) * share
        logged = tf.convert_to_tensor(self.schedule.logged(step + 1))
        for every in {of.gradient_norms_every for of in self.joint_update.objectives.values()} - {0}:
            logged |= tf.equal(step % every, 0)
        how = {"number": tf.constant(number), "who": who, "logged": logged}
        how |= {"scale": tf.identity(self.loss_scale.factor)} if self.loss_scale else {}
        found = self._accumulated(batch, step, position, share // self.joint_update.settings.accumulate, how)
        with tf.control_dependencies(tf.nest.flatten(found)):  # everything is computed before anything is updated
            overflow = {"overflow": self.loss_scale.overflows(found)} if self.loss_scale else {}
            logs = _sum_over_replicas(found.logs | overflow)
        with tf.control_dependencies(list(logs.values())):
            if self.loss_scale:
                fits = tf.equal(logs.pop("overflow"), 0.0)
                found = self.loss_scale.kept(found, fits, self.joint_update.populations)
                logs["loss_scale"] = how["scale"]
                self.loss_scale.move(fits)
            self._apply(found)
        for objective in self.joint_update.objectives.values():
            logs |= objective.after_step(self.networks, before | logs, moved=set(found.of_players))
        return logs

    def _accumulated(self, batch, step, position, size: int, how: dict) -> Gradients:
        """The gradients of a replica's batch by parts of `size`, one after the other: activations of one at a time."""
        count, found = self.joint_update.settings.accumulate, None
        for number in range(count):
            with tf.control_dependencies(tf.nest.flatten(found) if found else []):
                part = {name: tf.identity(value[number * size : (number + 1) * size]) for name, value in batch.items()}
            new = self._gradients(part, step, position + number * size, **how)
            found = found.plus(new) if found else new
        return found.mean_statistics(count)

    def _apply(self, found: Gradients):
        for player in (player for player in self.joint_update.players if player.name in found.of_players):
            player.optimizer.apply(found.of_players[player.name], self.joint_update.weights(player))
        for path, value in found.statistics.items():
            variable = self.joint_update.populations[path]
            variable.assign(variable.value + (value - variable.value) * (1.0 - BatchNorm.momentum))
        for path, value in found.states.items():
            self.joint_update.populations[path].assign(value)
        if self.ema_generator and "generator" in found.of_players:
            decay = self.joint_update.settings.ema_decay
            for mean, now in zip(self.ema_generator.variables, self.networks["generator"].variables, strict=True):
                mean.assign(mean.value * decay + now.value * (1.0 - decay))

    def _watch(self, logs: dict[str, tf.Tensor]):
        """Records the first step, counted from 1, and the place `in_order` of the first log that is not finite."""
        bad = ~tf.math.is_finite(tf.stack([logs[name] for name in self.in_order(logs)]))
        first = tf.reduce_any(bad) & (self.first_bad_step.value < 0)
        self.first_bad_term.assign(tf.where(first, tf.argmax(bad), self.first_bad_term.value))
        self.first_bad_step.assign(tf.where(first, self.step.value + 1, self.first_bad_step.value))

    def in_order(self, names: Iterable[str]) -> list[str]:
        """Names of logs: the losses, then the others by the alphabet."""
        return [*self.loss_names, *sorted(set(names) - set(self.loss_names))]

    def _verdict(self) -> dict[str, tf.Tensor]:
        return {
            "first_bad_step": tf.cast(self.first_bad_step.value, tf.float32)[None],
            "first_bad_term": tf.cast(self.first_bad_term.value, tf.float32)[None],
        }

    def variables_by_name(self) -> dict[str, tf.Variable]:
        """The whole state of a run under flat names: networks, EMA generator, optimisers, objectives, the step."""
        holders = dict(self.networks) | ({"ema_generator": self.ema_generator} if self.ema_generator else {})
        holders |= {
            f"{player.name}_optimizer": player.optimizer for player in self.joint_update.players
        } | self.joint_update.objectives
        named = [flat_names(holder, of.variables) for holder, of in holders.items()]
        own = {"step": self.step.value}
        if self.loss_scale:
            own |= {"loss_scale": self.loss_scale.factor, "loss_scale_fitted": self.loss_scale.fitted}
        return {name: variable for group in named for name, variable in group.items()} | own

    def samples(self, seeds: Sequence[int]) -> tf.Tensor:
        """int64 [N] -> [N, H, W, C] in [-1, 1]: the images that `tfdfm.sample` makes of these seeds.

        Labels are in turn, from the run's first seed on, where the generator takes them.
        """
        settings, num_classes = self.joint_update.settings, self.networks["generator"].num_classes
        seeds = tf.convert_to_tensor(seeds, tf.int64)
        labels = (seeds - latents.PER_SEED * settings.seed) % num_classes if num_classes else None
        return self(latents.from_seeds(seeds, settings.latent_size, settings.prior), labels=labels)

    def grid(self) -> tf.Tensor:
        """[64, H, W, C] in [-1, 1]: always the same seeds, those of `tfdfm.sample --seed=` the run's own."""
        first = latents.PER_SEED * self.joint_update.settings.seed
        return self.samples(range(first, first + GRID))

    def reconstructions(self, pixels: np.ndarray) -> tf.Tensor:
        """uint8 [N, H, W, C] -> [N, H, W, C] in [-1, 1]: G of the mean of what the encoder infers from them."""
        mean, _ = self.networks["encoder"](from_uint8(pixels))
        return self(mean)

    def _counter(self, name: str, value: float, dtype: str = "int64") -> keras.Variable:
        return self.add_weight(
            name=name,
            shape=(),
            dtype=dtype,
            initializer=keras.initializers.Constant(value),
            trainable=False,
            aggregation="only_first_replica",
        )


def _sum_over_replicas(scalars: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    total = tf.distribute.get_replica_context().all_reduce("SUM", tf.stack(list(scalars.values())))
    return dict(zip(scalars, tf.unstack(total), strict=True))


def flat_names(holder: str, variables: Iterable) -> dict[str, tf.Variable]:
    """{"<holder>/<place>.<name>": variable}, the same in every process, whatever Keras numbered its layers by then."""

    def name(variable) -> str:
        return re.sub(r"_\d+(?=_)", "", variable.name.split("/")[-1].split(":")[0])

    def inner(variable) -> tf.Variable:
        return variable.value if isinstance(variable, keras.Variable) else variable

    return {f"{holder}/{place:03d}.{name(variable)}": inner(variable) for place, variable in enumerate(variables)}
