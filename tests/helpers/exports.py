"""Small generators as they are exported, without training."""

import toys

from tfdfm.networks.ensemble import Ensemble
from tfdfm.sampling import saved_model
from tfdfm.sampling.restore import Trained
from tfdfm.training import build


def trained(*, classes: int = 0, prior: str = "uniform", channels: int = 3, image_size: int = 16, **changes) -> Trained:
    """A generator whose statistics fit its random weights, as after training, and whose images have contrast."""
    config = toys.recipe(conditional=bool(classes), prior=prior, image_size=image_size, **changes)
    generator = build.generator(config, channels, classes)
    generator.last.kernel.assign(generator.last.kernel * 10)
    made = Trained(generator, config, 7, channels, tuple(f"class {i}" for i in range(classes)), "generator")
    saved_model.estimate_batch_norm(made, 64)
    return made


def ensemble(models: int = 2, classes: int = 3, **kwargs) -> Trained:
    """As many models of so many classes each, every one with other weights."""
    members = [trained(classes=classes, **kwargs) for _ in range(models)]
    for number, of in enumerate(members):
        of.generator.last.kernel.assign(of.generator.last.kernel * (1 - 2 * number / models))
    first, names = members[0], tuple(f"class {i}" for i in range(models * classes))
    together = Ensemble([of.generator for of in members])
    return Trained(together, first.config, 7, first.channels, names, "generator", tuple(members))
