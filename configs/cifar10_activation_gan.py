"""CIFAR-10 with the thesis's own system: a third player F tells D's conv3 on data from G's conv2 on samples.

Source: Iliescu, 2018, section 5.1, eq. 21; networks and all else as in cifar10_dcgan, from which this differs in the
one line `terms`. Both activations are 4x4x256 when G's linear layer is counted as its conv1. What the thesis leaves
open is said in tfdfm/objectives/activation_gan.py and tfdfm/networks/iliescu.py.
Expected: Inception score 6.12 and FID 64.4 in the thesis, beside 6.01 and 59.6 without F.
Run: python -m tfdfm.train --config=cifar10_activation_gan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_dcgan")
    config.terms = ("activation_gan",)
    return config
