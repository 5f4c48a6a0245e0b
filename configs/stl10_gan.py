"""The baseline of stl10: the same networks without denoising feature matching.

Expected: Inception score 7.84 +- 0.07 in the paper after 50 epochs.
Run: python -m tfdfm.train --config=stl10_gan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("stl10")
    config.terms = ("nonsaturating",)
    return config
