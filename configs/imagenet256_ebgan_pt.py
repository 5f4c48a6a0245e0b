"""ImageNet's dogs at 256 x 256 with EBGAN-PT: imagenet128_ebgan_pt with a layer more in the generator.

Source: Zhao, Mathieu & LeCun, ICLR 2017, section 4.4 and appendix C: generator (2048)4c-(1024)4c2s-...-(3)3c with
100-64-32-16-8-4-2 planes of noise, the 128-pixel autoencoder, margin 80. The paper's data are the dog breeds in Vinyals
et al.'s list, which has 118: as many as the breeds of domestic dogs that are ImageNet's classes 151 to 268, taken here.
Expected: no published score; samples in the paper's figure 8.
Run: python -m tfdfm.train --config=imagenet256_ebgan_pt
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("imagenet128_ebgan_pt")
    config.dataset = "imagenet256"
    config.class_range = (151, 269)
    config.image_size = 256
    config.ebgan.margin = 80.0
    config.latent_size = 64_612  # two planes of 128 x 128 more
    return config
