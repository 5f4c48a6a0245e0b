"""The settings of a search over a recipe's keys: a grid in the order in which any part is searched, or ranges."""

import copy
import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ml_collections import ConfigDict
from optuna import Trial

from tfdfm import recipes
from tfdfm.errors import UsageError
from tfdfm.recipes.keys import flat

_RANGE = re.compile(r"(?P<low>[^:]+)\.\.(?P<high>[^:]+?)(?P<log>:log)?")


class Range(NamedTuple):
    """Numbers from low to high, both included."""

    low: float  # int of a key that has ints
    high: float
    log: bool  # drawn evenly by their logarithm


class Setting(NamedTuple):
    """One point of a grid."""

    name: str  # of its folder: a checksum of the values
    values: dict  # {key: value}


def axes(base: ConfigDict, grid: Mapping[str, Iterable]) -> dict[str, list | Range]:
    """{key: its values, each once, or LOW..HIGH or LOW..HIGH:log as a range}, of the types that `base` has there.

    Raises:
        UsageError: no such key, a value that it cannot have, a range that is none.
    """

    def value(key: str, text: str):
        return flat(recipes.override(copy.deepcopy(base), {key: text}))[key]

    def axis(key: str, texts: list[str]) -> list | Range:
        if len(texts) > 1 or not (found := _RANGE.fullmatch(texts[0])):
            return list(dict.fromkeys(value(key, text) for text in texts))
        low, high = value(key, found["low"]), value(key, found["high"])
        number = isinstance(low, int | float) and not isinstance(low, bool)
        if not number or low >= high or (found["log"] and low <= 0):
            raise UsageError(f"Expected --grid.{key}=LOW..HIGH of rising numbers, above 0 with :log. Given {texts[0]}.")
        return Range(low, high, bool(found["log"]))

    return {key: axis(key, [str(one) for one in values]) for key, values in grid.items()}


def settings(axes: Mapping[str, list]) -> list[Setting]:
    """Every combination, by checksum: the first N are as good as drawn by lot, and among the first of any larger N."""
    points = (dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()))
    return sorted(map(setting, points), key=lambda one: one.name)


def wanted(axes: Mapping[str, list | Range], num: int | None) -> tuple[dict[str, dict], list[Setting]]:
    """{name: values, {} of a draw} of what a search of `num` is to finish, and settings that show whether it can.

    Raises:
        UsageError: more than there are, or no number of draws.
    """
    ranges = {key: axis for key, axis in axes.items() if isinstance(axis, Range)}
    if ranges and not num:
        raise UsageError(f"Expected --num, how many settings to draw from the range of {', '.join(ranges)}.")
    ends = {key: [axis.low, axis.high] if key in ranges else axis for key, axis in axes.items()}
    found = settings(ends)
    if ranges:
        return {f"draw-{place}": {} for place in range(num)}, found
    if num and num > len(found):
        raise UsageError(f"Expected --num of at most {len(found):,}, the settings of this grid. Given {num:,}.")
    return dict(found[:num]), found[:num]


def ranges(axes: Mapping[str, list | Range]) -> str:
    """What the draws of a search must share: its axes, if one of them is a range."""
    if not any(isinstance(axis, Range) for axis in axes.values()):
        return ""
    return ", ".join(f"{key}={axis if isinstance(axis, list) else tuple(axis)}" for key, axis in axes.items())


def setting(values: dict) -> Setting:
    """Values and the name that they have for ever."""
    return Setting(hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12], values)


def drawn(trial: Trial, axes: Mapping[str, list | Range]) -> Setting:
    """A setting of axes some of which are ranges, as the study's sampler proposes it."""

    def draw(key: str, axis: list | Range):
        if isinstance(axis, list):
            return {_choice(one): one for one in axis}[trial.suggest_categorical(key, [_choice(one) for one in axis])]
        suggest = trial.suggest_int if isinstance(axis.low, int) else trial.suggest_float
        return suggest(key, axis.low, axis.high, log=axis.log)

    return setting({key: draw(key, axis) for key, axis in axes.items()})


def told(trial: Trial, values: Mapping) -> None:
    """Gives the values of a grid's setting to the trial as its parameters, for Optuna's plots and dashboard."""
    for key, value in values.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            (trial.suggest_int if isinstance(value, int) else trial.suggest_float)(key, value, value)


def configured(base: ConfigDict, setting: Setting) -> ConfigDict:
    """The checked recipe of a setting. Raises UsageError: no run could have it."""
    texts = {key: str(value) for key, value in setting.values.items()}
    return recipes.check(recipes.override(copy.deepcopy(base), texts))


def _choice(value):
    """As a study can store it."""
    return value if value is None or isinstance(value, str | int | float) else str(value)
