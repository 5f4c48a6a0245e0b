"""LSUN bedrooms, patches of 64 x 64 cut at random from images of 96 x 96, with an energy-based GAN.

Source: Zhao, Mathieu & LeCun, ICLR 2017, appendix F ("LSUN augmented version training"): lsun_ebgan's settings on
patches. `evaluate` compares its samples with whole images unless --reference names a folder of patches.
Expected: no published score; samples in the paper's figure 13a.
Run: python -m tfdfm.train --config=lsun_ebgan_patches
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("lsun_ebgan")
    config.patches_of = 96
    return config
