"""MNIST padded to 32 x 32 with adversarially learned inference.

Source: cifar10_ali at half its width; Dumoulin et al., 2017, have no MNIST experiment. The steps are ours (2 million
images), and so is the rate of G and E, ten times D's. Measured in 640 steps: at D's rate G's losses rise to 10 and 19,
at ten times that they swing between 2 and 9; D is right on nearly everything with both, and the samples are one pattern
of strokes. No run was long enough yet to show digits.
Expected: no published score.
Run: python -m tfdfm.train --config=mnist_ali
"""

from tfdfm.config import recipe


def get_config():
    config = recipe("cifar10_ali")
    config.dataset = "mnist"
    config.generator.log_odds = -2.2  # of the mean pixel, 0.1 with the padding
    config.generator.width = config.encoder.width = config.discriminator.width = 16
    config.optimizer.generator_learning_rate = 1e-3
    config.steps = 20_000
    return config
