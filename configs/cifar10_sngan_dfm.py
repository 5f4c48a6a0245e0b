"""cifar10_sngan with denoising feature matching on the sums over places of D's last maps.

Source: cifar10_sngan and cifar10, composed. Phi has 128 features on no scale of their own: they are
whitened by the data's running mean and deviation, so that sigma = 1 is a feature's own deviation.
Expected: no published score.
Run: python -m tfdfm.train --config=cifar10_sngan_dfm
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_sngan")
    config.terms = (*config.terms, "dfm")
    config.denoiser.whiten = True
    return config
