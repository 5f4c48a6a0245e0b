"""A classifier of real handwritten digits that knows what is none: the measure of what the recipe `digits` makes."""

import numpy as np
from sklearn.neural_network import MLPClassifier

OTHER = 10  # the class of what is no digit


class Judge:
    """The mean of three small networks, trained on digits and on what is made of them but is none."""

    def __init__(self, pixels: np.ndarray, labels: np.ndarray):
        """uint8 [N, 16, 16, 1], int [N]."""
        others = np.concatenate([kind[::8] for kind in garbage(pixels, np.random.default_rng(1)).values()])
        images = np.concatenate([pixels, others])
        targets = np.concatenate([labels, np.full(len(others), OTHER)])
        self._members = [
            MLPClassifier((128,), tol=1e-3, max_iter=1000, random_state=seed).fit(_flat(images), targets)
            for seed in range(3)
        ]

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """[N, 11]: the ten digits and OTHER."""
        return np.mean([member.predict_proba(_flat(images)) for member in self._members], axis=0)

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


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1) / 255.0
