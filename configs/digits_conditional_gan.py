"""The baseline of digits_conditional: the same networks without denoising feature matching.

Run: python -m tfdfm.train --config=digits_conditional_gan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("digits_conditional")
    config.terms = ("nonsaturating",)
    return config
