"""Any other images, of 16, 32, 48, 64, 96 or 128 pixels, with denoising feature matching.

Source: Warde-Farley & Bengio, ICLR 2017, on Radford et al.'s networks at half their width: below 64 pixels their
32-pixel ones, from there their 64-pixel ones with 100 latents. Images of another size: set image_size, and they are
rescaled and centre-cropped. They are a TFDS set, folder:DIR (or its zip), webdataset:SHARDS or huggingface:NAME.
Expected: no published score.
Run: python -m tfdfm.train --dataset=folder:DIR --config.image_size=64
"""

from tfdfm.recipes import defaults


def get_config():
    config = defaults()
    config.latent_size = 100
    config.generator.width = 64
    config.discriminator.width = 64
    config.denoiser.depth = 10
    config.denoiser.width = 2048
    return config
