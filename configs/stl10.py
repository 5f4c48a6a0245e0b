"""STL-10's 100,000 unlabelled images at 48 x 48, with denoising feature matching.

Source: Warde-Farley & Bengio, ICLR 2017, section 5.2. Its networks were never published: those of `cifar10` at 48 x
48 are taken, so Phi has 6 x 6 x 128 = 4,608 features and the denoiser, 10 x 2,048 as for ImageNet, is narrower,
against the paper's own advice.
Expected: Inception score 8.51 +- 0.13 in the paper, after 50 epochs (78,125 steps here).
Run: python -m tfdfm.train --dataset=stl10
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10")
    config.dataset = "stl10"
    config.steps = 78_125
    return config
