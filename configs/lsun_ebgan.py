"""LSUN bedrooms at 64 x 64, whole images, with an energy-based GAN: celeba_ebgan with a margin of 80.

Source: Zhao, Mathieu & LeCun, ICLR 2017, section 4.3 and appendix C.
Expected: no published score; samples in the paper's figure 12a.
Run: python -m tfdfm.train --config=lsun_ebgan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("celeba_ebgan")
    config.dataset = "lsun/bedroom"
    config.ebgan.margin = 80.0
    return config
