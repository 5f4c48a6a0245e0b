"""A classifier of real handwritten digits that knows what is none: the measure of what the recipe `digits` makes."""

import keras
import numpy as np
import tensorflow as tf

OTHER = 10  # the class of what is no digit
EPOCHS = 30


class DigitClassifier:
    """A small convolutional network, trained on digits and on what is made of them but is none."""

    def __init__(self, pixels: np.ndarray, labels: np.ndarray):
        """uint8 [N, 16, 16, 1], int [N]."""
        keras.utils.set_random_seed(0)
        others = np.concatenate([kind[::4] for kind in garbage(pixels, np.random.default_rng(1)).values()])
        images = np.concatenate([pixels, others]) / np.float32(255)
        targets = np.concatenate([labels, np.full(len(others), OTHER)])
        convs = [
            keras.layers.Conv2D(n, 3, s, "same", activation="relu") for n, s in ((32, 1), (32, 2), (64, 1), (64, 2))
        ]
        top = [keras.layers.Dense(128, activation="relu"), keras.layers.Dropout(0.5), keras.layers.Dense(OTHER + 1)]
        self._net = keras.Sequential([*convs, keras.layers.Flatten(), keras.layers.Dropout(0.5), *top])
        self._net.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        self._net.fit(images, targets, epochs=EPOCHS, batch_size=64, verbose=0)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """[N, 11]: the ten digits and OTHER."""
        return tf.nn.softmax(self._net(images / np.float32(255), training=False)).numpy()

    def confident(self, images: np.ndarray) -> float:
        """The share that is called a digit with confidence above 0.9."""
        return float((self.probabilities(images)[:, :OTHER].max(axis=1) > 0.9).mean())


def garbage(pixels: np.ndarray, rng) -> dict[str, np.ndarray]:
    """What a failed generator makes, each as many as there are digits, uint8 [N, 16, 16, 1]."""
    flat = pixels.reshape(len(pixels), -1)
    return {
        "noise": rng.integers(0, 256, pixels.shape, dtype=np.uint8),
        "shuffled pixels": rng.permuted(flat, axis=1).reshape(pixels.shape),
        "shuffled quarters": _quarters(pixels, rng),
        "blurred": blurred(pixels),
    }


def blurred(pixels: np.ndarray) -> np.ndarray:
    """The mean over 9 x 9 pixels around each."""
    padded = np.pad(pixels.astype(float), ((0, 0), (4, 4), (4, 4), (0, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, (9, 9), (1, 2)).mean((-1, -2)).astype(np.uint8)


def _quarters(pixels: np.ndarray, rng) -> np.ndarray:
    parts = pixels.reshape(len(pixels), 2, 8, 2, 8).swapaxes(2, 3).reshape(len(pixels), 4, 8, 8)
    order = np.array([rng.permutation(3) for _ in pixels])
    mixed = parts[np.arange(len(pixels))[:, None], np.concatenate([1 + order, np.zeros((len(pixels), 1), int)], axis=1)]
    return mixed.reshape(-1, 2, 2, 8, 8).swapaxes(2, 3).reshape(pixels.shape)
