"""cifar10_quick_acgan with denoising feature matching, its gradient on G as large as the game's.

Source: cifar10_quick_acgan and Warde-Farley & Bengio, ICLR 2017; Phi has 2 x 2 x 512 = 2,048 features, whitened; the
denoiser is as wide and has two layers.
Expected: no published score.
Run: python -m tfdfm.train --config=cifar10_quick_acgan_dfm
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_quick_acgan")
    config.terms = (*config.terms, "dfm")
    config.dfm.update(gradient_ratio=1.0, sigma=0.3)
    config.denoiser.update(depth=2, width=2048, whiten=True)
    return config
