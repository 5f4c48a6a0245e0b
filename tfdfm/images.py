"""Pictures as users see them: pixels from uint8 and back, grids and PNG files."""

import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfdfm import files

SIZES = (16, 32, 48, 64, 96, 128)  # sides, in pixels, for which there are DCGANs
_GAP = 1  # black pixels between neighbours in a grid


def from_uint8(pixels: np.ndarray | tf.Tensor) -> tf.Tensor:
    """uint8 of any shape -> float32 in [-1, 1], as networks see them: the one conversion there."""
    return tf.cast(pixels, tf.float32) / 127.5 - 1.0


def to_uint8(images: np.ndarray) -> np.ndarray:
    """[-1, 1] floats of any shape -> uint8 0..255, clipped and rounded: the one conversion back."""
    return np.rint(np.clip((np.asarray(images, np.float32) + 1) * 127.5, 0, 255)).astype(np.uint8)


def unit_to_uint8(images: np.ndarray) -> np.ndarray:
    """[0, 1] floats, as exported models give them, -> uint8 0..255, rounded as their PNG files are."""
    return np.rint(np.asarray(images, np.float32) * 255).astype(np.uint8)


def grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """uint8 [N, H, W, C] -> one uint8 picture [H', W', C], row by row, near-square unless `columns` says otherwise."""
    images = np.asarray(images)
    if images.ndim != 4 or not len(images):
        raise ValueError(f"Expected at least one image of shape [N, H, W, C]. Received: {images.shape}.")
    n, height, width, channels = images.shape
    columns = min(columns or int(np.ceil(np.sqrt(n))), n)
    rows = -(-n // columns)
    cells = np.zeros((rows * columns, height + _GAP, width + _GAP, channels), np.uint8)
    cells[:n, :height, :width] = images
    cells = cells.reshape(rows, columns, height + _GAP, width + _GAP, channels).swapaxes(1, 2)
    return cells.reshape(rows * (height + _GAP), columns * (width + _GAP), channels)[:-_GAP, :-_GAP]


def cells(picture: np.ndarray, side: int) -> np.ndarray:
    """The images uint8 [N, side, side, C] of a picture [H', W', C] that `grid` made, black ones of its end included."""
    pitch, channels = side + _GAP, picture.shape[2]
    rows, columns = ((length + _GAP) // pitch for length in picture.shape[:2])
    whole = np.pad(picture, ((0, _GAP), (0, _GAP), (0, 0))).reshape(rows, pitch, columns, pitch, channels)
    return whole.swapaxes(1, 2)[:, :, :side, :side].reshape(-1, side, side, channels)


def of_figure(figure) -> np.ndarray:
    """uint8 [H, W, 3] of a `matplotlib.figure.Figure`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def write_png(path: str | os.PathLike, image: np.ndarray) -> None:
    """Writes uint8 [H, W, 1 or 3]: the file appears whole or not at all. Makes the folder. Raises `Failure`."""
    path = Path(path)
    data = tf.io.encode_png(image).numpy()
    with files.writing(path):
        files.make_folder(path.parent)
        with files.whole(path) as file:
            file.write(data)
