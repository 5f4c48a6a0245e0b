"""Every latent in every class: a row a latent, a column a class (AC-GAN, figure 9).

What stays the same along a row is what the latent says and the class does not. Numbers: the mean absolute difference
of pixels, in 0..255, between two classes of one latent and between two latents of one class.
"""

import numpy as np

from tfdfm.analysis import panels
from tfdfm.analysis.finding import Finding
from tfdfm.analysis.subject import Subject
from tfdfm.images import unit_to_uint8


def draw(subject: Subject, *, num: int = 8, seed: int = 0, classes: str = "") -> Finding:
    """
    Args:
        num: latents, those of the first images of `sample --seed=`.
        classes: names or numbers with commas between; all by default.
    """
    labels = subject.labels(classes)
    drawn = np.repeat(subject.latents(num, seed), len(labels), axis=0)
    cells = unit_to_uint8(subject.source.from_latents(drawn, np.tile(labels, num)))
    cells = cells.reshape(num, len(labels), *cells.shape[1:])  # [latents, classes, H, W, C]
    names = [subject.classes[label] for label in labels]
    numbers = {"classes": names, "between_classes": _apart(cells.swapaxes(0, 1)), "between_latents": _apart(cells)}
    return Finding(panels.named_grid(cells, subject.title, columns=names), numbers)


def _apart(cells: np.ndarray) -> float | None:
    """Mean |difference| of two of the first axis at one place of the second; None of one alone."""
    if len(cells) < 2:
        return None
    pairs = [np.abs(cells[i].astype(float) - cells[j]) for i in range(len(cells)) for j in range(i)]
    return float(np.mean(pairs))
