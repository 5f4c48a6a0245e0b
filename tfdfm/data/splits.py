"""Class splits: a data set as groups of as many classes each (AC-GAN, section 4.6)."""

import numpy as np

from tfdfm.data.loading import Images


class Rows:
    """Some of the images of an array uint8 [N, H, W, C], read from it when they are asked for."""

    def __init__(self, array: np.ndarray, rows: np.ndarray):
        self._array, self._rows = np.asarray(array), rows
        self.shape, self.dtype = (len(rows), *array.shape[1:]), array.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: slice | np.ndarray) -> np.ndarray:
        return self._array[self._rows[index]]


def split(images: Images, splits: int, number: int) -> Images:
    """The images of the `number`-th of `splits` groups of neighbouring classes, their labels from 0."""
    size = len(images.class_names) // splits
    classes = slice(number * size, (number + 1) * size)
    rows = np.flatnonzero((images.labels >= classes.start) & (images.labels < classes.stop))
    return images._replace(
        pixels=Rows(images.pixels, rows),
        labels=images.labels[rows] - np.int32(classes.start),
        class_names=images.class_names[classes],
    )
