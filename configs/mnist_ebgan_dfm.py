"""mnist_ebgan with denoising feature matching on the encoder's output.

Source: Warde-Farley & Bengio, ICLR 2017, section 6, propose such combinations; none was published. Phi are the 1,024
outputs of the encoder after the ReLU; the denoiser is as wide. Measured at 800 steps: the features' deviation is 0.4
beside the corruption's 1, and the term's gradient in G a 1,800th of the energy's (in cifar10 a 2,700th of the game's
at 9,000 steps): the paper's weight is small.
Expected: no published score.
Run: python -m tfdfm.train --config=mnist_ebgan_dfm
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("mnist_ebgan")
    config.terms = ("ebgan", "dfm")
    config.denoiser.depth = 2
    config.denoiser.width = 1024
    return config
