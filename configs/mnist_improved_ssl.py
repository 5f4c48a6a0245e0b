"""MNIST at 28 x 28 with 100 labels, pixels in any order: the improved GAN as a classifier of K + 1 classes.

Source: Salimans et al., 2016, section 5, and their code: fully connected networks with noise at every layer of D, D's
losses on data and samples halved beside the class loss, the distance of mean features squared, Adam 3e-3 with beta_1
0.5, batch 100, 300 epochs of 600 steps. Their Adam has its epsilon of 1e-8 below the root (adam_root), so that weights
with gradients below 1e-4 move less. With all players moving at once and an epsilon of 1e-4 beside TensorFlow's root
the test error fell from step 4,000 on, to 9.2 % at 9,000. They set weight norm's scales by the first batch and classify
by an average of the weights; here the scales start, for no data, about where that puts them, and the weights classify
as they are. Uniform latents in [-1, 1] stand for theirs in [0, 1], which batch norm undoes.
Expected: a test error of 0.93 +- 0.07 % in the paper; 200 labels: 0.90 %.
Run: python -m tfdfm.train --config=mnist_improved_ssl
"""

from tfdfm.recipes import defaults


def get_config():
    config = defaults()
    config.dataset = "mnist"
    config.image_size = 28
    config.num_labelled = 100
    config.terms = ("feature_matching_game", "classification")
    config.play = "alternating"
    config.feature_matching_game.distance = "squared"
    config.feature_matching_game.discriminator_weight = 0.5
    config.latent_size = 100
    config.generator = dict(network="ImprovedGANFullyConnected", width=500)
    config.discriminator = dict(network="ImprovedGANFullyConnected", width=1000)
    config.optimizer.learning_rate = 3e-3
    config.optimizer.method = "adam_root"
    config.batch_size = 100
    config.steps = 180_000
    config.test_every = 1000
    return config
