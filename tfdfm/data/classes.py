"""Some of the classes of a data set."""

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


def of_classes(images: Images, classes: range) -> Images:
    """The images of neighbouring classes, their labels from 0."""
    rows = np.flatnonzero((images.labels >= classes.start) & (images.labels < classes.stop))
    return images._replace(
        pixels=Rows(images.pixels, rows),
        labels=images.labels[rows] - np.int32(classes.start),
        class_names=images.class_names[classes.start : classes.stop],
    )
