"""mnist_quick with denoising feature matching, its weight set by the ratio of gradients.

Source: mnist_quick and Warde-Farley & Bengio, ICLR 2017; Phi has 2 x 2 x 256 = 1,024 features. As of cifar10_quick_dfm.
Expected: no published score.
Run: python -m tfdfm.train --config=mnist_quick_dfm
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("mnist_quick")
    config.terms = (*config.terms, "dfm")
    config.dfm.update(gradient_ratio=1.0, sigma=0.3)
    config.denoiser.update(depth=2, width=1024, whiten=True)
    return config
