"""cifar10_improved with denoising feature matching.

Source: Warde-Farley & Bengio, ICLR 2017, section 6, propose such combinations; none was published. Phi are the 192
means over positions of the discriminator's last maps, before minibatch discrimination and without a ReLU; the denoiser
is wider than they are.
Expected: no published score.
Run: python -m tfdfm.train --config=cifar10_improved_dfm
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_improved")
    config.terms = (*config.terms, "dfm")
    config.denoiser.depth = 10
    config.denoiser.width = 512
    return config
