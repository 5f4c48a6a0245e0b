"""AC-GAN's grid on CIFAR-10: 27 settings of cifar10_acgan.

Source: Odena, Olah & Shlens, ICML 2017, section 4.4 and appendix A: learning rates of D and of G, noise on D's
activations. The values are public implementations' (see cifar10_acgan); that 3 x 3 x 3 of them are the paper's 27 is
derived.
Expected: Inception score 8.25 +- 0.07 of the best one, by python -m tfdfm.evaluate --protocol=acgan; the others'
scores were not published.
Run: python -m tfdfm.train --config=cifar10_acgan_grid trains the base, cifar10_acgan, and
python -m tfdfm.search --config=cifar10_acgan_grid --metrics=inception_score --classifier=inception2015 --samples=50000
the grid. A setting's config.json trains it again, for the protocol.
"""

from tfdfm.recipes import recipe


def get_config():
    return recipe("cifar10_acgan")


def get_grid():
    return {
        "optimizer.learning_rate": (1e-4, 2e-4, 3e-4),  # D's
        "optimizer.generator_learning_rate": (1e-4, 2e-4, 3e-4),
        "discriminator.noise": (0.0, 0.1, 0.2),
    }
