"""cifar10_quick with denoising feature matching, its weight set by the ratio of gradients.

Source: cifar10_quick and Warde-Farley & Bengio, ICLR 2017. Phi has 2 x 2 x 512 = 2,048 features, whitened; sigma is
0.3 of their deviation; the term's gradient on G is as large as the game's, where the paper's weight makes it thousands
of times smaller. So it helps on digits, by five seeds, and a tenth of it does not (docs/results.md).
Expected: no published score.
Run: python -m tfdfm.train --config=cifar10_quick_dfm
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_quick")
    config.terms = (*config.terms, "dfm")
    config.dfm.update(gradient_ratio=1.0, sigma=0.3)
    config.denoiser.update(depth=2, width=1024, whiten=True)
    return config
