"""The test error of a discriminator that classifies."""

import keras
import numpy as np
import tensorflow as tf

from tfdfm import data
from tfdfm.images import from_uint8
from tfdfm.networks import Network

NAME = "score/test_error"
BATCH = 500


class HeldOut:
    """Labelled images held out, for a discriminator's class logits by population statistics, without noise."""

    def __init__(self, discriminator: Network, images: data.Images):
        self._images = images

        def classes(pixels):
            return tf.argmax(discriminator(from_uint8(pixels)).class_logits, axis=1)

        self._classes = tf.function(classes, autograph=False, reduce_retracing=True)

    def error(self) -> float:
        """Percent of the images that are taken for another class."""
        pixels, labels = self._images.pixels, self._images.labels
        found = [self._classes(pixels[start : start + BATCH]).numpy() for start in range(0, len(labels), BATCH)]
        return 100.0 * float(np.mean(np.concatenate(found) != labels))


class TestError(keras.callbacks.Callback):
    """Adds the test error to the logs of each `test_every`-th and the last step."""

    def __init__(self, held_out: HeldOut):
        super().__init__()
        self._held_out = held_out

    def on_train_batch_end(self, batch: int, logs: dict) -> None:
        if self.model.schedule.due("test", int(self.model.step.numpy())):
            logs[NAME] = self._held_out.error()
