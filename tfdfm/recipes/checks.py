"""Checks of a recipe, whatever the data."""

from ml_collections import ConfigDict

from tfdfm import networks, objectives
from tfdfm.errors import UsageError, nearest
from tfdfm.recipes.keys import complete, flat, unused

CHOICES = {
    "prior": ("uniform", "normal"),
    "play": ("simultaneous", "alternating"),
    "batch_norm": ("local", "synchronised", "frozen"),
    "precision": ("float32", "mixed_bfloat16", "mixed_float16"),
    "jit": ("auto", "on", "off"),
    "distribution": ("auto", "mirrored", "multi_worker", "tpu", "none"),
    "optimizer.method": ("adam", "adam_root", "rmsprop", "sgd"),
    "optimizer.generator_method": ("", "adam", "adam_root", "rmsprop", "sgd"),
}
POSITIVE = (
    "latent_size",
    "n_critic",
    "class_splits",
    "batch_size",
    "steps",
    "steps_per_execution",
    "accumulate",
    "log_every",
    "sample_every",
    "checkpoint_every",
)
NOT_NEGATIVE = (
    "seed",
    "num_labelled",
    "patches_of",
    "test_every",
    "score_every",
    *(f"optimizer.{key}" for key in ("l2", "halve_every", "decay_from", "decay_until", "generator_until")),
)


def check(config: ConfigDict) -> ConfigDict:
    """The recipe without the keys of terms that it does not use.

    Raises:
        UsageError: a value that no run could have.
    """
    values = flat(complete(config))
    for key, allowed in CHOICES.items():
        if values[key] not in allowed:
            raise UsageError(nearest(key, values[key], allowed) + f" Set --config.{key}.")
    for key, least in {**dict.fromkeys(POSITIVE, 1), **dict.fromkeys(NOT_NEGATIVE, 0), **_sizes(config)}.items():
        if values.get(key, least) < least:
            raise UsageError(f"Expected {key} to be at least {least}, given {values[key]}. Set --config.{key}.")
    if not config.optimizer.learning_rate > 0:
        raise UsageError(f"Expected optimizer.learning_rate to be positive, given {config.optimizer.learning_rate}.")
    if not 0 <= config.ema_decay < 1:
        raise UsageError(f"Expected ema_decay in [0, 1), 0 for none; given {config.ema_decay}. Set --config.ema_decay.")
    _check_classes(config)
    _check_terms(config)
    needless = unused(config.terms)
    used = {key: value for key, value in config.items() if key not in needless}
    kinds = set(networks.KINDS) - needless
    return ConfigDict(used | {kind: _network(kind, config[kind]) for kind in kinds})


def _sizes(config: ConfigDict) -> dict[str, int]:
    """{"generator.width": 1, ...}: the least value of each whole number of a network; 0 where that is its default."""
    found: dict[str, int] = {}
    for kind in set(networks.KINDS) & set(config.keys()):
        defaults = networks.parameters(kind, config[kind].network)
        found |= {f"{kind}.{key}": min(value, 1) for key, value in defaults.items() if type(value) is int}
    return found


def _network(player: str, given: ConfigDict) -> dict:
    """A network's keys, those that were left out at their defaults."""
    known = {"network": given.network, **networks.parameters(player, given.network)}
    if unknown := sorted(given.keys() - known.keys()):
        raise UsageError(
            f"{player}.network={given.network} has no {', '.join(unknown)}; its keys are {', '.join(sorted(known))}. "
            f"Set --config.{player}.network to one that has."
        )
    return known | given.to_dict()


def _check_classes(config: ConfigDict):
    whole = all(type(number) is int for number in config.class_range)
    if config.class_range and not (
        whole and len(config.class_range) == 2 and 0 <= config.class_range[0] < config.class_range[1]
    ):
        raise UsageError(
            f"Expected class_range to be the first one and the one after the last, given {tuple(config.class_range)}. "
            "Set --config.class_range=(151,269), say."
        )
    if config.class_splits > 1 and not config.conditional:
        raise UsageError(
            f"class_splits={config.class_splits} makes a model for each group of classes, and this recipe is "
            "unconditional. Set --config.class_splits=1."
        )
    if not -1 <= config.split < config.class_splits:
        raise UsageError(
            f"Expected split from 0 to {config.class_splits - 1}, or -1 for all; given {config.split}. "
            "Set --config.split."
        )


def _check_terms(config: ConfigDict):
    primary = [term for term in config.terms if objectives.find(term).primary]
    if len(primary) != 1:
        raise UsageError(
            f"Expected one term that trains G by itself ({', '.join(objectives.primaries())}), given"
            f" {', '.join(primary) or 'none'} in terms {tuple(config.terms)}."
        )
    if "discriminator" not in objectives.find(primary[0]).players:
        for key, alone in (("n_critic", 1), ("play", "simultaneous")):
            if config[key] != alone:
                raise UsageError(
                    f"{primary[0]!r} has no discriminator that could take steps by itself, given {key}={config[key]}. "
                    f"Set --config.{key}={alone}."
                )
    clipped = "wasserstein" in config.terms and config.wasserstein.clip
    if "wasserstein" in config.terms and bool(clipped) == ("gradient_penalty" in config.terms):
        raise UsageError(
            "Expected a Wasserstein critic to be bounded by its clipped weights or by the term gradient_penalty, given "
            f"{'both' if clipped else 'neither'}. Set --config.wasserstein.clip={0 if clipped else 0.01}."
        )
    if len(set(config.terms)) != len(config.terms):
        raise UsageError(f"Expected each term once, given {tuple(config.terms)}.")
