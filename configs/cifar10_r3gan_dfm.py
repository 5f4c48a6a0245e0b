"""cifar10_r3gan with denoising feature matching on D's last features, whitened.

Source: cifar10_r3gan and cifar10, composed. Phi has no nonlinearity here and no scale of its own: the denoiser sees it
by the data's running mean and deviation.
Expected: no published score.
Run: python -m tfdfm.train --config=cifar10_r3gan_dfm
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_r3gan")
    config.terms = (*config.terms, "dfm")
    config.denoiser.whiten = True
    return config
