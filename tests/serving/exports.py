"""Small generators as they are exported, without training."""

import toys

from tfdfm.serving import exporting
from tfdfm.training import build
from tfdfm.training.sampling import Trained


def trained(*, classes: int = 0, prior: str = "uniform", channels: int = 3, image_size: int = 16) -> Trained:
    """A generator whose statistics fit its random weights, as after training, and whose images have contrast."""
    config = toys.recipe(conditional=bool(classes), prior=prior, image_size=image_size)
    generator = build.generator(config, channels, classes)
    generator.last.kernel.assign(generator.last.kernel * 10)
    made = Trained(generator, config, 7, channels, tuple(f"class {i}" for i in range(classes)), "generator")
    exporting.estimate_batch_norm(made, 64)
    return made
