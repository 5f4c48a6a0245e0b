"""CIFAR-10 with Wasserstein GAN: clipped weights, RMSprop, five moves of the critic a step.

Source: Arjovsky, Chintala & Bottou, 2017 (slides, algorithm 1; thesis section 2.3): rate 5e-5, clip 0.01, batch 64,
five critic steps. Their code takes 100 of them in the first 25 steps and in every 500th; the algorithm, and this
recipe, do not. RMSprop's decay 0.99 and its epsilon of 1e-8 beside the root are their framework's defaults [recalled];
latents N(0, 1) as in their code. The networks are cifar10's (batch norm in the critic, whose gain is clipped with the
rest, as in their code).
Expected: Inception score 5.99 in the thesis, with its own networks.
Run: python -m tfdfm.train --config=cifar10_wgan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10")
    config.terms = ("wasserstein",)
    config.prior = "normal"
    config.n_critic = 5
    config.play = "alternating"
    config.optimizer.update(method="rmsprop", learning_rate=5e-5, beta_2=0.99)
    return config
