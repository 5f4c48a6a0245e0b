"""cifar10_quick with labels: G's batch norms take them, and each layer of D.

Source: cifar10_quick; labels as Miyato & Koyama (ICLR 2018) give them to G and Radford et al. (ICLR 2016) to D.
Expected: no score was measured.
Run: python -m tfdfm.train --config=cifar10_quick_conditional
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_quick")
    config.conditional = True
    return config
