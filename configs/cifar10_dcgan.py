"""CIFAR-10 with DCGAN in the thesis's networks of four layers, which are DCGAN's at 32 pixels.

Source: Iliescu, 2018, sections 3.1 and 3.4: four convolutions, kernel 4x4, stride 2, 64 filters on the lowest layer,
batch norm, Adam, z ~ N(0, 1). D: 64, 128, 256, 512, linear; G: linear to 2x2x512, then 256, 128, 64, image. What the
thesis leaves open is Radford et al.'s (ICLR 2016): 100 latents, batch 128, Adam 2e-4, beta_1 0.5. D's last
nonlinearity is a ReLU, as in all our recipes. The steps are ours: 6.4 million images, as many as in cifar10.
Expected: Inception score 6.01 and FID 59.6 in the thesis.
Figures 15 and 16, of other depths and widths, have no scores ("Quality increases with number of layers", and of
filters): --config.generator.depth=5 --config.discriminator.depth=5, or 3; width=32 or 128 of both.
Run: python -m tfdfm.train --config=cifar10_dcgan
"""

from tfdfm.recipes import defaults


def get_config():
    config = defaults()
    config.dataset = "cifar10"
    config.terms = ("nonsaturating",)
    config.play = "alternating"
    config.latent_size = 100
    config.prior = "normal"
    config.generator = dict(network="Iliescu", width=64, depth=4)
    config.discriminator = dict(network="Iliescu", width=64, depth=4)
    config.optimizer.learning_rate = 2e-4
    config.batch_size = 128
    config.steps = 50_000
    return config
