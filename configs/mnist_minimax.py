"""MNIST with the original game: mnist_gan with G minimising log(1 - D(G(z))).

Source: Goodfellow et al., 2014 (dfm eq. 1; slides), k = 1 discriminator step as in their experiments: n_critic.
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
