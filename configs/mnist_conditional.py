"""MNIST by class: labels concatenated at every layer of G and D (Radford et al.'s conditional MNIST), with denoising
feature matching.

The denoiser sees the features without the label. Expected: no published score.
Run: python -m tfdfm.train --config=mnist_conditional
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("mnist")
    config.conditional = True
    return config
