"""Small generators as they are exported, without training."""

import toys

from tfdfm.training import build
from tfdfm.training.sampling import Trained


def trained(*, classes: int = 0, prior: str = "uniform", channels: int = 3, image_size: int = 16) -> Trained:
    """A generator of random weights and statistics; the weights are large, so that its images differ."""
    config = toys.recipe(conditional=bool(classes), prior=prior, image_size=image_size)
    generator = build.generator(config, channels, classes)
    for variable in generator.trainable_variables:
        if "gain" not in variable.path:
            variable.assign(variable * 20)
    return Trained(generator, config, 7, channels, tuple(f"class {i}" for i in range(classes)), "generator")
