"""The baseline of digits: the same networks without denoising feature matching.

Run: python -m tfdfm.train --config=digits_gan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("digits")
    config.terms = ("nonsaturating",)
    return config
