"""Histograms and paired differences as pictures, by matplotlib."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfdfm.images import of_figure
from tfdfm.searching.histogram import Histogram, Panel
from tfdfm.searching.paired import PERCENT, Comparison

COLUMNS, WIDTH, HEIGHT, DPI = 3, 4.4, 3.0, 100  # panels a row; inches of one
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")


def histograms(histogram: Histogram) -> np.ndarray:
    """uint8 [H, W, 3]: the panels, percentages over scores; failed models left of the bins."""
    return of_figure(figure_of(histogram))


def pairs(comparisons: Sequence[Comparison]) -> np.ndarray:
    """uint8 [H, W, 3]: a panel for each score, a line for each setting: seeds' differences, their mean's interval."""
    scores = list(dict.fromkeys(one.score for one in comparisons))
    labels = list(dict.fromkeys(one.label for one in comparisons))
    columns = min(COLUMNS, len(scores))
    rows = -(-len(scores) // columns)
    size = (2 + WIDTH * columns, rows * (1 + 0.35 * len(labels)))
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    figure.suptitle(f"Difference of each seed, and the {PERCENT} % interval of their mean", fontsize="medium")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).flat
    for axes in grid[len(scores) :]:
        axes.axis("off")
    for axes, score in zip(grid, scores, strict=False):
        for one in (one for one in comparisons if one.score == score):
            place = -labels.index(one.label)
            axes.plot([one.low, one.high], [place, place], color=COLOURS[0], linewidth=3)
            axes.plot(one.differences, [place] * len(one.seeds), "o", color=COLOURS[1], markersize=4)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set(title=score)
        axes.locator_params(axis="x", nbins=5)
        axes.set_yticks([-place for place in range(len(labels))], labels)
    return of_figure(figure)


def figure_of(histogram: Histogram) -> Figure:
    """A figure with the axes of each panel."""
    columns = min(COLUMNS, len(histogram.panels))
    rows = -(-len(histogram.panels) // columns)
    figure = Figure(figsize=(WIDTH * columns, HEIGHT * rows), dpi=DPI, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes, panel in zip(grid.flat, histogram.panels, strict=False):
        _draw(axes, panel, histogram.edges)
    for axes in grid.flat[len(histogram.panels) :]:
        axes.axis("off")
    return figure


def _draw(axes: Axes, panel: Panel, edges: np.ndarray) -> None:
    bin_width = edges[1] - edges[0]
    starts = np.concatenate([[edges[0] - 1.5 * bin_width], edges[:-1]])  # the failed ones, half a bin away
    for place, (name, bars) in enumerate(panel.bars.items()):
        width = bin_width / len(panel.bars)
        heights = [bars.failed, *bars.percent]
        label, colour = f"{name} ({bars.count:,})", COLOURS[place % len(COLOURS)]
        axes.bar(starts + place * width, heights, width, align="edge", color=colour, label=label)
    axes.set(title=panel.title, xlabel="score (far left: failed)", ylabel="% of models")
    axes.legend(fontsize="small")
