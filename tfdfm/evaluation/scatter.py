"""Classes as points: accuracy against MS-SSIM, and MS-SSIM of samples against the data's (AC-GAN, figures 6 and 4)."""

import numpy as np
from matplotlib.figure import Figure

from tfdfm.images import of_figure
from tfdfm.metrics.accuracy import Joint
from tfdfm.metrics.ms_ssim import Similarity


def draw(found: Joint, data: Similarity) -> np.ndarray:
    """uint8 [H, W, 3]: a point for each class of the samples; in the second panel of those that the data has."""
    figure = Figure(figsize=(8, 4), dpi=100, layout="constrained")
    discriminable, diverse = figure.subplots(1, 2)
    discriminable.scatter(found.similarity, found.accuracy, s=12)
    discriminable.set(xlabel="MS-SSIM of samples", ylabel="accuracy")
    _, ours, theirs = np.intersect1d(found.labels, data.labels, return_indices=True)
    diverse.scatter(data.values[theirs], found.similarity[ours], s=12)
    diverse.axhline(data.values.max(), color="tab:red", linewidth=1)
    diverse.plot([0, 1], [0, 1], linewidth=1)
    diverse.set(xlabel="MS-SSIM of data (red: its largest)", ylabel="MS-SSIM of samples")
    for axes in (discriminable, diverse):
        axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.02))
    return of_figure(figure)
