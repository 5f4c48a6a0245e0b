"""The data sets that have a name of their own; any other name is asked of TFDS."""

from typing import NamedTuple


class Named(NamedTuple):
    tfds: tuple[str, ...]  # the first one that is prepared is taken, else the last one is fetched
    image_size: int
    channels: int
    num_classes: int | None  # None: unlabelled
    split: str = "train"
    test: str = "test"  # where it has no such split, "validation"


def _imagenet(size: int) -> Named:
    resized = (f"imagenet_resized/{size}x{size}",) if size <= 64 else ()
    return Named(("imagenet2012", *resized), size, 3, 1000, test="validation")


NAMED = {
    "digits": Named((), 16, 1, 10),
    "mnist": Named(("mnist",), 32, 1, 10),
    "fashion_mnist": Named(("fashion_mnist",), 32, 1, 10),
    "cifar10": Named(("cifar10",), 32, 3, 10),
    "svhn": Named(("svhn_cropped",), 32, 3, 10),
    "stl10": Named(("stl10",), 48, 3, None, split="unlabelled"),
    "imagenet32": _imagenet(32),
    "imagenet64": _imagenet(64),
    "imagenet128": _imagenet(128),
    "imagenet256": _imagenet(256),
    "celeb_a": Named(("celeb_a",), 64, 3, None),
    "lsun/bedroom": Named(("lsun/bedroom",), 64, 3, None),
}
