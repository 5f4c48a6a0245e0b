"""CelebA at 64 x 64 with DCGAN, beside which EBGAN's faces are shown.

Source: Zhao, Mathieu & LeCun, ICLR 2017, section 4.3: "a DCGAN model under the same configuration"; Radford et al.,
ICLR 2016, for what that is: 5x5 convolutions of stride 2, G 1024-512-256-128-3, D 128-256-512-1024, 100 latents
U(-1, 1), batch 128, Adam 2e-4, beta_1 0.5. D's last nonlinearity is a ReLU, as in all our recipes; the weight
decay of 1e-5 in their code is left out. The steps are ours: 63 times the data.
Expected: no published score; samples in the paper's figure 6a.
Run: python -m tfdfm.train --config=celeba_dcgan
"""

from tfdfm.recipes import defaults


def get_config():
    config = defaults()
    config.dataset = "celeb_a"
    config.terms = ("nonsaturating",)
    config.play = "alternating"
    config.latent_size = 100
    config.generator.width = 128
    config.discriminator.width = 128
    config.optimizer.learning_rate = 2e-4
    config.batch_size = 128
    config.steps = 100_000
    return config
