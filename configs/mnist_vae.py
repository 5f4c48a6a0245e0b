"""MNIST padded to 32 x 32 with a variational autoencoder on the networks of cifar10_dcgan.

Source: Iliescu, 2018, section 3.5, which has one architecture for both data sets: cifar10_vae on other data. The steps
are ours: 1.28 million images, as many as in mnist.
Expected: no published score; samples in the thesis's figure 17.
Run: python -m tfdfm.train --config=mnist_vae
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_vae")
    config.dataset = "mnist"
    config.steps = 10_000
    return config
