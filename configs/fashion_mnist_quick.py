"""Fashion-MNIST, padded to 32 x 32, on two cores within five minutes: mnist_quick.

Source: cifar10_quick, composed.
Expected: no score was measured.
Run: python -m tfdfm.train --config=fashion_mnist_quick
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("mnist_quick")
    config.dataset = "fashion_mnist"
    return config
