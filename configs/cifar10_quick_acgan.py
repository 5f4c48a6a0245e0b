"""CIFAR-10 by classes on two cores: cifar10_quick_conditional whose discriminator tells classes, too.

Source: cifar10_quick_conditional, with the class loss of Odena et al., ICML 2017, beside the projection of labels;
unlike theirs, D learns classes from the data alone. Rates fall over the second half of twice as many steps.
Expected: no score was measured.
Run: python -m tfdfm.train --config=cifar10_quick_acgan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_quick_conditional")
    config.terms = (*config.terms, "class_loss")
    config.discriminator.class_logits = True
    config.optimizer.update(decay_from=6_000, decay_until=12_000)
    config.steps = 12_000
    return config
