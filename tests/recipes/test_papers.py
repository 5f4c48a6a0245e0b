"""Recipes have the numbers of their sources."""

import pytest

from tfdfm import recipes
from tfdfm.recipes.keys import flat

RESTS = 60_000  # the step at which EBGAN-LN's margin is 0 and its generator rests
NUMBERS = {
    "cifar10": {"terms": ("nonsaturating", "dfm"), "dfm.weight": 0.03, "dfm.sigma": 1.0},
    "cifar10_dcgan": {
        **{"generator.depth": 4, "generator.width": 64, "discriminator.depth": 4, "discriminator.width": 64},
        **{"prior": "normal"},
    },
    "cifar10_dcgan_l2fm": {
        **{"terms": ("nonsaturating", "feature_matching"), "feature_matching.layer": 3},
        **{"feature_matching.distance": "norm", "feature_matching.weight": 1.0, "discriminator.network": "Iliescu"},
    },
    "cifar10_dcgan_dfm": {"terms": ("nonsaturating", "dfm"), "discriminator.network": "Iliescu"},
    "imagenet32_dcgan": {
        **{"optimizer.method": "adam", "optimizer.learning_rate": 2e-4, "optimizer.beta_1": 0.5, "optimizer.l2": 1e-5},
        **{"play": "alternating", "batch_size": 128, "generator.width": 128, "latent_size": 256, "prior": "uniform"},
    },
    "cifar10_minimax": {"terms": ("minimax",), "n_critic": 1, "play": "alternating"},
    "cifar10_wgan": {
        **{"n_critic": 5, "batch_size": 64, "wasserstein.clip": 0.01},
        **{"optimizer.method": "rmsprop", "optimizer.learning_rate": 5e-5},
    },
    "cifar10_wgan_gp": {
        **{"n_critic": 5, "batch_size": 64, "wasserstein.clip": 0.0, "gradient_penalty.weight": 10.0},
        **{"latent_size": 128, "prior": "normal", "discriminator.batch_norm": False},
        **{"optimizer.learning_rate": 1e-4, "optimizer.beta_1": 0.5, "optimizer.beta_2": 0.9},
    },
    "cifar10_began": {
        **{"began.gamma": 0.5, "began.lambda_k": 0.001, "latent_size": 64, "prior": "uniform", "batch_size": 16},
        **{"generator.width": 128, "discriminator.width": 128},
        **{"optimizer.learning_rate": 1e-4, "optimizer.halve_every": 100_000},
    },
    "mnist_ebgan": {"terms": ("ebgan",), "ebgan.margin": 10.0, "optimizer.learning_rate": 1e-3},
    "mnist_ebgan_pt": {"terms": ("ebgan", "pull_away"), "ebgan.margin": 10.0, "pull_away.weight": 0.1},
    "celeba_ebgan": {"ebgan.margin": 20.0},
    "celeba_ebgan_pt": {"ebgan.margin": 20.0, "pull_away.weight": 0.1},
    "lsun_ebgan": {"ebgan.margin": 80.0},
    "lsun_ebgan_pt": {"ebgan.margin": 80.0, "pull_away.weight": 0.1},
    "imagenet128_ebgan_pt": {"ebgan.margin": 40.0, "generator.network": "NoisePlanes"},
    "imagenet256_ebgan_pt": {"ebgan.margin": 80.0, "image_size": 256, "class_range": (151, 269)},
    "mnist_ladder": {
        **{"image_size": 28, "num_labelled": 100, "ebgan.margin": 0.0, "ebgan.weight": 1000 / 784, "batch_size": 100},
        **{"optimizer.learning_rate": 2e-4, "optimizer.beta_1": 0.5, "steps": 120_000},
        **{"optimizer.decay_from": 80_000, "optimizer.decay_until": 120_000},
    },
    "mnist_ebgan_ladder": {
        **{"ebgan.margin": 16.0, "ebgan.margin_steps": RESTS, "optimizer.generator_until": RESTS},
        **{"optimizer.learning_rate": 5e-4, "optimizer.generator_learning_rate": 2.5e-4, "ebgan.weight": 1000 / 784},
        **{"optimizer.decay_from": 120_000, "optimizer.decay_until": 180_000, "steps": 180_000},
    },
    "cifar10_acgan": {
        **{"latent_size": 100, "batch_size": 100, "steps": 50_000, "conditional": True},
        **{"optimizer.beta_1": 0.5, "optimizer.beta_2": 0.999, "generator.width": 96},
    },
    "imagenet128_acgan": {"class_splits": 100, "generator.width": 192, "steps": 50_000},
    "cifar10_ali": {
        **{"latent_size": 64, "prior": "normal", "batch_size": 100},
        **{"optimizer.learning_rate": 1e-4, "optimizer.beta_1": 0.5, "optimizer.beta_2": 0.999},
    },
    "svhn_ali": {
        **{"dataset": "svhn", "num_labelled": 1000, "latent_size": 256, "steps": 100 * 732, "encoder.slope": 0.01},
        **{"generator.slope": 0.01, "discriminator.maxout": False, "optimizer.learning_rate": 1e-4},
    },
    "svhn_improved_ssl": {
        **{"dataset": "svhn", "num_labelled": 1000, "discriminator.width": 64, "generator.width": 128},
        **{"optimizer.decay_from": 600 * 732, "optimizer.decay_until": 900 * 732, "optimizer.learning_rate": 3e-4},
    },
    "cifar10_improved": {
        **{"optimizer.method": "adam_root", "optimizer.epsilon": 1e-8, "play": "alternating"},
        **{"nonsaturating.smoothing": 0.1, "discriminator.kernels": 100, "batch_size": 100, "latent_size": 100},
        **{"optimizer.learning_rate": 3e-4, "optimizer.beta_1": 0.5, "generator.width": 128, "discriminator.width": 96},
    },
    "cifar10_improved_ssl": {
        **{"terms": ("feature_matching_game", "classification"), "feature_matching_game.distance": "absolute"},
        **{"feature_matching_game.discriminator_weight": 0.5, "num_labelled": 4000, "optimizer.learning_rate": 3e-4},
    },
    "mnist_improved_ssl": {
        **{"optimizer.method": "adam_root", "optimizer.epsilon": 1e-8, "play": "alternating"},
        **{"feature_matching_game.distance": "squared", "feature_matching_game.discriminator_weight": 0.5},
        **{"num_labelled": 100, "image_size": 28},
    },
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_recipe_has_the_numbers_of_its_source(name):
    found = flat(recipes.check(recipes.recipe(name)))
    assert {key: found.get(key) for key in NUMBERS[name]} == NUMBERS[name]


def test_ebgans_grids_are_those_of_table_1():
    networks = {
        "generator.depth": (2, 3, 4, 5),
        "discriminator.depth": (2, 3, 4, 5),
        "generator.width": (400, 800, 1600, 3200),
        "discriminator.width": (128, 256, 512, 1024),
        "discriminator.dropout": (0.5, 0.0),
    }
    optimisers = {
        "optimizer.method": ("adam", "sgd"),
        "optimizer.generator_method": ("adam", "sgd"),
        "optimizer.learning_rate": (0.01, 0.001, 0.0001),
    }
    assert recipes.grid("mnist_ebgan_grid") == networks
    assert recipes.grid("mnist_gan_grid") == networks | optimisers


def test_ebgans_ladder_grid_is_that_of_appendix_d():
    grid, best = recipes.grid("mnist_ladder_grid"), recipes.recipe("mnist_ladder")
    assert grid == {
        "ebgan.weight": tuple(weight / 784 for weight in (5000, 2000, 1000, 500)),
        "optimizer.learning_rate": (0.002, 0.001, 0.0005, 0.0002, 0.0001),
    }
    assert best.ebgan.weight == 1000 / 784 and best.optimizer.learning_rate == 0.0002


def test_the_grid_of_lambda_has_the_papers():
    assert recipes.recipe("cifar10").dfm.weight in recipes.grid("cifar10_dfm_grid")["dfm.weight"]


def test_acgans_grid_is_that_of_public_implementations():
    rates = (1e-4, 2e-4, 3e-4)
    assert recipes.grid("cifar10_acgan_grid") == {
        "optimizer.learning_rate": rates,
        "optimizer.generator_learning_rate": rates,
        "discriminator.noise": (0.0, 0.1, 0.2),
    }
