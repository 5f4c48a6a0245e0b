"""The share of models in each bin of a score, several searches beside each other (EBGAN, figures 2 and 3)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from absl import logging

from tfdfm.errors import UsageError
from tfdfm.evaluation import records, tables
from tfdfm.searching import results

BINS = 20


class Bars(NamedTuple):
    """The models of one search in one panel."""

    count: int
    failed: float  # percent of them; they have no score and are in no bin
    percent: np.ndarray  # [BINS], of all of them


class Panel(NamedTuple):
    title: str
    bars: dict[str, Bars]  # by search


class Histogram(NamedTuple):
    edges: np.ndarray  # [BINS + 1], the same in all panels
    panels: list[Panel]


def histogram(searches: Mapping[str, list[dict]], by: Sequence[str] = (), at_most: Sequence[str] = ()) -> Histogram:
    """The percentages of models in bins of equal width from 0, or the lowest score, to the highest.

    Args:
        searches: {name: results}.
        by: keys; a panel for each combination of their values. A model without one of them is in all (figure 3).
        at_most: keys; a panel for each of their values, of the models that have none above it (figure 2).

    Raises:
        UsageError: a key that no search has.
    """
    models = [model for found in searches.values() for model in found]
    known = sorted({key for model in models for key in model["settings"]})
    if wrong := [key for key in (*by, *at_most) if key not in known]:
        raise UsageError(f"Expected keys of these searches ({', '.join(known)}), given {', '.join(wrong)}.")
    kinds = {
        json.dumps(records.conditions(next(iter(model["scores"].values())))) for model in models if model["scores"]
    }
    if len(kinds) > 1:
        logging.warning("These scores differ in samples, classifier or name: their bars do not compare.")
    scores = [score for model in models if (score := results.value(model)) is not None]
    edges = np.linspace(min([0.0, *scores]), max(scores, default=0.0) or 1.0, BINS + 1)
    return Histogram(edges, [_panel(searches, edges, *which) for which in _parts(models, by, at_most)])


def text(histogram: Histogram) -> str:
    """A table for each panel."""
    spans = [f"{low:.3g} to {high:.3g}" for low, high in zip(histogram.edges, histogram.edges[1:], strict=False)]
    return "\n\n".join(_table(panel, spans) for panel in histogram.panels)


def _table(panel: Panel, spans: list[str]) -> str:
    rows = [(panel.title, *(f"{name} ({bars.count:,})" for name, bars in panel.bars.items()))]
    rows.append(("failed", *(f"{bars.failed:.1f} %" for bars in panel.bars.values())))
    for place, span in enumerate(spans):
        rows.append((span, *(f"{bars.percent[place]:.1f} %" for bars in panel.bars.values())))
    return tables.aligned(rows)


def _parts(models: list[dict], by: Sequence[str], at_most: Sequence[str]) -> Iterator[tuple[dict, dict]]:
    """({key: value}, {key: bound}) of each panel."""
    settings = [model["settings"] for model in models]
    points = {repr(point): point for one in settings if (point := {key: one[key] for key in by if key in one})}
    points = [points[name] for name in sorted(points) if len(points[name]) == len(by)]
    bounds = sorted({one[key] for one in settings for key in at_most if key in one}, reverse=True)
    for point in points or [{}]:
        for bound in bounds or [None]:
            yield point, dict.fromkeys(at_most, bound)


def _panel(searches: Mapping[str, list[dict]], edges: np.ndarray, point: dict, bounds: dict) -> Panel:
    def inside(model: dict) -> bool:
        settings = model["settings"]
        same = all(settings.get(key, value) == value for key, value in point.items())
        return same and all(settings.get(key, bound) <= bound for key, bound in bounds.items())

    title = ", ".join([f"{key}={value}" for key, value in point.items()] + [f"{k}<={v}" for k, v in bounds.items()])
    return Panel(title or "all", {name: _bars(list(filter(inside, found)), edges) for name, found in searches.items()})


def _bars(models: list[dict], edges: np.ndarray) -> Bars:
    scores = [score for model in models if (score := results.value(model)) is not None]
    share = 100 / max(len(models), 1)
    return Bars(len(models), share * (len(models) - len(scores)), share * np.histogram(scores, edges)[0])
