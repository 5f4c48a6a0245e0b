"""MNIST with the original game: mnist_gan with G minimising log(1 - D(G(z))).

Source: Goodfellow et al., 2014 (dfm eq. 1; slides, algorithm 1): k = 1 step of D before each of G (n_critic), which
answers the moved D on fresh latents. Networks, batch and Adam are mnist_gan's; theirs were maxout networks with
dropout and SGD with momentum: --config.optimizer.method=sgd --config.optimizer.momentum=0.5.
Expected: no published score.
Run: python -m tfdfm.train --config=mnist_minimax
Try: --config.n_critic=2
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("mnist_gan")
    config.terms = ("minimax",)
    config.play = "alternating"
    return config
