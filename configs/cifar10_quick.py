"""CIFAR-10 in about an hour on two cores: the plain convolutional networks of SNGAN, narrow, with hinge and EMA.

Source: Miyato et al., ICLR 2018, table 3 (their convolutional networks, half as wide in D) and the thesis's generator
(Iliescu, 2018: 4x4 transposed convolutions, as theirs), Adam 2e-4 with beta_1 0.5 and one D move, their setting C;
the rate falls to 0 over the second half. A moving average of G makes the samples. No denoiser.
Expected: docs/results.md.
Cost: about 0.38 s a step on two cores.
Run: python -m tfdfm.train --config=cifar10_quick
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10")
    config.terms = ("hinge",)
    config.flip = True
    config.prior = "normal"
    config.generator.update(network="Iliescu", width=48)
    config.discriminator.update(network="SNDCGAN", width=32)
    config.play = "alternating"
    config.optimizer.update(learning_rate=2e-4, decay_from=3_000, decay_until=6_000)
    config.ema_decay = 0.999
    config.steps = 6_000
    config.steps_per_execution = 10
    return config
