"""lsun_ebgan with the pull-away term.

Source: Zhao, Mathieu & LeCun, ICLR 2017, section 4.3 and appendix F: lsun_ebgan's settings and a weight of 0.1.
Expected: no published score; samples in the paper's figures 5b and 12b.
Run: python -m tfdfm.train --config=lsun_ebgan_pt
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("lsun_ebgan")
    config.terms = ("ebgan", "pull_away")
    config.pull_away.weight = 0.1
    return config
