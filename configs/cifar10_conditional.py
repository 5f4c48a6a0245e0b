"""CIFAR-10 by class: labels concatenated at every layer of G and D, and instance noise on all that D sees.

Source: a conditional GAN (Mirza & Osindero, 2014) in cifar10's networks, labels as in Radford et al.'s conditional
MNIST. Instance noise after Arjovsky & Bottou, 2017 (slides, "softer metrics: add noise") and Sønderby et al., 2017; its
deviation of 0.1, falling to 0 in 100,000 steps, is the latter's [recalled]. Unlike mnist_conditional this is without
denoising feature matching: that is cifar10_conditional_dfm.
Expected: no published score.
Run: python -m tfdfm.train --config=cifar10_conditional
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10")
    config.conditional = True
    config.terms = ("nonsaturating", "instance_noise")
    config.instance_noise.sigma = 0.1
    config.instance_noise.anneal_steps = config.steps
    return config
