"""The generator of a run, read back; and the way from one latent to the next."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging
from ml_collections import ConfigDict

from tfdfm import recipes, stores
from tfdfm.errors import Failure, UsageError
from tfdfm.images import from_uint8
from tfdfm.networks import Network
from tfdfm.networks.ensemble import Ensemble
from tfdfm.runs import ensembles
from tfdfm.runs.checkpoints import Checkpoints
from tfdfm.training import build
from tfdfm.training.trainer import flat_names


class Trained(NamedTuple):
    generator: Network | Ensemble  # in float32
    config: ConfigDict
    step: int
    channels: int
    class_names: tuple[str, ...]  # of a conditional model; () otherwise
    weights: str  # "generator", or "ema_generator" where the recipe keeps one
    members: tuple["Trained", ...] = ()  # of an ensemble, in the order of their classes


def load(run_dir: Path, checkpoint: str = "last") -> Trained:
    """The generator of a run's newest good checkpoint, of the one with the best score ("best") or of a step ("9000").

    Of an ensemble all its models', as one; its step is that of the model that was trained least.

    Raises:
        UsageError: no run there, or no such checkpoint; says which there are.
        Failure: it has no checkpoint yet, or no good one.
    """
    config, channels, class_names = described(run_dir)
    if ensembles.is_ensemble(config):
        numbers = range(config.class_splits)
        members = tuple(load(ensembles.directory(run_dir, number), checkpoint) for number in numbers)
        together = Ensemble([of.generator for of in members])
        step = min(of.step for of in members)
        return Trained(together, config, step, channels, class_names, members[0].weights, members)
    generator = build.generator(config, channels, len(class_names))
    weights = "ema_generator" if config.ema_decay else "generator"
    step = _restore(run_dir, flat_names(weights, generator.variables), checkpoint, config.checkpoint_every)
    logging.info("The generator of step %d of %s.", step, stores.name(run_dir))
    return Trained(generator, config, step, channels, class_names if config.conditional else (), weights)


def checksum(trained: Trained) -> str:
    """SHA-256 of a generator's weights."""
    digest = hashlib.sha256()
    for variable in trained.generator.variables:
        digest.update(np.ascontiguousarray(variable).data)
    return digest.hexdigest()


def discriminator(run_dir: Path, checkpoint: str = "last") -> Network:
    """A run's discriminator of images, and their labels where it is given these.

    Raises:
        UsageError: as `load`, and for one that asks for codes, or none.
        Failure: as `load`.
    """
    config, channels, class_names = described(run_dir)
    if "discriminator" not in config or ensembles.is_ensemble(config):
        raise UsageError(f"{run_dir} has no discriminator of its own. Take a run of a game of G against D.")
    network = untrained_discriminator(config, channels, len(class_names))
    _restore(run_dir, flat_names("discriminator", network.variables), checkpoint, config.checkpoint_every)
    return network


def untrained_discriminator(config: ConfigDict, channels: int, num_classes: int) -> Network:
    """The recipe's discriminator, built, with the initial weights of its seed. `num_classes` of the data.

    Raises:
        UsageError: it takes images with codes.
    """
    network = build.discriminator(config, num_classes)
    if network.takes_codes:
        raise UsageError(f"The discriminator {config.discriminator.network} takes images with codes. Take another run.")
    labels = {"labels": tf.zeros([1], tf.int32)} if config.conditional and not network.classifies else {}
    network(tf.zeros([1, config.image_size, config.image_size, channels]), **labels)
    return network


def encoder(run_dir: Path, checkpoint: str = "last") -> Network:
    """A run's encoder of images to codes.

    Raises:
        UsageError: as `load`, and for a run that has none.
        Failure: as `load`.
    """
    config, channels, class_names = described(run_dir)
    if "encoder" not in config or ensembles.is_ensemble(config):
        raise UsageError(f"{run_dir} has no encoder. Take a run of ALI or of a VAE.")
    network = build.encoder(config, channels, len(class_names))
    _restore(run_dir, flat_names("encoder", network.variables), checkpoint, config.checkpoint_every)
    return network


def activations(run_dir: Path, checkpoint: str = "last") -> Callable[[np.ndarray], list[np.ndarray]]:
    """A function of uint8 images [B, H, W, C]: what layers of a run say, [B, h, w, maps] of each.

    They are all convolutions of its discriminator, or of its encoder, where it has one, the last three and the mean of
    the codes (ALI, section 4.3).

    Raises:
        UsageError, Failure: as `discriminator` and `encoder`; it shows no activations.
    """
    config = described(run_dir)[0]
    network = encoder(run_dir, checkpoint) if "encoder" in config else discriminator(run_dir, checkpoint)
    if "encoder" not in config and config.conditional and not network.classifies:
        raise UsageError(f"{run_dir} is conditional: its discriminator sees the labels. Take an unconditional run.")
    if not hasattr(network, "activations"):
        raise UsageError(f"The network {type(network).__name__} of {run_dir} shows no activations.")

    @tf.function
    def layers(pixels):
        images = from_uint8(pixels)
        if "encoder" in config:
            return [*network.activations(images)[-3:], network(images)[0][:, None, None, :]]
        return network.activations(images)

    return lambda images: [layer.numpy() for layer in layers(images)]


def recipe(run_dir: Path) -> ConfigDict:
    """The recipe of a run. Raises UsageError: no run there, or a damaged one."""
    path = run_dir / "config.json"
    if not path.exists():
        raise UsageError(f"Expected a run directory with a config.json in --run_dir, found none in {run_dir}.")
    return recipes.check(recipes.read(path))


def described(run_dir: Path) -> tuple[ConfigDict, int, tuple[str, ...]]:
    """The recipe, in float32; channels; class names of the data."""
    config, path = recipe(run_dir), run_dir / "config.json"
    try:
        about = json.loads(path.read_text())["data"]
        channels, class_names = about["channels"], tuple(about["class_names"])
    except (KeyError, TypeError):
        raise UsageError(f"{path} is damaged: expected what a run writes of its data. Restore it.") from None
    config.precision = "float32"
    return config, channels, class_names


def _restore(run_dir: Path, variables: dict, checkpoint: str, first: int) -> int:
    directory = run_dir / "checkpoints"
    if checkpoint == "best":
        directory = directory / "best"
        if not directory.is_dir():
            raise UsageError(
                f"Expected a best checkpoint in {directory}: this run kept no scores. Leave out --checkpoint."
            )
    checkpoints = Checkpoints(directory, variables)
    if checkpoint in ("last", "best"):
        step = checkpoints.restore(part=True)
        if step is None:
            raise Failure(f"{run_dir} has no checkpoint yet: the first comes at step {first}.")
        return step
    if checkpoint not in checkpoints.steps():
        known = ", ".join(checkpoints.steps()) or "none"
        raise UsageError(
            f"Expected --checkpoint to be last, best or one of the steps kept ({known}), given {checkpoint}."
        )
    return checkpoints.restore(part=True, step=int(checkpoint))
