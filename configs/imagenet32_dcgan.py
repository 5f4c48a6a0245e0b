"""ImageNet at 32 x 32 as Radford et al. train it: imagenet32_gan with their optimizer.

Source: the code of Radford, Metz & Chintala, ICLR 2016: Adam 2e-4, beta_1 0.5, 1e-5 times each weight, gains and biases
included, added to its gradient, D and G in turns, batch 128. Their code for ImageNet has no trainer: these are those of
its faces, whose batch is 128, too. Networks as in imagenet32; D's last nonlinearity is a ReLU, as in all our recipes.
Expected: Inception score 8.83 +- 0.14 in Warde-Farley & Bengio, ICLR 2017, section 5.3, from Radford et al.'s weights.
Run: python -m tfdfm.train --config=imagenet32_dcgan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("imagenet32_gan")
    config.play = "alternating"
    config.optimizer.learning_rate = 2e-4
    config.optimizer.l2 = 1e-5
    return config
