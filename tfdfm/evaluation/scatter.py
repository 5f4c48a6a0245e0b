"""Classes as points with their standard errors: accuracy against MS-SSIM, and MS-SSIM of samples against the data's
(AC-GAN, figures 6 and 4)."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfdfm.images import of_figure
from tfdfm.metrics.accuracy import Accuracy
from tfdfm.metrics.ms_ssim import Similarity

POINTS = dict(fmt="o", markersize=3, elinewidth=0.6, linewidth=0)


def draw(accurate: Accuracy, similar: Similarity, data: Similarity) -> np.ndarray:
    """uint8 [H, W, 3], two panels."""
    figure = Figure(figsize=(8, 4), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2)
    discriminable(left, accurate, similar)
    diverse(right, similar, data)
    return of_figure(figure)


def discriminable(axes: Axes, accurate: Accuracy, similar: Similarity) -> None:
    """A point for each class of the samples."""
    axes.errorbar(similar.values, accurate.values, accurate.errors, similar.errors, **POINTS)
    axes.set(xlabel="MS-SSIM of samples", ylabel="accuracy", xlim=(0, 1.02), ylim=(-0.02, 1.02))


def diverse(axes: Axes, similar: Similarity, data: Similarity) -> None:
    """A point for each class of the samples that the data have."""
    _, ours, theirs = np.intersect1d(similar.labels, data.labels, return_indices=True)
    axes.errorbar(data.values[theirs], similar.values[ours], similar.errors[ours], data.errors[theirs], **POINTS)
    axes.axhline(data.values.max(), color="tab:red", linewidth=1)
    axes.plot([0, 1], [0, 1], linewidth=1)
    axes.set(
        xlabel="MS-SSIM of data (red: its largest)", ylabel="MS-SSIM of samples", xlim=(0, 1.02), ylim=(-0.02, 1.02)
    )
