"""Whether settings of some searches are better than those of the first one, by differences of paired seeds.

A run and its twin of the same seed begin with the same weights and see the same images, so that much of what differs
between seeds cancels in their difference. Its mean's interval is the bootstrap's, by percentiles of resampled seeds
(Efron & Tibshirani, "An introduction to the bootstrap", 1993, section 13.3); of a handful of seeds it is narrow.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tfdfm.errors import UsageError
from tfdfm.evaluation import records, tables
from tfdfm.searching import results

RESAMPLES, PERCENT = 10_000, 95


class Comparison(NamedTuple):
    """One setting against the setting of the first search, in one score; over the seeds that both have."""

    label: str  # search, and keys but the seed
    score: str
    seeds: list[int]
    first: list[float]  # the first search's, by seed
    other: list[float]
    low: float  # of the interval of the mean difference
    high: float
    failed: list[int]  # seeds without a score in one of them
    seconds: tuple[float, float]  # a run of the first and of the other took, on average

    @property
    def differences(self) -> np.ndarray:
        """other - first, by seed."""
        return np.subtract(self.other, self.first)


def compare(searches: Mapping[str, list[dict]]) -> list[Comparison]:
    """Every setting of the second search and on, against the first one's setting that agrees in the keys they share.

    Args:
        searches: {name: results of tfdfm.search}; all have a grid over `seed`.

    Raises:
        UsageError: no seed, a setting with no counterpart or with several, or scores of different samples or judges.
    """
    (baseline, first), *others = searches.items()
    if not others:
        raise UsageError("Expected two searches or more in --paired, the first the one to compare with.")
    known, made = _grouped(baseline, first), []
    for name, found in others:
        for keys, runs in _grouped(name, found).items():
            label = ", ".join([name, *(f"{key}={value}" for key, value in keys)])
            made += _compared(label, _counterpart(label, dict(keys), baseline, known), runs)
    return made


def text(comparisons: list[Comparison], baseline: str) -> str:
    """A table: means over the seeds, and the mean difference with its interval."""
    rows = [("", "score", "seeds", baseline, "this", "difference", f"{PERCENT} %", "", "seconds")]
    for one in comparisons:
        failed = f"{len(one.failed)} failed" if one.failed else ""
        rows.append(
            (
                one.label,
                one.score,
                str(len(one.seeds)),
                *(tables.rounded(float(np.mean(values))) for values in (one.first, one.other, one.differences)),
                f"[{tables.rounded(one.low, 3)}, {tables.rounded(one.high, 3)}]",
                failed or verdict(one),
                "{:.0f}, {:.0f}".format(*one.seconds),
            )
        )
    return tables.aligned(rows)


def verdict(one: Comparison) -> str:
    """ "better" or "worse" where the interval leaves 0 out, else "open"."""
    if one.low <= 0 <= one.high:
        return "open"
    return "better" if (one.high < 0) == (one.score in results.LOWER_IS_BETTER) else "worse"


def record(comparisons: list[Comparison]) -> list[dict]:
    """For JSON, all seeds' scores."""
    return [one._asdict() | {"difference": float(np.mean(one.differences))} for one in comparisons]


def interval(differences: np.ndarray) -> tuple[float, float]:
    """The bootstrap's, of the mean of [N]; the same for the same numbers."""
    drawn = np.random.default_rng(0).integers(0, len(differences), (RESAMPLES, len(differences)))
    low, high = np.percentile(np.mean(differences[drawn], axis=1), [50 - PERCENT / 2, 50 + PERCENT / 2])
    return float(low), float(high)


def _grouped(name: str, found: list[dict]) -> dict[tuple, dict[int, dict]]:
    """{keys but the seed: {seed: result}}"""
    groups: dict[tuple, dict[int, dict]] = {}
    for result in found:
        settings = dict(result["settings"])
        if "seed" not in settings:
            raise UsageError(f"Expected searches over seeds in --paired: make {name} with --grid.seed=0,1,2,3,4.")
        seed = settings.pop("seed")
        keys = tuple((key, json.dumps(value)) for key, value in settings.items())
        groups.setdefault(keys, {})[seed] = result
    return groups


def _counterpart(label: str, keys: dict, baseline: str, known: dict[tuple, dict[int, dict]]) -> dict[int, dict]:
    fitting = [runs for theirs, runs in known.items() if all(keys.get(key, value) == value for key, value in theirs)]
    if len(fitting) != 1:
        raise UsageError(
            f"Expected one setting of {baseline} that agrees with {label}, found {len(fitting)}. "
            "Give the first search of --paired one setting, but for seeds, or the others' values of its keys."
        )
    return fitting[0]


def _compared(label: str, first: dict[int, dict], other: dict[int, dict]) -> list[Comparison]:
    """One for each score."""
    shared = sorted(first.keys() & other.keys())
    if len(shared) < 2:
        raise UsageError(f"Expected two seeds or more that {label} shares with the first search, found {len(shared)}.")
    good = [seed for seed in shared if first[seed]["scores"] and other[seed]["scores"]]
    seconds = tuple(float(np.mean([runs[seed]["seconds"] for seed in shared])) for runs in (first, other))
    made = []
    for score in other[good[0]]["scores"] if good else ():
        pairs = [[runs[seed]["scores"][score] for runs in (first, other)] for seed in good]
        if len({json.dumps(records.conditions(of), sort_keys=True) for pair in pairs for of in pair}) > 1:
            raise UsageError(f"{score} of {label} and of the first search differ in samples, classifier or reference.")
        ours, theirs = ([pair[place]["value"] for pair in pairs] for place in (0, 1))
        bounds = interval(np.subtract(theirs, ours))
        failed = [seed for seed in shared if seed not in good]
        made.append(Comparison(label, score, good, ours, theirs, *bounds, failed, seconds))
    return made
