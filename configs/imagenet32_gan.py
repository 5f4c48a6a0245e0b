"""The baseline of imagenet32: the same networks without denoising feature matching.

Expected: Inception score 8.83 +- 0.14 in the paper, from Radford et al.'s own weights.
Run: python -m tfdfm.train --config=imagenet32_gan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("imagenet32")
    config.terms = ("nonsaturating",)
    return config
