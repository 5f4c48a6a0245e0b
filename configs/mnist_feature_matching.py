"""MNIST with feature matching in place of the adversarial loss.

Source: Salimans et al., 2016, section 3.1; their code takes the mean squared difference on MNIST (dfm eq. 10 but for
the division by the number of features). Networks, features and training are mnist's.
Expected: no published score.
Run: python -m tfdfm.train --config=mnist_feature_matching
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("mnist")
    config.terms = ("feature_matching_game",)
    config.play = "alternating"
    config.feature_matching_game.distance = "squared"
    return config
