"""Histograms as a picture."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tfdfm.searching.histogram import Histogram, Panel

COLUMNS, WIDTH, HEIGHT, MARGIN = 3, 440, 300, 40  # panels a row; pixels of one and around its bars
HEAD = 76  # pixels above the bars, for title and legend
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")


def draw(histogram: Histogram) -> np.ndarray:
    """uint8 [H, W, 3]: the panels, percentages over scores; failed models left of the bins."""
    panels = histogram.panels
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    top = max(max(bars.failed, *bars.percent) for panel in panels for bars in panel.bars.values()) or 1.0
    picture = Image.new("RGB", (columns * WIDTH, rows * HEIGHT), "white")
    for place, panel in enumerate(panels):
        cell = Image.new("RGB", (WIDTH, HEIGHT), "white")
        _draw(ImageDraw.Draw(cell), panel, histogram.edges, top)
        picture.paste(cell, (place % columns * WIDTH, place // columns * HEIGHT))
    return np.asarray(picture)


def _draw(canvas: ImageDraw.ImageDraw, panel: Panel, edges: np.ndarray, top: float) -> None:
    font = ImageFont.load_default(11)
    left, right, base = MARGIN, WIDTH - MARGIN // 2, HEIGHT - MARGIN
    slot = (right - left) / len(edges)  # one for the failed ones, one for each bin
    canvas.text((left, 4), panel.title.replace(", ", "\n"), "black", font)
    for place, (name, bars) in enumerate(panel.bars.items()):
        colour, width = COLOURS[place % len(COLOURS)], slot / (len(panel.bars) + 1)
        canvas.text((right, 4 + 14 * place), f"{name} ({bars.count:,})", colour, font, anchor="ra")
        for column, percent in enumerate([bars.failed, *bars.percent]):
            x, y = left + column * slot + place * width, base - percent / top * (base - HEAD)
            canvas.rectangle((x, y, x + width - 1, base), fill=colour) if percent else None
    canvas.line((left, HEAD, left, base, right, base), "black")
    canvas.text((left, base + 4), "failed", "black", font)
    for column in range(0, len(edges), 5):
        x = left + (column + 1) * slot
        canvas.line((x, base, x, base + 4), "black")
        canvas.text((x, base + 18), f"{edges[column]:.3g}", "black", font, anchor="ma")
    for percent in (0, top / 2, top):
        y = base - percent / top * (base - HEAD)
        canvas.text((left - 4, y), f"{percent:.0f} %", "black", font, anchor="rm")
