"""CIFAR-10 by class with SNGAN: conditional batch norm in G, labels projected on D's features.

Source: Miyato & Koyama, ICLR 2018; all else is cifar10_sngan's, as in mimicry (Lee & Town, 2020).
Expected: FID 10.84, Inception score 8.25 (mimicry).
Run: python -m tfdfm.train --config=cifar10_sngan_projection
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_sngan")
    config.conditional = True
    return config
