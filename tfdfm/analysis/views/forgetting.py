"""What maps of G make: samples before and after maps are dropped (slides; Radford et al., 2016, section 6.3).

A row for each of the maps whose dropping changes the samples most. With a class, instead: a logistic regression of the
maps' means on whether a sample is of this class (what was asked for, of a conditional model; what the classifier says,
of another) finds the maps that make it, those of the largest weights. Below the samples without these, as many are
dropped by lot. Numbers: of each map the mean absolute change of pixels in 0..255; of a class the share of its
samples, and of the others, that the classifier gives their class, with all maps, without and by lot. The paper drops
all maps of positive weight of a generator wider than ours.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression

from tfdfm.analysis import layers, panels
from tfdfm.analysis.finding import Finding
from tfdfm.analysis.subject import Subject, numbered
from tfdfm.classifiers.features import features
from tfdfm.errors import UsageError
from tfdfm.images import to_uint8

_SAID = {"all": "all maps", "without": "without {} maps", "by_lot": "without {} by lot"}


def draw(
    subject: Subject,
    *,
    classes: str = "",
    layer: int = 0,
    num: int = 500,
    shown: int = 10,
    maps: int = 8,
    seed: int = 0,
) -> Finding:
    """
    Args:
        classes: one that is to be forgotten, by name or number; "": the maps of largest change are sought.
        layer: of G, from 1; 0: the last before the image.
        num: samples that a class is learnt and counted on; the changes are of `shown`.
        shown: samples, a column each.
        maps: rows, of the largest changes; of a class, the maps that are dropped.
    """
    forgetting = Forgetting(subject, layer, seed)
    return forgetting.of_class(classes, num, shown, maps) if classes else forgetting.of_maps(shown, maps)


class Forgetting:
    """A run's generator, a layer of which can lose maps."""

    def __init__(self, subject: Subject, layer: int, seed: int):
        self.subject, self.seed, self._layer = subject, seed, layer
        network = subject.trained.generator
        first = layers.of_generator(network, subject.latents(1, seed), subject.sample_labels(1))
        self.count = layers.chosen(first, layer).shape[-1]
        self._place = (layer or len(first)) - 1

    def images(self, latents: np.ndarray, labels: np.ndarray | None, dropped: np.ndarray = ()) -> np.ndarray:
        """uint8 [N, H, W, C], without the maps `dropped` (int [M])."""
        kept, network = np.ones(self.count, np.float32), self.subject.trained.generator
        kept[np.asarray(dropped, int)] = 0

        def alter(place, maps):
            return maps * kept if place == self._place else maps

        def drawn(batch, given):
            return to_uint8(network.image(network.activations(batch, given, alter=alter)[-1], given).numpy())

        return layers.in_batches(drawn, latents, labels)

    def of_maps(self, shown: int, rows: int) -> Finding:
        latents, labels = self.subject.latents(shown, self.seed), self.subject.sample_labels(shown)
        whole = self.images(latents, labels)
        without = [self.images(latents, labels, [number]) for number in range(self.count)]
        changes = np.array([np.abs(each.astype(float) - whole).mean() for each in without])
        order = np.argsort(-changes, kind="stable")[:rows]
        cells = np.stack([whole, *(without[number] for number in order)])
        names = ["all maps", *(f"without {number}: {changes[number]:.1f}" for number in order)]
        numbers = {"maps": order.tolist(), "changes": changes.tolist()}
        return Finding(panels.named_grid(cells, self.subject.title, names), numbers)

    def of_class(self, asked: str, num: int, shown: int, dropped: int) -> Finding:
        subject, label = self.subject, self._label(asked)
        latents, labels = subject.latents(num, self.seed), subject.sample_labels(num)
        whole = self.images(latents, labels)
        target = self._told(whole) if labels is None else labels
        own = target == label
        if own.all() or not own.any():
            raise UsageError(f"Expected samples of {asked} and others among {num}, found {own.sum()}. Set --view.num.")
        means = layers.generated(subject.trained.generator, latents, labels, self._layer).mean(axis=(1, 2))  # [N, maps]
        weights = LogisticRegression(max_iter=2000).fit(means / (means.std(axis=0) + 1e-12), own).coef_[0]
        makers = np.argsort(-weights, kind="stable")[:dropped]
        by_lot = np.random.default_rng(self.seed).permutation(self.count)[:dropped]
        kinds = {"all": [], "without": makers, "by_lot": by_lot}
        names, rows, numbers = [], [], {"class": subject.data_classes[label], "samples": int(own.sum())}
        for kind, maps in kinds.items():
            images = self.images(latents, labels, maps) if len(maps) else whole
            right = self._told(images) == target
            numbers[kind] = {"maps": sorted(map(int, maps)), "own": right[own].mean(), "others": right[~own].mean()}
            names.append(f"{_SAID[kind].format(len(maps))}: {right[own].mean():.0%}, others {right[~own].mean():.0%}")
            rows.append(images[own][:shown])
        title = f"{subject.title}: to forget {subject.data_classes[label]}"
        return Finding(panels.named_grid(np.stack(rows), title, names), numbers)

    def _label(self, asked: str) -> int:
        names = self.subject.data_classes
        if asked not in (known := numbered(names)):
            raise UsageError(f"Expected one class of {', '.join(names) or 'data without any'}, given {asked}.")
        return known[asked]

    def _told(self, images: np.ndarray) -> np.ndarray:
        """int64 [N], the classes that the classifier gives."""
        judge = self.subject.classifier
        if not judge.tells(self.subject.data_classes):
            raise UsageError("Expected a classifier of the data's own classes. Set --classifier=dataset.")
        return judge.of_classes(features(images, judge).logits).argmax(axis=1)
