"""ImageNet at 32 x 32, unconditional, with denoising feature matching.

Source: Warde-Farley & Bengio, ICLR 2017, section 5.3: Radford et al.'s ImageNet networks (256 latents, 128 maps, 6.69
M weights in the generator, Phi of 4 x 4 x 512 = 8,192 features) and a denoiser of 10 x 2,048, narrower than Phi
against the paper's own advice. Adam 1e-4; batch 128 is Radford et al.'s, the paper gives none, nor a length.
Expected: Inception score 9.18 +- 0.13 in the paper.
Data: imagenet2012, rescaled and centre-cropped, where it is prepared; else TFDS imagenet_resized/32x32. The log says
which.
Run: python -m tfdfm.train --dataset=imagenet32
"""

from tfdfm.recipes import defaults


def get_config():
    config = defaults()
    config.dataset = "imagenet32"
    config.latent_size = 256
    config.generator.width = 128
    config.discriminator.width = 128
    config.denoiser.depth = 10
    config.denoiser.width = 2048
    config.batch_size = 128
    config.steps = 500_000
    return config
