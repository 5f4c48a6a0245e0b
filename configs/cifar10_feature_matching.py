"""CIFAR-10 with feature matching in place of the adversarial loss.

Source: Salimans et al., 2016, section 3.1; their code takes the mean absolute difference on CIFAR-10. Networks,
features and training are cifar10's; theirs are those of their semi-supervised experiments.
Expected: no published score without labels.
Run: python -m tfdfm.train --config=cifar10_feature_matching
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10")
    config.terms = ("feature_matching_game",)
    config.play = "alternating"
    config.feature_matching_game.distance = "absolute"
    return config
