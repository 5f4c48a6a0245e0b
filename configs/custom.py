"""Any other images, of 16, 32, 48, 64, 96 or 128 pixels: what makes the best of CIFAR-10 within an hour on two cores.

Source: cifar10_quick, composed, without flips (photographs: --config.flip=true). Images of another size: set
image_size, and they are rescaled and centre-cropped. They are a TFDS set, folder:DIR (or its zip), webdataset:SHARDS or
huggingface:NAME. With labels the discriminator projects them: --config.conditional=true. Denoising feature matching,
which costs a quarter of the steps and is worth it for small sets (docs/results.md), is
--config.terms=nonsaturating,diffaugment,dfm.
Expected: no published score; of CIFAR-10 as cifar10_quick.
Run: python -m tfdfm.train --dataset=folder:DIR --config.image_size=64
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_quick_dfm")
    config.terms = ("nonsaturating", "diffaugment")
    config.discriminator.projection = True
    config.flip = False
    return config
