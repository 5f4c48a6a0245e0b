"""CIFAR-10 with 4,000 labels: the improved GAN as a classifier of K + 1 classes, its generator by feature matching.

Source: Salimans et al., 2016, section 5, and their code: D's losses on data and samples halved beside the class loss,
the distance of mean features absolute, Adam 3e-4 with beta_1 0.5, falling to 0 from epoch 800 to 1,200 of 500 steps,
batch 100. Their Adam has its epsilon of 1e-8 below the root (adam_root). They set weight
norm's scales by the first batch and classify by an average of the weights; here the scales start, for no data, about
where that puts them, and the weights classify as they are. Uniform latents in [-1, 1] stand for theirs in [0, 1], which
batch norm undoes.
Expected: a test error of 18.6 % in the paper.
Run: python -m tfdfm.train --config=cifar10_improved_ssl
"""

from tfdfm.recipes import defaults


def get_config():
    config = defaults()
    config.dataset = "cifar10"
    config.num_labelled = 4000
    config.terms = ("feature_matching_game", "classification")
    config.play = "alternating"
    config.feature_matching_game.distance = "absolute"
    config.feature_matching_game.discriminator_weight = 0.5
    config.latent_size = 100
    config.generator = dict(network="ImprovedGAN", width=128)
    config.discriminator = dict(network="ImprovedGANClassifier", width=96)
    config.optimizer.learning_rate = 3e-4
    config.optimizer.method = "adam_root"
    config.optimizer.decay_from = 400_000
    config.optimizer.decay_until = 600_000
    config.batch_size = 100
    config.steps = 600_000
    config.test_every = 5000
    return config
