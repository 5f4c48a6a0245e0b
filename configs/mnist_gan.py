"""The baseline of mnist: the same networks without denoising feature matching.

Run: python -m tfdfm.train --config=mnist_gan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("mnist")
    config.terms = ("nonsaturating",)
    return config
