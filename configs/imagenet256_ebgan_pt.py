"""ImageNet's dogs at 256 x 256 with EBGAN-PT: imagenet128_ebgan_pt with a layer more in the generator.

Source: Zhao, Mathieu & LeCun, ICLR 2017, section 4.4 and appendix C: generator (2048)4c-(1024)4c2s-...-(3)3c with
100-64-32-16-8-4-2 planes of noise, the 128-pixel autoencoder, margin 80. The paper's data are the dog breeds of
ImageNet in Vinyals et al.'s list. The data set here is all of ImageNet: give a folder of the breeds with
--dataset=folder:DIR, or --dataset=stanford_dogs, 20,580 of ImageNet's images of 120 breeds.
Expected: no published score; samples in the paper's figure 8.
Run: python -m tfdfm.train --config=imagenet256_ebgan_pt --dataset=stanford_dogs
"""

from tfdfm.config import recipe


def get_config():
    config = recipe("imagenet128_ebgan_pt")
    config.dataset = "imagenet256"
    config.image_size = 256
    config.ebgan.margin = 80.0
    config.latent_size = 64_612  # two planes of 128 x 128 more
    return config
