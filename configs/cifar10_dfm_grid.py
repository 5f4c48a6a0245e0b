"""The weight of denoising feature matching on CIFAR-10: ten settings of cifar10.

Source: Warde-Farley & Bengio, ICLR 2017, section 5: the Adam optimizer does not see the losses' scale, so that it
suffices to tune lambda_denoise and to fix lambda_adv at 1. They set it to 0.03 / n_h and do not say which values they
tried: here half a decade apart around it, each of two seeds. sigma stays 1, theirs.
Expected: Inception score 7.72 +- 0.13 at 0.03 in the paper; the others' scores were not published.
Run: python -m tfdfm.train --config=cifar10_dfm_grid trains the base, cifar10, and
python -m tfdfm.search --config=cifar10_dfm_grid --metrics=inception_score --classifier=inception2015 --samples=50000
the grid. --grid.dfm.sigma=0.5,1,2 adds an axis.
"""

from tfdfm.recipes import recipe


def get_config():
    return recipe("cifar10")


def get_grid():
    return {
        "dfm.weight": (0.003, 0.01, 0.03, 0.1, 0.3),  # lambda_denoise times n_h
        "seed": (0, 1),
    }
