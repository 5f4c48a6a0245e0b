"""The keys of a recipe, their defaults and overrides."""

import ast

from ml_collections import ConfigDict

from tfdfm import networks, objectives, plugins
from tfdfm.errors import UsageError, nearest

OPTIMIZER = dict(
    method="adam",
    learning_rate=1e-4,
    momentum=0.0,  # of "sgd"
    beta_1=0.5,
    beta_2=0.999,
    epsilon=1e-8,
    l2=0.0,  # times each weight, added to its gradient; 0: none
    halve_every=0,  # updates; 0: never
    decay_from=0,  # the learning rate falls linearly to 0 from this update
    decay_until=0,  # to this one; 0: never
    generator_method="",  # G's own, where it is not the others'
    generator_learning_rate=0.0,  # the same
    generator_until=0,  # G's last update; 0: none
)

SCHEDULE = dict(  # in steps
    steps=100_000,
    log_every=100,
    sample_every=1000,
    checkpoint_every=1000,
    test_every=0,  # the test error of a discriminator that classifies; 0: never
    score_every=0,  # by the classifier of the data set's labels; the best checkpoint is kept; 0: never
)


def defaults() -> ConfigDict:
    """Every key of a recipe, with the paper's choices (section 5) where it made one."""
    return ConfigDict(
        dict(
            dataset="digits",
            image_size=0,  # 0: the data set's own
            patches_of=0,  # side of larger images, from which random patches of image_size are cut; 0: whole images
            flip=False,  # half of the images left-right
            conditional=False,  # G takes labels, and D unless it gives them
            class_range=(),  # (first, stop): of the data's classes these alone; (): all
            class_splits=1,  # models, each of as many neighbouring classes (AC-GAN, section 4.6)
            split=-1,  # the one of them that a run trains; -1: all
            num_labelled=0,  # images that keep their labels, as many of each class; 0: all
            terms=("nonsaturating", "dfm"),  # modules of tfdfm.objectives
            latent_size=128,
            prior="uniform",  # in [-1, 1], or "normal"
            generator=dict(network="DCGAN", width=64),  # classes of tfdfm.networks with their keyword arguments
            discriminator=dict(network="DCGAN", width=32),
            denoiser=dict(network="FullyConnected", depth=10, width=2048),
            encoder=dict(network="Iliescu", width=64),
            separator=dict(network="Iliescu", width=512),
            batch_norm="local",  # statistics of each replica's batch, "synchronised": the global one's, "frozen"
            optimizer=dict(OPTIMIZER),  # of each player
            n_critic=1,  # critic steps of a step, each on its own batch
            play="simultaneous",  # the others move with the last critic step, or "alternating": after it
            batch_size=64,  # over all replicas
            accumulate=1,  # parts of a replica's batch, one after the other, for devices too small for the whole
            seed=0,
            ema_decay=0.0,  # of an average of the generator, which then makes the samples; 0: none
            precision="float32",
            jit="auto",
            distribution="auto",
            steps_per_execution=1,
            **SCHEDULE,
            **{term: objectives.parameters(term) for term in objectives.names()},
        )
    )


def override(config: ConfigDict, assignments: dict[str, str]) -> ConfigDict:
    """`config` with {"dfm.sigma": "0.5"} set, each value of the type of the one that it replaces.

    Terms and networks come first: their own keys are known then.
    """
    order = sorted(assignments, key=lambda path: (path != "terms", not path.endswith(".network")))
    for path, text in ((path, assignments[path]) for path in order):
        complete(config)
        *parents, leaf = path.split(".")
        holder = config
        for parent in parents:
            holder = holder.get(parent) if isinstance(holder, ConfigDict) else None
        if parents and parents[0] in networks.KINDS and isinstance(holder, ConfigDict) and leaf not in holder:
            known = networks.parameters(parents[0], holder.network)  # recipes leave out keys at their defaults
            config[parents[0]] = holder = ConfigDict(
                holder.to_dict() | {key: known[key] for key in {leaf} & known.keys()}
            )
        if not isinstance(holder, ConfigDict) or leaf not in holder or isinstance(holder[leaf], ConfigDict):
            raise UsageError(nearest("key", path, flat(config)) + f" Given --config.{path}={text}.")
        if parents and parents[0] in unused(config.terms):
            raise UsageError(f"--config.{path} has no effect: the recipe's terms are {tuple(config.terms)}.")
        holder[leaf] = parse(f"config.{path}", text, holder[leaf])
        if leaf == "network" and parents and parents[0] in networks.KINDS:
            known = networks.parameters(parents[0], holder.network)
            kept = {key: value for key, value in holder.items() if key in known}
            config[parents[0]] = ConfigDict({"network": holder.network, **known, **kept})
    return complete(config)


def complete(config: ConfigDict) -> ConfigDict:
    """`config` with the keys of terms from outside the package, at their defaults where it lacks them.

    Raises:
        UsageError: a term that cannot be found, or whose name is that of another key.
    """
    for term in filter(plugins.is_outside, config.terms):
        key, defaults = plugins.short(term), objectives.parameters(term)
        if key in objectives.names() or not isinstance(config.get(key, ConfigDict()), ConfigDict):
            raise UsageError(f"The term {term!r} would have its keys under {key!r}, which is taken. Rename its class.")
        config[key] = ConfigDict({**defaults, **config.get(key, ConfigDict()).to_dict()})
    return config


def unused(terms: tuple[str, ...]) -> set[str]:
    """Keys of terms and networks that a recipe of these terms has no use for."""
    owned = {name for term in terms for of in objectives.find(term).players.values() for name in of}
    return set(objectives.names()) - set(terms) | set(networks.KINDS) - owned


def parse(flag: str, text: str, old):
    """The value of --FLAG=TEXT, of the type of `old`. Raises UsageError: it is of another."""
    try:
        value = text if isinstance(old, str) else ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
    except (ValueError, SyntaxError):
        value = tuple(text.split(",")) if isinstance(old, tuple) else text
    if isinstance(old, tuple) and isinstance(value, list | str):
        value = (value,) if isinstance(value, str) else tuple(value)
    if isinstance(old, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(old):
        raise UsageError(f"Expected --{flag} to be of type {type(old).__name__}, like {old!r}; given {text!r}.")
    return value


def flat(config: ConfigDict, prefix: str = "") -> dict:
    """{"dfm.sigma": 1.0, ...}"""
    found: dict = {}
    for key, value in config.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, ConfigDict) else {f"{prefix}{key}": value}
    return found
