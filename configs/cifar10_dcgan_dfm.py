"""CIFAR-10 with denoising feature matching on the thesis's networks.

Source: Iliescu, 2018, section 5, eq. 20; networks and all else as in cifar10_dcgan, from which this differs in the one
line `terms`. The thesis does not say which layer Phi is, what the denoiser is made of, nor lambda and sigma. Here they
are Warde-Farley & Bengio's (ICLR 2017): Phi is the last layer before the linear one, 2x2x512 = 2,048 features after a
ReLU; a denoiser of 10 x 2,048, lambda 0.03 / 2,048, sigma 1.
Expected: Inception score 6.06 and FID 73.9 in the thesis, beside 6.01 and 59.6 without the denoiser.
Run: python -m tfdfm.train --config=cifar10_dcgan_dfm
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_dcgan")
    config.terms = ("nonsaturating", "dfm")
    return config
