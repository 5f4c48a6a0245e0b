"""cifar10_conditional with denoising feature matching.

Source: Warde-Farley & Bengio, ICLR 2017, section 6, name conditional models among those that the objective could be
added to. Phi and the denoiser are those of cifar10; the denoiser sees the features without the label.
Expected: no published score.
Run: python -m tfdfm.train --config=cifar10_conditional_dfm
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_conditional")
    config.terms = (*config.terms, "dfm")
    return config
