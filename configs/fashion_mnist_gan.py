"""The baseline of fashion_mnist: the same networks without denoising feature matching.

Run: python -m tfdfm.train --config=fashion_mnist_gan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("fashion_mnist")
    config.terms = ("nonsaturating",)
    return config
