"""MNIST padded to 32 x 32 with an energy-based GAN: an autoencoder as discriminator, all layers fully connected.

Source: Zhao, Mathieu & LeCun, ICLR 2017, section 4.1 and appendix C, the best EBGAN of the grid (figure 4b): nLayerG
5, sizeG 800, nLayerD 2 (an encoder and a decoder of one layer each), sizeD 1,024, no dropout, margin 10, Adam 0.001,
weights of D from N(0, 0.002), of G from N(0, 0.02). The paper gives neither latents, batch, beta_1 nor steps: 100
latents ~ N(0, 1) (section 2), 64 and 0.5 (Radford et al., whose guidance it follows), 20,000 here.
Expected: no published score; the paper's figure 2 has another one, of a classifier that is not published.
Run: python -m tfdfm.train --config=mnist_ebgan
"""

from tfdfm.recipes import defaults


def get_config():
    config = defaults()
    config.dataset = "mnist"
    config.terms = ("ebgan",)
    config.play = "alternating"
    config.ebgan.margin = 10.0
    config.latent_size = 100
    config.prior = "normal"
    config.generator = dict(network="FullyConnected", depth=5, width=800)
    config.discriminator = dict(network="FullyConnectedAutoencoder", depth=2, width=1024)
    config.optimizer.learning_rate = 1e-3
    config.steps = 20_000
    return config
