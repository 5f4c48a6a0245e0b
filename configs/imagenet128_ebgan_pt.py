"""ImageNet at 128 x 128 with EBGAN-PT, one network of one scale.

Source: Zhao, Mathieu & LeCun, ICLR 2017, section 4.4 and appendix C: generator
(1024)4c-(512)4c2s-(256)4c2s-(128)4c2s-(64)4c2s-(64)4c2s-(3)3c with 100-64-32-16-8-4 planes of noise beside its maps,
encoder (64)4c2s-(128)4c2s-(256)4c2s-(512)4c2s, decoder (256)4c2s-(128)4c2s-(64)4c2s-(3)4c2s, margin 40. The weight of
the pull-away term is appendix F's 0.1. Not given: noise ~ N(0, 1) (section 2), batch 64, Adam 2e-4 and beta_1 0.5
(Radford et al.) and the steps are chosen here.
Expected: no published score; samples in the paper's figure 7.
Run: python -m tfdfm.train --config=imagenet128_ebgan_pt
"""

from tfdfm.recipes import defaults


def get_config():
    config = defaults()
    config.dataset = "imagenet128"
    config.terms = ("ebgan", "pull_away")
    config.ebgan.margin = 40.0
    config.pull_away.weight = 0.1
    config.latent_size = 31_844  # 100 + 64 * 4**2 + 32 * 8**2 + 16 * 16**2 + 8 * 32**2 + 4 * 64**2
    config.prior = "normal"
    config.generator = dict(network="NoisePlanes", width=64)
    config.discriminator = dict(network="ConvolutionalAutoencoder", width=64)
    config.optimizer.learning_rate = 2e-4
    return config
