"""CIFAR-10 with feature matching added to the non-saturating game: cifar10's twin with means in place of a denoiser.

Source: thesis, section 5, eq. 19: G's loss is the game's and the L2 norm between features of data and of samples. The
equation pairs the examples of a batch at random, so that it would not vanish for equal distributions; as in the paper
that it follows (Salimans et al., 2016) the means over the batch are compared here. Networks, features and training
are cifar10's; cifar10_dcgan_l2fm has the thesis's own and its layer. It gives no weight: 1.
Expected: no published score ("no significant improvement on the DCGAN").
Run: python -m tfdfm.train --config=cifar10_l2fm
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10")
    config.terms = ("nonsaturating", "feature_matching")
    return config
