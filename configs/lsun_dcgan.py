"""LSUN bedrooms at 64 x 64 with DCGAN, beside which EBGAN's bedrooms are shown: celeba_dcgan on other data.

Source: Zhao, Mathieu & LeCun, ICLR 2017, section 4.3; Radford et al., ICLR 2016, section 4.1.
Expected: no published score; samples in the paper's figure 5a.
Run: python -m tfdfm.train --config=lsun_dcgan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("celeba_dcgan")
    config.dataset = "lsun/bedroom"
    return config
