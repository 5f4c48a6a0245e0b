"""The joint update: every player's gradient with all networks fixed. It changes nothing, so XLA can compile it.

In alternating play a step has two kinds of it: the critic's steps, then that of the others against the moved critic.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.networks.layers import BatchStatistics
from tfdfm.objectives.base import Objective
from tfdfm.objectives.forward import Forward
from tfdfm.random import Random


class Player(NamedTuple):
    name: str
    owns: tuple[str, ...]  # networks
    optimizer: keras.optimizers.Optimizer
    is_critic: bool = False  # whether it takes the critic steps


class Settings(NamedTuple):
    """A recipe's keys of the same names, as far as the update needs them."""

    batch_size: int  # over all replicas
    latent_size: int
    prior: str  # "uniform" in [-1, 1) or "normal"
    seed: int
    n_critic: int  # critic steps of a step, each on a batch of its own
    play: str  # "simultaneous": the others move in the last critic step, or "alternating": after it, on its batch
    image_size: int
    patches_of: int  # side of the images in a batch, from which patches of image_size are cut; 0: not at all
    flip: bool
    batch_norm: str  # "local": statistics of each replica's batch, "synchronised": the global one's, "frozen": none
    ema_decay: float  # of the EMA generator; 0: none is kept
    accumulate: int  # parts of a replica's batch, one after the other


class Gradients(NamedTuple):
    """A share, of one replica or of a part of its batch: the sum of gradients and logs is that of the global batch."""

    of_players: dict[str, list[tf.Tensor]]  # by player, for its own weights
    logs: dict[str, tf.Tensor]  # losses and diagnostics
    statistics: dict[str, tf.Tensor]  # of the batch, by the path of the population statistic that learns from them
    states: dict[str, tf.Tensor]  # what layers keep of this update, by the variable's path

    def plus(self, later: "Gradients") -> "Gradients":
        """With those of the next part of the replica's batch: sums; the states are the later ones."""
        summed = (tf.nest.map_structure(tf.add, *of) for of in zip(self[:3], later[:3], strict=True))
        return Gradients(*summed, later.states)

    def mean_statistics(self, parts: int) -> "Gradients":
        """A sum of `parts` with their mean statistics."""
        return self._replace(statistics={path: value / parts for path, value in self.statistics.items()})


class JointUpdate:
    """Networks, objectives and players together: a function from (batch, step, position) to `Gradients`."""

    def __init__(self, networks: dict, objectives: dict[str, Objective], players: list[Player], settings: Settings):
        self.networks, self.objectives, self.players, self.settings = networks, objectives, players, settings
        self.populations = {w.path: w for network in networks.values() for w in network.non_trainable_variables}
        self._forward = next(objective.forward for objective in objectives.values() if objective.primary)

    @property
    def updates(self) -> list[tuple[int, str]]:
        """(number of its batch, who moves: "critic", "others" or "all") of each update of a step, in their order."""
        last = self.settings.n_critic - 1
        together = [(last, "critic"), (last, "others")] if self.settings.play == "alternating" else [(last, "all")]
        return [(number, "critic") for number in range(last)] + together

    def weights(self, player: Player) -> list[keras.Variable]:
        return [w for name in player.owns for w in self.networks[name].trainable_variables]

    def movers(self, who: str) -> list[Player]:
        """The players that are "critic", "others" or "all"."""
        return [player for player in self.players if who == "all" or player.is_critic == (who == "critic")]

    def _diagnosed(self, who: str) -> list[Objective]:
        """The objectives whose diagnostics are of the update of "critic", "others" or "all": those that concern D are
        of its own, before it moves."""
        if who == "all":
            return list(self.objectives.values())
        if who == "critic" and self.settings.play == "simultaneous":
            return []
        concerned = [(objective, objective.players or ("discriminator",)) for objective in self.objectives.values()]
        return [objective for objective, players in concerned if ("discriminator" in players) == (who == "critic")]

    def gradients(
        self,
        batch: dict[str, tf.Tensor],
        step: tf.Tensor,
        position: tf.Tensor,
        *,
        number: int | tf.Tensor = 0,
        who: str = "all",
        logged: bool | tf.Tensor = False,
        scale: tf.Tensor | None = None,
    ) -> Gradients:
        """Of one of a step's `updates`.

        Args:
            batch: of this replica.
            step: int64, finished steps.
            position: int64, place of the batch's first example in the global batch.
            number: updates of this step before it.
            who: moves.
            logged: whether the gradient norms of the generator's terms are wanted; 0 otherwise.
            scale: of all losses while they are differentiated, for float16; norms that do not fit are 0.
        """
        players = self.movers(who)
        with tf.GradientTape(persistent=True) as tape:
            forward = self.forward(batch, step, position, number)
            losses = self.losses(forward, players)
            shares = {name: {term: self._share(value) for term, value in of.items()} for name, of in losses.items()}
            totals = {name: tf.add_n(list(of.values())) for name, of in shares.items()}
        gradients = {p.name: _gradient(tape, totals[p.name], _values(self.weights(p)), scale) for p in players}
        logs = flat(shares)
        logs |= {name: self._share(value) for name, value in self.diagnostics(forward, losses, who).items()}
        logs |= self._gradient_norms(tape, shares.get("generator", {}), logged, scale)
        recorded, kept = (forward.tracked.recorded, forward.tracked.kept) if forward.tracked else ([], [])
        statistics, states = ({variable.path: value for variable, value in of} for of in (recorded, kept))
        return Gradients(gradients, logs, statistics, states)

    def forward(self, batch: dict[str, tf.Tensor], step: tf.Tensor, position: tf.Tensor, number: int = 0) -> Forward:
        """The forward passes of one update; arguments as of `gradients`."""
        s = self.settings
        synchronised = s.batch_norm == "synchronised"
        statistics = (None, None) if s.batch_norm == "frozen" else (BatchStatistics(synchronised) for _ in range(2))
        tracked, untracked = statistics
        return self._forward(
            self.networks,
            batch["images"],
            batch.get("labels"),
            labelled=(batch["labelled_images"], batch["labelled_labels"]) if "labelled_images" in batch else None,
            random=Random(s.seed, step * len(self.updates) + tf.cast(number, tf.int64), position),
            latent=(s.latent_size, s.prior),
            step=step,
            crop=s.image_size if s.patches_of else 0,
            flip=s.flip,
            tracked=tracked,
            untracked=untracked,
            terms=tuple(self.objectives.values()),
        )

    def losses(self, forward: Forward, players: list[Player]) -> dict[str, dict[str, tf.Tensor]]:
        """{player: {name: loss, [B], [B, K] or scalar}}. Raises UsageError: two terms have one of the same name."""
        found = {}
        for player in players:
            own = [getattr(objective, f"{player.name}_loss", None) for objective in self.objectives.values()]
            found[player.name] = _joined(loss(forward) for loss in own if loss)
        return found

    def diagnostics(
        self, forward: Forward, losses: dict[str, dict[str, tf.Tensor]], who: str = "all"
    ) -> dict[str, tf.Tensor]:
        """{name: scalar}, those of the update in which `who` moves. Raises UsageError: two terms have one name."""
        return _joined(objective.diagnostics(forward, losses) for objective in self._diagnosed(who))

    def _share(self, value: tf.Tensor) -> tf.Tensor:
        """[B] or [B, K] over the global batch, a scalar over replicas and parts; Keras's optimisers sum replicas'."""
        if value.shape.rank:
            return tf.reduce_sum(value) / (self.settings.batch_size * value.shape[1:].num_elements())
        return value / (tf.distribute.get_strategy().num_replicas_in_sync * self.settings.accumulate)

    def _gradient_norms(
        self, tape, shares: dict[str, tf.Tensor], logged: bool | tf.Tensor, scale: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """Of each term of the generator: the mean over replicas of their own gradients' norms.

        Left out with synchronised batch norm, whose gradient talks to the other replicas and cannot stand in a
        branch.
        """
        if self.settings.batch_norm == "synchronised" or not shares:
            return {}
        weights = _values(next(self.weights(p) for p in self.players if p.name == "generator"))
        norms = tf.cond(
            tf.convert_to_tensor(logged),
            lambda: [tf.linalg.global_norm(_gradient(tape, share, weights, scale)) for share in shares.values()],
            lambda: [tf.zeros([])] * len(shares),
        )
        if scale is not None:
            fits = tf.reduce_all(tf.math.is_finite(norms))
            norms = [tf.where(fits, norm, 0.0) for norm in norms]
        return {f"generator/gradient_norm_{term}": norm for term, norm in zip(shares, norms, strict=True)}


def flat(losses: dict[str, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
    """{"<player>/<name>": loss}"""
    return {f"{player}/{name}": value for player, of in losses.items() for name, value in of.items()}


def _joined(parts) -> dict[str, tf.Tensor]:
    found = {}
    for part in parts:
        if twice := sorted(found.keys() & part.keys()):
            raise UsageError(
                f"Two terms of this recipe both have a {', '.join(twice)}. Set --config.terms to one of them."
            )
        found |= part
    return found


def _gradient(
    tape: tf.GradientTape, loss: tf.Tensor, weights: list[tf.Variable], scale: tf.Tensor | None
) -> list[tf.Tensor | None]:
    found = tape.gradient(loss, weights, output_gradients=scale)
    return found if scale is None else [None if gradient is None else gradient / scale for gradient in found]


def _values(variables: list[keras.Variable]) -> list[tf.Variable]:
    return [variable.value for variable in variables]
