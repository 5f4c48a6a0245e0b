"""ImageNet at 64 x 64 with auxiliary classifier GANs: imagenet128_acgan, with half the side in all layers.

Source: Odena, Olah & Shlens, ICML 2017, sections 4 and 4.1, which compare both sizes; the networks of this one were not
published.
Expected: samples that are told apart less often than those of 128 x 128 (figure 2); no number.
Run: python -m tfdfm.train --config=imagenet64_acgan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("imagenet128_acgan")
    config.dataset = "imagenet64"
    return config
