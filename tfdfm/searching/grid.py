"""The settings of a grid over a recipe's keys, in the order in which any part of it is searched."""

import copy
import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ml_collections import ConfigDict

from tfdfm import recipes
from tfdfm.recipes.keys import flat


class Setting(NamedTuple):
    """One point of a grid."""

    name: str  # of its folder: a checksum of the values
    values: dict  # {key: value}


def axes(base: ConfigDict, grid: Mapping[str, Iterable]) -> dict[str, list]:
    """{key: its values, each once}, of the types that the recipe `base` has there.

    Raises:
        UsageError: no such key, or a value that it cannot have.
    """

    def value(key: str, text: str):
        return flat(recipes.override(copy.deepcopy(base), {key: text}))[key]

    return {key: list(dict.fromkeys(value(key, str(one)) for one in values)) for key, values in grid.items()}


def settings(axes: Mapping[str, list]) -> list[Setting]:
    """Every combination, by checksum: the first N are as good as drawn by lot, and among the first of any larger N."""
    points = (dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()))
    return sorted((Setting(_name(point), point) for point in points), key=lambda setting: setting.name)


def configured(base: ConfigDict, setting: Setting) -> ConfigDict:
    """The checked recipe of a setting. Raises UsageError: no run could have it."""
    texts = {key: str(value) for key, value in setting.values.items()}
    return recipes.check(recipes.override(copy.deepcopy(base), texts))


def _name(values: dict) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
