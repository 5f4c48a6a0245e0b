"""CIFAR-10 on two cores within an hour: residual G, plain D with batch norm, differentiable augmentation, EMA.

Source: composed of what is known, and chosen by quality for each core-minute (docs/results.md). G is SNGAN's (Miyato et
al., ICLR 2018), whose initial samples are diverse where DCGAN's are all grey; its maps halve as they grow, so that
1.3 million weights cost as much time as 0.3 million of equal widths. D is the thesis's (Iliescu, 2018), whose batch
norm over samples alone sees when they are alike. Game, Adam and alternation are Radford et al.'s (ICLR 2016).
Augmentation is DiffAugment's (Zhao et al., NeurIPS 2020) without colour.
Expected: measured, one seed, 10,000 samples by the data set's own classifier: Frechet distance 5.7 (real test images:
0.02), inception score 3.1 (7.1), precision 0.89, recall 0.31, after 6,000 steps (384,000
images, 42 minutes at 154 a second on one machine, 24 at 267 on another).
Run: python -m tfdfm.train --config=cifar10_quick
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_gan")
    config.terms = ("nonsaturating", "diffaugment")
    config.diffaugment.policy = ("translation", "cutout")
    config.prior = "normal"
    config.generator.update(network="SNGAN", width=32, halving=True)
    config.discriminator = dict(network="Iliescu", width=64)
    config.play = "alternating"
    config.optimizer.learning_rate = 2e-4
    config.ema_decay = 0.998
    config.flip = True
    config.steps = 6_000
    return config
