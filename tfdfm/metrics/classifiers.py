"""The networks that make the features and logits of which scores are made, found by name."""

from collections.abc import Callable

from tfdfm.errors import UsageError, nearest
from tfdfm.metrics import convnet, efficientnet
from tfdfm.metrics.binding import Classifier
from tfdfm.metrics.checks import Labelled

__all__ = ["Classifier", "find"]

Sets = Callable[[], tuple[Labelled, Labelled]]


def find(name: str, sets: Sets | None = None, cache_dir: str | None = None) -> Classifier:
    """The classifier of that name.

    Args:
        name: "dataset", "efficientnet_lite0", "inception2015", "inception2015:" and a path, URL or TF-Hub handle, or
            the path of a SavedModel or Keras file.
        sets: gives the labelled training and held-out images, of which `dataset` learns; None: there are no labels.
        cache_dir: where what is trained or fetched is kept.

    Raises:
        UsageError: no such classifier, or it lacks what it needs; says how to get it and which ones are here.
        Failure: it cannot be fetched, or its file is damaged or another one.
    """
    if name == "dataset":
        if sets is None:
            raise UsageError("The classifier 'dataset' learns from the labels of the reference set, which has none.")
        training, held_out = sets()
        return convnet.find(training, held_out, cache_dir)
    if name == "efficientnet_lite0":
        return efficientnet.find()
    raise UsageError(nearest("classifier", name, ["dataset", "efficientnet_lite0"]))
