"""One move: every player's gradient with all networks fixed. It changes nothing, so XLA can compile it."""

from typing import NamedTuple

import keras
import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.networks.layers import BatchStatistics
from tfdfm.objectives.base import Objective, Play
from tfdfm.random import Random


class Player(NamedTuple):
    name: str
    owns: tuple[str, ...]  # networks
    optimizer: keras.optimizers.Optimizer
    every_turn: bool = False  # whether it moves n_critic times a step


class Settings(NamedTuple):
    """What a move is, beside networks and objectives: a recipe's keys of the same names."""

    batch_size: int  # over all replicas
    latent_size: int
    prior: str  # "uniform" in [-1, 1) or "normal"
    seed: int
    n_critic: int = 1  # moves of D in a step, each on a batch of its own; the others share in the last one
    image_size: int = 0
    patches_of: int = 0  # side of the images in a batch, from which patches of image_size are cut; 0: not at all
    flip: bool = False
    batch_norm: str = (
        "local"  # statistics of each replica's batch, "synchronised": of the global one, "frozen": population's
    )
    ema_decay: float = 0.0  # of the generator's average; 0: none is kept
    log_every: int = 100  # steps between the gradient norms of the generator's terms, which are also taken at
    test_every: int = 0  # steps that the test error is taken, unless 0, at
    score_every: int = 0  # steps that are scored, unless 0, at
    steps_per_execution: int = 1  # the first step that is logged, and at
    steps: int = 0  # the last one


class Move(NamedTuple):
    """One replica's share: summed over replicas, gradients and scalars are those of the global batch."""

    gradients: dict[str, list[tf.Tensor]]  # by player, for its own weights
    scalars: dict[str, tf.Tensor]  # losses and diagnostics
    statistics: list[tf.Tensor]  # of the batch, for `Game.populations`


class Game:
    """Networks, objectives and players together: a function from (batch, step, position) to a `Move`."""

    def __init__(self, networks: dict, objectives: dict[str, Objective], players: list[Player], settings: Settings):
        self.networks, self.objectives, self.players, self.settings = networks, objectives, players, settings
        self.populations: dict[bool, list[keras.Variable]] = {}  # of the statistics of a last move and of others
        self.play = next(objective.play for objective in objectives.values() if objective.game)
        self.loss_names: list[str] = []  # among the scalars of the last trace

    def weights(self, player: Player) -> list[keras.Variable]:
        return [w for name in player.owns for w in self.networks[name].trainable_variables]

    def movers(self, last: bool) -> list[Player]:
        return [player for player in self.players if last or player.every_turn]

    def move(
        self, batch: dict[str, tf.Tensor], step: tf.Tensor, position: tf.Tensor, turn: int | tf.Tensor = 0, last=True
    ) -> Move:
        """One of the `n_critic` moves of a step.

        Args:
            batch: of this replica.
            step: int64, finished steps.
            position: int64, place of the batch's first example in the global batch.
            turn: the moves of this step before it.
            last: whether all players move, and not the critic alone.
        """
        players = self.movers(last)
        with tf.GradientTape(persistent=True) as tape:
            play = self._play(batch, step, position, turn)
            losses = {player.name: self._losses(player, play) for player in players}
            shares = {name: {term: self._share(value) for term, value in of.items()} for name, of in losses.items()}
            totals = {name: tf.add_n(list(of.values())) for name, of in shares.items()}
        gradients = {p.name: tape.gradient(totals[p.name], _values(self.weights(p))) for p in players}
        scalars = {f"{name}/{term}": value for name, of in shares.items() for term, value in of.items()}
        if last:
            self.loss_names = list(scalars)
            scalars |= self._diagnostics(play, losses) | self._gradient_norms(tape, shares.get("generator", {}), step)
        recorded = play.kept.recorded if play.kept else []
        self.populations[last] = [variable for variable, _ in recorded]
        return Move(gradients, scalars, [value for _, value in recorded])

    def _play(self, batch, step, position, turn) -> Play:
        s = self.settings
        synchronised = s.batch_norm == "synchronised"
        kept, dropped = (None, None) if s.batch_norm == "frozen" else (BatchStatistics(synchronised) for _ in range(2))
        return self.play(
            self.networks,
            batch["images"],
            batch.get("labels"),
            labelled=(batch["labelled_images"], batch["labelled_labels"]) if "labelled_images" in batch else None,
            random=Random(s.seed, step * s.n_critic + tf.cast(turn, tf.int64), position),
            latent=(s.latent_size, s.prior),
            step=step,
            crop=s.image_size if s.patches_of else 0,
            flip=s.flip,
            kept=kept,
            dropped=dropped,
            terms=tuple(self.objectives.values()),
        )

    def _losses(self, player: Player, play: Play) -> dict[str, tf.Tensor]:
        losses = {}
        for objective in self.objectives.values():
            losses = _joined(losses, getattr(objective, f"{player.name}_loss", lambda _: {})(play))
        return losses

    def _share(self, value: tf.Tensor) -> tf.Tensor:
        """[B] over the global batch, a scalar over replicas; Keras optimisers sum gradients over replicas."""
        if value.shape.rank:
            return tf.reduce_sum(value) / self.settings.batch_size
        return value / tf.distribute.get_strategy().num_replicas_in_sync

    def _diagnostics(self, play: Play, losses) -> dict[str, tf.Tensor]:
        found = {}
        for objective in self.objectives.values():
            shares = {name: self._share(value) for name, value in objective.diagnostics(play, losses).items()}
            found = _joined(found, shares)
        return found

    def _gradient_norms(self, tape, shares: dict[str, tf.Tensor], step: tf.Tensor) -> dict[str, tf.Tensor]:
        """Of each term of the generator, at logging steps only (else 0): the mean over replicas of their own
        gradients' norms.

        Left out with synchronised batch norm, whose gradient talks to the other replicas and cannot stand in a
        branch.
        """
        if self.settings.batch_norm == "synchronised" or not shares:
            return {}
        weights = _values(next(self.weights(p) for p in self.players if p.name == "generator"))
        names = [f"generator/gradient_norm_{term}" for term in shares]
        done, s = step + 1, self.settings
        logged = [done % every == 0 for every in (s.log_every, s.test_every, s.score_every) if every]
        norms = tf.cond(
            tf.reduce_any([*logged, done == s.steps_per_execution, done == s.steps]),
            lambda: [tf.linalg.global_norm(tape.gradient(share, weights)) for share in shares.values()],
            lambda: [tf.zeros([])] * len(shares),
        )
        return dict(zip(names, norms, strict=True))


def _joined(found: dict[str, tf.Tensor], more: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    if twice := sorted(found.keys() & more.keys()):
        raise UsageError(f"Two terms of this recipe both have a {', '.join(twice)}. Set --config.terms to one of them.")
    return found | more


def _values(variables: list[keras.Variable]) -> list[tf.Variable]:
    return [variable.value for variable in variables]
