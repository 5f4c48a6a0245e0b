"""CIFAR-10 with an auxiliary classifier GAN: D tells the class, G is told it.

Source: Odena, Olah & Shlens, ICML 2017, section 4.4 and appendix A. The copy at hand lost the table's numbers; they are
public implementations': 100 latents and the class, linear 384 maps at 4x4, 5x5 stride 2: 192, 96, 3; D 3x3 of strides
2, 1, 2, 1, 2, 1: 16, 32, 64, 128, 256, 512, dropout 0.5. The grid searched is Adam's learning rate of D and of G in
1e-4, 2e-4, 3e-4 and the activation noise in 0, 0.1, 0.2 [27 settings in the paper, these derived], the best one was not
published: its middle here, and cifar10_acgan_grid has the grid. Batch 100, 50,000 steps. Latents U(-1, 1) are ours.
Expected: Inception score 8.25 +- 0.07, the best of the grid by 50,000 samples, on 25,000 others:
python -m tfdfm.evaluate --protocol=acgan --run_dir=RUN1,RUN2 --classifier=inception2015
Run: python -m tfdfm.train --config=cifar10_acgan
"""

from tfdfm.recipes import defaults


def get_config():
    config = defaults()
    config.dataset = "cifar10"
    config.conditional = True
    config.terms = ("acgan",)
    config.play = "alternating"
    config.latent_size = 100
    config.generator = dict(network="ACGAN", width=96)
    config.discriminator = dict(network="ACGAN", width=16, noise=0.1)
    config.optimizer.learning_rate = 2e-4
    config.optimizer.generator_learning_rate = 2e-4
    config.batch_size = 100
    config.steps = 50_000
    return config
