"""CIFAR-10 with the thesis's feature matching on its own networks: conv3 of data and of samples.

Source: Iliescu, 2018, section 5, eq. 19: the L2 norm between D's third convolution on data and on samples, added to
G's loss; networks and all else as in cifar10_dcgan, from which this differs in terms and layer. As in cifar10_l2fm the
means over the batch are compared. The thesis gives no weight: 1. Whether conv3 is taken before or after its leaky ReLU
it does not say: after.
Expected: no published score; the thesis scores its other two systems, cifar10_dcgan_dfm and cifar10_activation_gan.
Run: python -m tfdfm.train --config=cifar10_dcgan_l2fm
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_dcgan")
    config.terms = ("nonsaturating", "feature_matching")
    config.feature_matching.layer = 3
    return config
