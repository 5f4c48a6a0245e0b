"""How views draw: grids of images with their names, figures, and pictures side by side."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from tfdfm import images

CELL = 48  # pixels a side at least, of an image in a grid
DPI, GAP = 100, 12
_LINE, _LETTER = 16, 7  # pixels, of text
WHITE = 255


def figure(width: float, height: float, title: str = "") -> Figure:
    """An empty one, in inches."""
    made = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    if title:
        made.suptitle(title, fontsize=10)
    return made


def named_grid(cells: np.ndarray, title: str, rows: Sequence[str] = (), columns: Sequence[str] = ()) -> np.ndarray:
    """uint8 [R, C, H, W, 1 or 3] -> a picture uint8 [H', W', 3]: images enlarged whole times, names at the sides."""
    times = -(-CELL // cells.shape[2])
    shown = images.grid(cells.reshape(-1, *cells.shape[2:]), cells.shape[1])
    shown = rgb(np.repeat(np.repeat(shown, times, axis=0), times, axis=1))
    left = _LETTER * max(map(len, rows)) + GAP if rows else 0
    top = _LINE * (2 + bool(columns))
    height, width = shown.shape[0] + top, max(shown.shape[1] + left, _LETTER * len(title))
    drawn = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    drawn.text(0.5, 1 - _LINE / height, title, ha="center", va="center", fontsize=9)
    for place, name in enumerate(rows):
        y = top + (place + 0.5) * shown.shape[0] / len(cells)
        drawn.text((left - GAP / 2) / width, 1 - y / height, name, ha="right", va="center", fontsize=8)
    for place, name in enumerate(columns):
        x = left + (place + 0.5) * shown.shape[1] / cells.shape[1]
        drawn.text(x / width, 1 - (top - _LINE / 2) / height, name, ha="center", va="center", fontsize=8)
    picture = images.of_figure(drawn).copy()
    picture[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
    return picture


def rgb(picture: np.ndarray) -> np.ndarray:
    """[..., 1 or 3] -> [..., 3]."""
    return np.broadcast_to(picture, (*picture.shape[:-1], 3))


def beside(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """uint8 [H, W, 3] of any sizes -> one, left to right, white between and below."""
    height = max(len(picture) for picture in pictures)
    padded = [
        np.pad(each, ((0, height - len(each)), (0, GAP * (place + 1 < len(pictures))), (0, 0)), constant_values=WHITE)
        for place, each in enumerate(pictures)
    ]
    return np.concatenate(padded, axis=1)
