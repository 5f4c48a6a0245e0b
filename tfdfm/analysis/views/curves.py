"""Losses, gradient norms and scores over training, of one run or of several laid over one another (thesis, figures 13
and 14).

A thin line is what was logged, the thick one a running median. Numbers: first, last, least and largest value of each
curve, and the mean of its last tenth.
"""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import median_filter

from tfdfm.analysis import panels
from tfdfm.analysis.finding import Finding
from tfdfm.analysis.subject import Subject
from tfdfm.errors import UsageError
from tfdfm.images import of_figure

TOGETHER = True
COLUMNS = 3
_LEFT_OUT = ("step", "images_seen", "images_per_second")


def draw(subjects: Sequence[Subject], *, keys: str = "") -> Finding:
    """
    Args:
        keys: of metrics.jsonl, with commas between; all that any run has by default.
    """
    curves = {subject.name: _curves(subject.lines) for subject in subjects}
    known = list(dict.fromkeys(key for found in curves.values() for key in found))
    chosen = keys.split(",") if keys else known
    if wrong := [key for key in chosen if key not in known]:
        raise UsageError(f"Expected keys of metrics.jsonl, {', '.join(known)}, given {wrong[0]}.")
    rows = -(-len(chosen) // COLUMNS)
    figure = panels.figure(4 * COLUMNS, 2.4 * rows)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for each, key in zip(axes, chosen, strict=False):
        for place, (name, found) in enumerate(curves.items()):
            _draw(each, *found.get(key, np.zeros([2, 0])), color=f"C{place}", label=name)
        each.set_title(key, fontsize=9)
        each.set_xlabel("thousand images seen", fontsize=8)
        each.tick_params(labelsize=8)
    axes[0].legend(fontsize=8)
    for each in axes[len(chosen) :]:
        each.set_axis_off()
    numbers = {name: {key: _summary(found[key][1]) for key in chosen if key in found} for name, found in curves.items()}
    return Finding(of_figure(figure), numbers)


def _curves(lines: Sequence[dict]) -> dict[str, np.ndarray]:
    """{key: [thousand images seen, value] of the lines that have it}, float64 [2, N]."""
    found: dict[str, list] = {}
    for line in lines:
        for key, value in line.items():
            if key not in _LEFT_OUT and isinstance(value, int | float):
                found.setdefault(key, []).append((line["images_seen"] / 1000, value))
    return {key: np.array(points, float).T for key, points in found.items()}


def _draw(axes, x: np.ndarray, y: np.ndarray, color: str, label: str) -> None:
    window = 2 * (len(y) // 40) + 1  # a twentieth of the run
    axes.plot(x, y, color=color, linewidth=0.5, alpha=0.4 if window > 1 else 1)
    axes.plot(x, median_filter(y, window, mode="nearest"), color=color, linewidth=1.2, label=label)


def _summary(values: np.ndarray) -> dict[str, float]:
    last = values[-max(len(values) // 10, 1) :]
    return {
        "first": float(values[0]),
        "last": float(values[-1]),
        "least": float(values.min()),
        "largest": float(values.max()),
        "mean_of_last_tenth": float(last.mean()),
    }
