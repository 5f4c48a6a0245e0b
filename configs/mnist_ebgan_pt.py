"""mnist_ebgan with the pull-away term.

Source: Zhao, Mathieu & LeCun, ICLR 2017, appendix C, the best EBGAN-PT of the grid (figure 4c): mnist_ebgan's
settings and a weight of 0.1.
Expected: no published score.
Run: python -m tfdfm.train --config=mnist_ebgan_pt
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("mnist_ebgan")
    config.terms = ("ebgan", "pull_away")
    config.pull_away.weight = 0.1
    return config
