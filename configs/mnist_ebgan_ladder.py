"""MNIST at 28 x 28 with 100 labels, pixels in any order: a ladder network as the discriminator of an EBGAN.

Source: Zhao, Mathieu & LeCun, ICLR 2017, section 4.2 and appendix D: the ladder's reconstruction error at the bottom
layer is the energy, weighed by 1000 / 784 beside the class loss of the noisy encoder; the margin falls from 16 to 0 in
60,000 steps, then G rests and D goes on to 180,000, its learning rate of 5e-4 falling to 0 from 120,000; G's is 2.5e-4;
beta_1 0.5, batch 100. Whether the weight holds for the energy of samples too is not said: for both here. G is the
grid's best (figure 4b); the paper does not say which it is.
Expected: a test error of 1.04 +- 0.12 % in the paper, over 15 seeds; 200 labels: 0.99 %, 1,000: 0.89 %.
Run: python -m tfdfm.train --config=mnist_ebgan_ladder --config.num_labelled=100
"""

from tfdfm.recipes import defaults


def get_config():
    config = defaults()
    config.dataset = "mnist"
    config.image_size = 28
    config.num_labelled = 100
    config.terms = ("ebgan", "classification")
    config.play = "alternating"
    config.ebgan.margin = 16.0
    config.ebgan.margin_steps = 60_000
    config.ebgan.weight = 1000 / 784
    config.latent_size = 100
    config.prior = "normal"
    config.generator = dict(network="FullyConnected", depth=5, width=800)
    config.discriminator = dict(network="Ladder", width=1000)
    config.optimizer.learning_rate = 5e-4
    config.optimizer.generator_learning_rate = 2.5e-4
    config.optimizer.generator_until = 60_000
    config.optimizer.decay_from = 120_000
    config.optimizer.decay_until = 180_000
    config.batch_size = 100
    config.steps = 180_000
    config.test_every = 1000
    return config
