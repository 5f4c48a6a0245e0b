"""CIFAR-10 with an auxiliary classifier GAN and denoising feature matching.

Source: cifar10_acgan and cifar10, composed: DFM's authors name such combinations as future work (section 6). Phi is the
4 x 4 x 512 = 8,192 positive activations of D's last convolution. The denoiser is the paper's of ImageNet, 10 x 2,048,
beside a Phi of the same size there: as wide as Phi, which the paper advises, it would have 670 million weights. It sees
the features without the class.
Expected: no published score.
Run: python -m tfdfm.train --config=cifar10_acgan_dfm
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_acgan")
    config.terms = (*config.terms, "dfm")
    return config
