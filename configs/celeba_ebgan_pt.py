"""celeba_ebgan with the pull-away term.

Source: Zhao, Mathieu & LeCun, ICLR 2017, section 4.3 and appendix F: celeba_ebgan's settings and a weight of 0.1.
Expected: no published score; samples in the paper's figures 6b and 14b.
Run: python -m tfdfm.train --config=celeba_ebgan_pt
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("celeba_ebgan")
    config.terms = ("ebgan", "pull_away")
    config.pull_away.weight = 0.1
    return config
