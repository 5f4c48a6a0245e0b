"""CelebA at 64 x 64 with an energy-based GAN: celeba_dcgan with an autoencoder as discriminator.

Source: Zhao, Mathieu & LeCun, ICLR 2017, section 4.3 and appendix C: encoder (64)4c2s-(128)4c2s-(256)4c2s, decoder
(128)4c2s-(64)4c2s-(3)4c2s, margin 20, a generator "analogous to DCGAN's". The paper gives no learning rate and no
batch; those of Radford et al., whose guidance it followed, are taken.
Expected: no published score; samples in the paper's figure 14a.
Run: python -m tfdfm.train --config=celeba_ebgan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("celeba_dcgan")
    config.terms = ("ebgan",)
    config.ebgan.margin = 20.0
    config.discriminator = dict(network="ConvolutionalAutoencoder", width=64)
    return config
