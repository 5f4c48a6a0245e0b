"""MNIST with feature matching added to the non-saturating game: mnist's twin with means in place of a denoiser.

Source: thesis, section 5, eq. 19; cifar10_l2fm has the details. Networks, features and training are mnist's.
Expected: no published score.
Run: python -m tfdfm.train --config=mnist_l2fm
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("mnist")
    config.terms = ("nonsaturating", "feature_matching")
    return config
