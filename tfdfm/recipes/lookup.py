"""Recipes by name, and the one that a command means."""

import re
from pathlib import Path
from types import ModuleType

from ml_collections import ConfigDict

from tfdfm import networks, objectives, plugins
from tfdfm.errors import UsageError, nearest
from tfdfm.objectives import Objective
from tfdfm.recipes import stored

PACKAGE = Path(__file__).resolve().parents[1]
FALLBACK = "custom"  # the recipe of data sets without one of their own


def folder() -> Path:
    """The folder of recipes: a checkout's configs/ beside the imported package, else the installed tfdfm/configs/."""
    checkout = PACKAGE.parent
    return checkout / "configs" if (checkout / "setup.cfg").exists() else PACKAGE / "configs"


def names() -> list[str]:
    return [path.stem for path in folder().glob("*.py") if path.stem != "__init__"]


def recipe(name: str) -> ConfigDict:
    """The recipe of that name, or of a path to a .py with get_config() or to a run's config.json.

    Raises:
        UsageError: there is none, or it cannot be read; says which exist.
    """
    path = _path(name)
    return stored.read(path) if path.suffix == ".json" else _beside(path.parent, _module(path).get_config())


def _beside(folder: Path, config: ConfigDict) -> ConfigDict:
    """The recipe with terms and networks that lie in files beside it named by their paths."""
    config.terms = tuple(
        term if term in objectives.names() else plugins.beside(folder, term, Objective) for term in config.terms
    )
    for kind in networks.KINDS:
        if kind in config:
            config[kind].network = plugins.beside(folder, config[kind].network, networks.Network)
    return config


def grid(name: str) -> dict[str, tuple]:
    """{key: values} of a recipe whose file has get_grid(); {} of others. Raises UsageError: as `recipe`."""
    path = _path(name)
    return getattr(_module(path), "get_grid", dict)() if path.suffix == ".py" else {}


def _path(name: str) -> Path:
    path = Path(name) if name.endswith((".py", ".json")) else folder() / f"{name}.py"
    if not path.exists():
        raise UsageError(f"{nearest('recipe', name, names())} Pass --config=NAME or the path of a .py or config.json.")
    return path


def _module(path: Path) -> ModuleType:
    return plugins.run_file(path, f"recipe_{path.stem}")


def select(name: str | None, dataset: str | None) -> tuple[str, ConfigDict]:
    """(name of a run, recipe) from --config and --dataset: a data set's own recipe, or the one for any data."""
    known = names()
    chosen = name or (dataset if dataset in known else FALLBACK if dataset else "digits")
    config = recipe(chosen)
    label = Path(chosen).stem
    if dataset and dataset != config.dataset:
        place = dataset.partition(":")[2]  # of SCHEME:PLACE; of a set of TFDS's its version
        short = dataset.replace("/", "_") if not place or place[0].isdecimal() else Path(place).name
        short = re.sub(r"[{}*?\[\]]+", "_", short)
        label = short if chosen == FALLBACK else f"{label}-{short}"
        config.dataset = dataset
    return label, config
