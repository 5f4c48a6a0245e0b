"""lsun_ebgan_patches with the pull-away term.

Source: Zhao, Mathieu & LeCun, ICLR 2017, appendix F: lsun_ebgan_patches' settings and a weight of 0.1.
Expected: no published score; samples in the paper's figures 11b and 13b.
Run: python -m tfdfm.train --config=lsun_ebgan_patches_pt
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("lsun_ebgan_patches")
    config.terms = ("ebgan", "pull_away")
    config.pull_away.weight = 0.1
    return config
