"""CIFAR-10 with the original game: cifar10_gan with G minimising log(1 - D(G(z))).

Source: Goodfellow et al., 2014 (dfm eq. 1; slides, algorithm 1): k = 1 step of D before each of G (n_critic), which
answers the moved D on fresh latents. Networks, batch and Adam are cifar10_gan's; theirs were maxout networks with
dropout and SGD with momentum: --config.optimizer.method=sgd --config.optimizer.momentum=0.5.
Expected: no published score. Where D is sure of itself G learns nothing: that is what the non-saturating game mends.
Run: python -m tfdfm.train --config=cifar10_minimax
Try: --config.n_critic=2
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_gan")
    config.terms = ("minimax",)
    config.play = "alternating"
    return config
