"""The baseline of mnist_conditional: the same networks without denoising feature matching.

Run: python -m tfdfm.train --config=mnist_conditional_gan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("mnist_conditional")
    config.terms = ("nonsaturating",)
    return config
