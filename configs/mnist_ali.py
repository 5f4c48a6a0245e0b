"""MNIST padded to 32 x 32 with adversarially learned inference.

Source: cifar10_ali at half its width; Dumoulin et al., 2017, have no MNIST experiment. The steps are ours (2 million
images), and so is the rate of G and E, ten times D's.
Expected: no published score. Measured: D is right on nearly everything for 1,700 steps, G's losses rise to 15, and the
samples are one pattern of strokes; then within 50 steps all losses fall to 0.7, and the samples are digits from step
2,300 on. Reconstructions at step 6,000 are strokes yet, not their images' digits.
Run: python -m tfdfm.train --config=mnist_ali
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_ali")
    config.dataset = "mnist"
    config.generator.log_odds = -2.2  # of the mean pixel, 0.1 with the padding
    config.generator.width = config.encoder.width = config.discriminator.width = 16
    config.optimizer.generator_learning_rate = 1e-3
    config.steps = 20_000
    return config
