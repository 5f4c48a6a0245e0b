"""Recipes: their defaults, where they are found, what overrides them, and what makes one invalid."""

import ast
import importlib.util
import json
from pathlib import Path

from ml_collections import ConfigDict

from tfdfm import networks, objectives
from tfdfm.errors import UsageError, nearest

PACKAGE = Path(__file__).resolve().parent
FALLBACK = "custom"  # the recipe of data sets without one of their own
CHOICES = {
    "prior": ("uniform", "normal"),
    "batch_norm": ("local", "synchronised", "frozen"),
    "precision": ("float32", "mixed_bfloat16"),
    "jit": ("auto", "on", "off"),
    "distribution": ("auto", "mirrored", "multi_worker", "tpu", "none"),
    "optimizer.method": ("adam", "rmsprop"),
}
NETWORKS = ("generator", "discriminator", "denoiser")
POSITIVE = (
    "latent_size",
    "n_critic",
    "batch_size",
    "steps",
    "steps_per_execution",
    "log_every",
    "sample_every",
    "checkpoint_every",
)
NOT_NEGATIVE = ("seed", "score_every", "optimizer.halve_every")


def defaults() -> ConfigDict:
    """Every key of a recipe, with the paper's choices (section 5) where it made one."""
    return ConfigDict(
        dict(
            dataset="digits",
            image_size=0,  # 0: the data set's own
            flip=False,  # half of the images left-right
            conditional=False,  # labels concatenated at every layer of G and D
            terms=("nonsaturating", "dfm"),  # modules of tfdfm.objectives
            latent_size=128,
            prior="uniform",  # in [-1, 1], or "normal"
            generator=dict(network="Radford", width=64),  # classes of tfdfm.networks with their keyword arguments
            discriminator=dict(network="Radford", width=32),
            denoiser=dict(network="FullyConnected", depth=10, width=2048),
            batch_norm="local",  # statistics of each replica's batch, "synchronised": the global one's, "frozen"
            optimizer=dict(  # of each player
                method="adam", learning_rate=1e-4, beta_1=0.5, beta_2=0.999, epsilon=1e-8, halve_every=0
            ),
            n_critic=1,  # moves of D in a step, each on its own batch, before or with G's
            batch_size=64,  # over all replicas
            steps=100_000,
            seed=0,
            ema_decay=0.0,  # of an average of the generator, which then makes the samples; 0: none
            precision="float32",
            jit="auto",
            distribution="auto",
            steps_per_execution=1,
            log_every=100,
            sample_every=1000,
            checkpoint_every=1000,
            score_every=0,  # by the classifier of the data set's labels; the best checkpoint is kept; 0: never
            **{term: objectives.parameters(term) for term in objectives.names()},
        )
    )


def recipes() -> Path:
    """The folder of recipes: a checkout's configs/ beside the imported package, else the installed tfdfm/configs/."""
    checkout = PACKAGE.parent
    return checkout / "configs" if (checkout / "setup.cfg").exists() else PACKAGE / "configs"


def names() -> list[str]:
    return [path.stem for path in recipes().glob("*.py") if path.stem != "__init__"]


def recipe(name: str) -> ConfigDict:
    """The recipe of that name, or of a path to a .py with get_config() or to a run's config.json.

    Raises:
        UsageError: there is none, or it cannot be read; says which exist.
    """
    path = Path(name) if name.endswith((".py", ".json")) else recipes() / f"{name}.py"
    if not path.exists():
        raise UsageError(f"{nearest('recipe', name, names())} Pass --config=NAME or the path of a .py or config.json.")
    if path.suffix == ".json":
        return read(path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config()


def select(name: str | None, dataset: str | None) -> tuple[str, ConfigDict]:
    """(name of a run, recipe) from --config and --dataset: a data set's own recipe, or the one for any data."""
    known = names()
    chosen = name or (dataset if dataset in known else FALLBACK if dataset else "digits")
    config = recipe(chosen)
    label = Path(chosen).stem
    if dataset and dataset != config.dataset:
        short = (
            Path(dataset.removeprefix("folder:")).name if dataset.startswith("folder:") else dataset.replace("/", "_")
        )
        label = short if chosen == FALLBACK else f"{label}-{short}"
        config.dataset = dataset
    return label, config


def override(config: ConfigDict, assignments: dict[str, str]) -> ConfigDict:
    """`config` with {"dfm.sigma": "0.5"} set, each value of the type of the one that it replaces."""
    for path, text in assignments.items():
        *parents, leaf = path.split(".")
        holder = config
        for parent in parents:
            holder = holder.get(parent) if isinstance(holder, ConfigDict) else None
        if not isinstance(holder, ConfigDict) or leaf not in holder or isinstance(holder[leaf], ConfigDict):
            raise UsageError(nearest("key", path, _flat(config)) + f" Given --config.{path}={text}.")
        if parents and parents[0] in objectives.names() and parents[0] not in config.terms:
            raise UsageError(f"--config.{path} has no effect: the recipe's terms are {tuple(config.terms)}.")
        holder[leaf] = _parse(path, text, holder[leaf])
    return config


def _parse(path: str, text: str, old):
    try:
        value = text if isinstance(old, str) else ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
    except (ValueError, SyntaxError):
        value = tuple(text.split(",")) if isinstance(old, tuple) else text
    if isinstance(old, tuple) and isinstance(value, list | str):
        value = (value,) if isinstance(value, str) else tuple(value)
    if isinstance(old, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(old):
        raise UsageError(f"Expected --config.{path} to be of type {type(old).__name__}, like {old!r}; given {text!r}.")
    return value


def check(config: ConfigDict) -> ConfigDict:
    """The recipe without the keys of terms that it does not use.

    Raises:
        UsageError: a value that no run could have.
    """
    flat = _flat(config)
    for key, allowed in CHOICES.items():
        if flat[key] not in allowed:
            raise UsageError(nearest(key, flat[key], allowed) + f" Set --config.{key}.")
    sizes = [key for key, value in flat.items() if key.split(".")[0] in NETWORKS and type(value) is int]
    for key, least in {**dict.fromkeys([*POSITIVE, *sizes], 1), **dict.fromkeys(NOT_NEGATIVE, 0)}.items():
        if flat[key] < least:
            raise UsageError(f"Expected {key} to be at least {least}, given {flat[key]}. Set --config.{key}.")
    if not config.optimizer.learning_rate > 0:
        raise UsageError(f"Expected optimizer.learning_rate to be positive, given {config.optimizer.learning_rate}.")
    if not 0 <= config.ema_decay < 1:
        raise UsageError(f"Expected ema_decay in [0, 1), 0 for none; given {config.ema_decay}. Set --config.ema_decay.")
    for key in ("log_every", "sample_every", "checkpoint_every", "score_every", "steps"):
        if config[key] % config.steps_per_execution:
            raise UsageError(
                f"Expected {key} to be a multiple of steps_per_execution ({config.steps_per_execution}), "
                f"given {config[key]}."
            )
    _check_terms(config)
    used = {key: value for key, value in config.items() if key not in objectives.names() or key in config.terms}
    return ConfigDict(used | {player: _network(player, config[player]) for player in NETWORKS})


def _network(player: str, given: ConfigDict) -> dict:
    """A network's keys, those that were left out at their defaults."""
    known = {"network": given.network, **networks.parameters(player, given.network)}
    if unknown := sorted(given.keys() - known.keys()):
        raise UsageError(
            f"{player}.network={given.network} has no {', '.join(unknown)}; its keys are {', '.join(sorted(known))}. "
            f"Set --config.{player}.network to one that has."
        )
    return known | given.to_dict()


def _check_terms(config: ConfigDict):
    games = [term for term in config.terms if objectives.find(term).game]
    if len(games) != 1:
        raise UsageError(
            f"Expected one term that plays the game of G against D ({', '.join(objectives.games())}), given"
            f" {', '.join(games) or 'none'} in terms {tuple(config.terms)}."
        )
    if len(set(config.terms)) != len(config.terms):
        raise UsageError(f"Expected each term once, given {tuple(config.terms)}.")


def read(path: Path) -> ConfigDict:
    """A run's config.json as a recipe.

    Raises:
        UsageError: it is damaged: not JSON, or not the keys of a recipe with values of their types.
    """
    try:
        stored = json.loads(path.read_text())
        stored = {key: tuple(v) if isinstance(v, list) else v for key, v in stored.items() if key != "data"}
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(f"{path} is damaged ({error}): expected the JSON that a run writes. Restore it.") from None
    found = ConfigDict(stored)
    base = _base(found)
    if wrong := _wrong(_flat(base), _flat(found)):
        raise UsageError(f"{path} is damaged or of another version: missing, unknown or of another type: {wrong}.")
    base.update(found)
    return base


def _base(found: ConfigDict) -> ConfigDict:
    """The defaults, those of networks for the networks that `found` names."""
    base = defaults()
    for player in NETWORKS:
        name = found[player].get("network") if isinstance(found.get(player), ConfigDict) else None
        if isinstance(name, str) and name in networks.classes(player):
            base[player] = ConfigDict({"network": name, **networks.parameters(player, name)})
    return base


def _wrong(expected: dict, found: dict) -> list[str]:
    """Keys that a run's config must not lack, have, or hold such a value of; those of unused terms it may lack."""
    terms = found.get("terms") if isinstance(found.get("terms"), tuple) else ()
    if not all(term in objectives.names() for term in terms):
        return ["terms"]
    unused = {key for key in expected if key.split(".")[0] in set(objectives.names()) - set(terms)}
    other = {key for key in expected.keys() & found.keys() if type(expected[key]) is not type(found[key])}
    return sorted((expected.keys() ^ found.keys()) - unused | other)


def differences(old: ConfigDict, new: ConfigDict) -> list[str]:
    """Keys that differ, as "key: old -> new"."""
    a, b = _flat(old), _flat(new)
    return [f"{key}: {a.get(key)!r} -> {b.get(key)!r}" for key in sorted(a | b) if a.get(key) != b.get(key)]


def _flat(config: ConfigDict, prefix: str = "") -> dict:
    flat = {}
    for key, value in config.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, ConfigDict) else {f"{prefix}{key}": value}
    return flat
