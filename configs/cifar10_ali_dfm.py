"""cifar10_ali with denoising feature matching on the discriminator's joint features.

Source: Warde-Farley & Bengio, ICLR 2017, section 6, name such models ("incorporating an encoder") among those that the
objective could be added to; none was published. Phi are the 512 units that D's last layer sees, of an image and its
code; the denoiser learns those of data with inferred codes, and draws G to them. E gets nothing from it: on samples the
codes are the latents. The denoiser is four times as wide as Phi.
Expected: no published score.
Run: python -m tfdfm.train --config=cifar10_ali_dfm
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_ali")
    config.terms = ("ali", "dfm")
    config.denoiser.depth = 10
    config.denoiser.width = 2048
    return config
