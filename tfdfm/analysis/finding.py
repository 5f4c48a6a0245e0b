"""What a view has found: a picture and the numbers in it, on disk as PNG and JSON beside each other."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tfdfm import files, images

MILLISECONDS = 250  # of a frame


class Finding(NamedTuple):
    picture: np.ndarray  # uint8 [H, W, 3]
    numbers: dict  # that JSON can hold
    frames: Sequence[np.ndarray] = ()  # uint8 [H, W, 3], of an animation


def write(finding: Finding, path: Path) -> list[Path]:
    """Writes PATH, a .png, and .json (and .gif where there are frames) beside it; each whole or not at all.

    Raises:
        Failure: the disk refuses.
    """
    written = [path, path.with_suffix(".json")]
    images.write_png(path, finding.picture)
    files.write_json(written[1], finding.numbers)
    if finding.frames:
        written.append(path.with_suffix(".gif"))
        first, *others = (Image.fromarray(frame) for frame in finding.frames)
        held = io.BytesIO()
        first.save(held, "GIF", save_all=True, append_images=others, duration=MILLISECONDS, loop=0)
        with files.writing(written[2]), files.whole(written[2]) as file:
            file.write(held.getvalue())
    return written
