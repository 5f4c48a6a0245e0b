"""The trainer of a recipe: its networks, objectives and players."""

import tensorflow as tf
from absl import logging
from ml_collections import ConfigDict

from tfdfm import networks, objectives
from tfdfm.errors import UsageError
from tfdfm.networks import Network
from tfdfm.networks.denoisers import Whitening
from tfdfm.networks.outputs import DiscriminatorOutput
from tfdfm.objectives import Objective
from tfdfm.objectives.forward import Forward
from tfdfm.plugins import short
from tfdfm.random import Random, key
from tfdfm.training import distribution, optimizers
from tfdfm.training.joint_update import JointUpdate, Player, Settings, flat
from tfdfm.training.keras_internals import layers
from tfdfm.training.schedule import Schedule
from tfdfm.training.trainer import Trainer


def generator(config: ConfigDict, channels: int, num_classes: int) -> Network:
    """The recipe's generator, built. `num_classes` of the data, 0 where it has no labels."""
    num_classes = num_classes if config.conditional else 0
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


def classifies(config: ConfigDict) -> bool:
    """Whether the recipe's discriminator tells classes."""
    return "discriminator" in config and networks.find("discriminator", config.discriminator.network).classifies


def supervised(config: ConfigDict) -> bool:
    """Whether a term learns from batches of labelled images of its own."""
    return any(objectives.find(term).supervised for term in config.terms)


def discriminator(config: ConfigDict, num_classes: int) -> Network:
    """The recipe's discriminator; its first call builds it. `num_classes` of the data, 0 where it has none."""
    kind = networks.find("discriminator", config.discriminator.network)
    if kind.classifies and not num_classes:
        raise UsageError(
            f"The discriminator {config.discriminator.network} tells classes, and {config.dataset} has no labels. "
            "Set --config.discriminator.network."
        )
    return _network(
        config, "discriminator", config.image_size, num_classes if config.conditional or kind.classifies else 0
    )


def encoder(config: ConfigDict, channels: int, num_classes: int) -> Network:
    """The recipe's encoder, built. `num_classes` of the data, 0 where it has no labels."""
    if config.prior != "normal":
        raise UsageError(f"An encoder infers latents N(0, 1), given prior={config.prior}. Set --config.prior=normal.")
    size, num_classes = config.image_size, num_classes if config.conditional else 0
    made = _network(config, "encoder", size, config.latent_size, num_classes)
    made(tf.zeros([1, size, size, channels]))
    return made


def trainer(config: ConfigDict, channels: int, num_classes: int, *, jit: bool) -> Trainer:
    """Networks, objectives and players of a resolved recipe; call it inside the strategy's scope.

    Args:
        num_classes: of the data, 0 where it has no labels.

    Raises:
        UsageError: an image size that no network fits, or a term that needs what the discriminator does not say.
    """
    terms = {short(term): objectives.find(term)(**config[short(term)]) for term in config.terms}
    owners = {player: owned for objective in terms.values() for player, owned in objective.players.items()}
    nets = _networks(config, channels, num_classes, terms, {name for owned in owners.values() for name in owned})
    for term, objective in terms.items():
        if objective.gradient_norms_every and config.batch_norm == "synchronised":
            raise UsageError(
                f"The term {term!r} balances gradients' norms, which batch_norm=synchronised does not measure. "
                f"Set --config.{term}.gradient_ratio=0 or --config.batch_norm=local."
            )
        objective.build(nets)
    scaled = config.precision == "mixed_float16"
    players = [
        Player(name, owned, optimizers.make(name, config.optimizer, skipping=scaled), name == "discriminator")
        for name, owned in owners.items()
    ]
    settings = Settings(**{name: config[name] for name in Settings._fields})
    update = JointUpdate(nets, terms, players, settings)
    few = min(config.batch_size // tf.distribute.get_strategy().num_replicas_in_sync, 2)
    names = _loss_names(update, batch(config, channels, num_classes, few))
    ema_generator = generator(config, channels, num_classes) if config.ema_decay else None
    made = Trainer(update, names, Schedule.of(config), ema_generator=ema_generator, jit=jit, scaled=scaled)
    made.compile(steps_per_execution=config.steps_per_execution, jit_compile=False)
    return made


def batch(config: ConfigDict, channels: int, num_classes: int, count: int) -> dict[str, tf.TensorSpec]:
    """What a batch of `count` images is for the trainer's step. `num_classes` of the data, 0 where it has none."""
    size = config.patches_of or config.image_size
    made = {"images": tf.TensorSpec([count, size, size, channels], tf.uint8)}
    made |= {"labels": tf.TensorSpec([count], tf.int32)} if num_classes else {}
    return made | ({f"labelled_{name}": spec for name, spec in made.items()} if supervised(config) else {})


def _loss_names(update: JointUpdate, batch: dict[str, tf.TensorSpec]) -> list[str]:
    """ "<player>/<name>" of each loss, by a pass over zeros: it finds a recipe's mistakes before there is a run."""
    frozen = update.settings._replace(batch_norm="frozen")
    update = JointUpdate(update.networks, update.objectives, update.players, frozen)
    zero = tf.constant(0, tf.int64)
    forward = update.forward({name: tf.zeros(spec.shape, spec.dtype) for name, spec in batch.items()}, zero, zero)
    losses = update.losses(forward, update.players)
    update.diagnostics(forward, losses)
    return list(flat(losses))


def _networks(config, channels: int, num_classes: int, terms: dict[str, Objective], wanted: set[str]) -> dict:
    """The networks that the players own, built by what they say of one image of zeros."""
    nets = {"generator": generator(config, channels, num_classes)} if "generator" in wanted else {}
    nets |= {"discriminator": discriminator(config, num_classes)} if "discriminator" in wanted else {}
    nets |= {"encoder": encoder(config, channels, num_classes)} if "encoder" in wanted else {}
    zero, size = tf.constant(0, tf.int64), config.image_size
    primary = next(objective for objective in terms.values() if objective.primary)
    _check_codes(config, terms, primary, nets)
    forward = primary.forward(
        nets,
        tf.zeros([1, size, size, channels], tf.uint8),
        tf.zeros([1], tf.int32) if num_classes else None,
        random=Random(config.seed, zero, zero),
        latent=(config.latent_size, config.prior),
        step=zero,
    )
    output = forward.real if "discriminator" in nets else None
    _check_needs(terms, output, nets)
    if "denoiser" in wanted:
        nets["denoiser"] = _denoiser(config, nets["discriminator"])
    if "sample_denoiser" in wanted:
        nets["sample_denoiser"] = _denoiser(config, nets["discriminator"], "sample_denoiser")
    if "separator" in wanted:
        nets["separator"] = _separator(config, forward)
    return nets


def _network(config: ConfigDict, player: str, *args, name: str = "") -> Network:
    parameters = config[player].to_dict()
    kind = networks.find(player, parameters.pop("network"))
    full = any(player in objectives.find(term).full_precision for term in config.terms)
    choice = "float32" if full else config.precision
    dtype = distribution.precision(choice, convolutional=kind.convolutional)
    return kind(*args, **parameters, seed=key(config.seed, name or player), dtype=dtype, name=name or player)


def _denoiser(config: ConfigDict, discriminator: Network, name: str = "denoiser") -> Network:
    features = discriminator.num_features
    if config.denoiser.network == "FullyConnected" and config.denoiser.width < features:
        logging.warning("The denoiser's layers (%d) are narrower than Phi (%d).", config.denoiser.width, features)
    made = _network(config, "denoiser", discriminator.feature_shape, name=name)
    if isinstance(made, Whitening):
        made.scaled(tf.zeros([1, features]))
    made(tf.zeros([1, features]))
    return made


def _separator(config: ConfigDict, forward: Forward) -> Network:
    if not hasattr(forward.networks["generator"], "activations"):
        raise UsageError(
            f"The generator {config.generator.network} shows no activations for a separator to see. "
            "Set --config.generator.network=Iliescu."
        )
    data, samples = forward.shown
    if data.shape != samples.shape:
        raise UsageError(
            f"A separator sees activations of one shape, given {data.shape[1:]} of the discriminator and "
            f"{samples.shape[1:]} of the generator. Set --config.discriminator.width and --config.generator.width."
        )
    made = _network(config, "separator")
    made(data)
    return made


def _check_codes(config: ConfigDict, terms: dict[str, Objective], primary: Objective, nets: dict[str, Network]):
    """Raises UsageError where D and the terms do not agree on whether images come with their codes."""
    if "discriminator" not in nets:
        return
    given = nets["discriminator"].takes_codes
    if given != primary.takes_codes:
        raise UsageError(
            f"This recipe shows D images {'with' if primary.takes_codes else 'without'} their codes, and "
            f"{config.discriminator.network} takes them {'with' if given else 'without'}. "
            f"Set --config.discriminator.network{'=ALI' if primary.takes_codes else ''}."
        )
    for term, objective in terms.items():
        if given and objective.per_example_gradients:
            raise UsageError(f"The term {term!r} shows the discriminator images without codes, and it takes both.")


def _check_needs(terms: dict[str, Objective], output: DiscriminatorOutput | None, nets: dict[str, Network]):
    for term, objective in terms.items():
        for field in objective.needs:
            if getattr(output, field, None) is None:
                raise UsageError(
                    f"The term {term!r} needs the discriminator's {field}, which this recipe's does not give."
                )
        for name in objective.per_example_gradients:
            mixing = {type(layer).__name__ for layer in layers(nets[name]) if hasattr(layer, "couples_examples")}
            if mixing:
                raise UsageError(
                    f"The term {term!r} takes each example's own gradient, and {', '.join(mixing)} in the {name} mixes "
                    f"them. Set --config.{name}.batch_norm=False, or --config.{name}.network to one without."
                )
        if (
            objective.primary
            and output
            and output.reconstruction is not None
            and "reconstruction" not in objective.needs
        ):
            raise UsageError(
                f"The discriminator's score is an energy here, and the game {term!r} takes it for a logit. "
                "Set --config.discriminator.network to one that does not reconstruct images, or the term ebgan."
            )
