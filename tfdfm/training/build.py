"""From a recipe to a trainer."""

import tensorflow as tf
from absl import logging
from ml_collections import ConfigDict

from tfdfm import networks, objectives
from tfdfm.errors import UsageError
from tfdfm.networks import Network
from tfdfm.networks.critique import Critique
from tfdfm.networks.layers import BatchNorm
from tfdfm.random import key
from tfdfm.training import distribution, optimizers
from tfdfm.training.move import Game, Player, Settings
from tfdfm.training.trainer import Trainer


def generator(config: ConfigDict, channels: int, num_classes: int) -> Network:
    """The recipe's generator, built. `num_classes` is 0 for an unconditional one."""
    made = _network(config, "generator", config.image_size, channels, num_classes)
    wanted = getattr(made, "num_latents", config.latent_size)
    if wanted != config.latent_size:
        raise UsageError(
            f"The generator {config.generator.network} takes {wanted} latents, given {config.latent_size}. "
            f"Set --config.latent_size={wanted}."
        )
    labels = tf.zeros([1], tf.int32) if num_classes else None
    made(tf.zeros([1, config.latent_size]), labels=labels)
    return made


def discriminator(config: ConfigDict, channels: int, num_classes: int) -> tuple[Network, Critique]:
    """The recipe's discriminator, built, and what it says of an image of zeros."""
    made = _network(config, "discriminator", config.image_size, num_classes)
    labels = tf.zeros([1], tf.int32) if num_classes else None
    return made, made(tf.zeros([1, config.image_size, config.image_size, channels]), labels=labels)


def trainer(config: ConfigDict, channels: int, num_classes: int, *, jit: bool) -> Trainer:
    """Networks, objectives and players of a resolved recipe; call it inside the strategy's scope.

    Raises:
        UsageError: an image size that no network fits, or a term that needs what the discriminator does not say.
    """
    terms = {term: objectives.find(term)(**config[term]) for term in config.terms}
    nets = {"generator": generator(config, channels, num_classes)}
    nets["discriminator"], critique = discriminator(config, channels, num_classes)
    _check_needs(terms, critique, nets)
    if any("denoiser" in objective.players for objective in terms.values()):
        nets["denoiser"] = _denoiser(config, nets["discriminator"])
    players = [Player(name, (name,), optimizers.make(**config.optimizer), name == "discriminator") for name in nets]
    settings = Settings(**{name: config[name] for name in Settings._fields})
    average = generator(config, channels, num_classes) if config.ema_decay else None
    made = Trainer(Game(nets, terms, players, settings), average=average, jit=jit)
    made.compile(steps_per_execution=config.steps_per_execution, jit_compile=False)
    return made


def _network(config: ConfigDict, player: str, *args) -> Network:
    parameters = config[player].to_dict()
    kind = networks.find(player, parameters.pop("network"))
    full = any(player in objectives.find(term).full_precision for term in config.terms)
    choice = "float32" if full else config.precision
    dtype = distribution.precision(choice, convolutional="FullyConnected" not in kind.__name__)
    return kind(*args, **parameters, seed=key(config.seed, player), dtype=dtype, name=player)


def _denoiser(config: ConfigDict, discriminator: Network) -> Network:
    features = discriminator.num_features
    if config.denoiser.network == "FullyConnected" and config.denoiser.width < features:
        logging.warning("The denoiser's layers (%d) are narrower than Phi (%d).", config.denoiser.width, features)
    made = _network(config, "denoiser", discriminator.feature_shape)
    made(tf.zeros([1, features]))
    return made


def _check_needs(terms: dict[str, objectives.Objective], critique: Critique, nets: dict[str, Network]):
    for term, objective in terms.items():
        for field in objective.needs:
            if getattr(critique, field) is None:
                raise UsageError(
                    f"The term {term!r} needs the discriminator's {field}, which this discriminator does not give."
                )
        for name in objective.unnormalised:
            if any(isinstance(layer, BatchNorm) for layer in nets[name]._flatten_layers()):
                raise UsageError(
                    f"The term {term!r} takes each example's own gradient, and batch norm in the {name} mixes them. "
                    f"Set --config.{name}.batch_norm=False."
                )
