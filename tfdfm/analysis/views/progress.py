"""The fixed samples over training: a strip with a column a step, and the whole grids as an animation.

Drawn from the run's own samples/step_*.png, or, of a system with an encoder, samples/reconstructions_*.png: images of
the data, each beside its reconstruction. Numbers: the steps, and the mean absolute difference of pixels, in 0..255,
from each shown step to the next: what still changes.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from tfdfm.analysis import panels
from tfdfm.analysis.finding import Finding
from tfdfm.analysis.subject import Subject
from tfdfm.errors import UsageError
from tfdfm.images import cells

KINDS = {"samples": "step", "reconstructions": "reconstructions"}
FRAMES = 40  # at most


def draw(subject: Subject, *, of: str = "samples", num: int = 10, shown: int = 8) -> Finding:
    """
    Args:
        of: "samples" or "reconstructions".
        num: steps in the strip, evenly spaced, the first and the last among them.
        shown: samples, the first ones.
    """
    if of not in KINDS:
        raise UsageError(f"Expected --view.of to be one of {', '.join(KINDS)}, given {of}.")
    paths = sorted((subject.run_dir / "samples").glob(f"{KINDS[of]}_*.png"))
    if not paths:
        raise UsageError(f"{subject.run_dir} has no pictures of {of} yet: --config.sample_every says when they come.")
    chosen = _spaced(paths, num)
    grids = np.stack([cells(_read(path), subject.config.image_size) for path in chosen])  # [S, N, H, W, C]
    names = [f"{_step(path):,}" for path in chosen]
    picture = panels.named_grid(grids[:, :shown].swapaxes(0, 1), subject.name, columns=names)
    changes = np.abs(np.diff(grids.astype(np.int16), axis=0)).mean(axis=(1, 2, 3, 4))
    frames = [panels.named_grid(_read(path)[None, None], f"step {_step(path):,}") for path in _spaced(paths, FRAMES)]
    return Finding(picture, {"steps": [_step(path) for path in chosen], "change": changes.tolist()}, frames)


def _spaced(paths: list[Path], count: int) -> list[Path]:
    places = np.unique(np.linspace(0, len(paths) - 1, max(count, 2)).round().astype(int))
    return [paths[place] for place in places]


def _step(path: Path) -> int:
    return int(path.stem.rpartition("_")[2])


def _read(path: Path) -> np.ndarray:
    """uint8 [H, W, C]"""
    picture = np.asarray(Image.open(path))
    return picture[..., None] if picture.ndim == 2 else picture
