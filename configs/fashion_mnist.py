"""Fashion-MNIST padded to 32 x 32, unconditional, with denoising feature matching: the recipe of MNIST.

Expected: no published score.
Run: python -m tfdfm.train --dataset=fashion_mnist
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("mnist")
    config.dataset = "fashion_mnist"
    return config
