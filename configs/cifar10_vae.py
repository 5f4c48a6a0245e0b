"""CIFAR-10 with a variational autoencoder on the networks of cifar10_dcgan.

Source: Iliescu, 2018, sections 3.4 and 3.5: "the same base architecture"; Kingma & Welling, 2014. The encoder has D's
convolutions and a linear layer to mean and log sigma, the decoder is G. The thesis names no likelihood: here the sum
of squares over pixels in [-1, 1], a Gaussian of variance 1/2, and the whole KL. Rate and batch as in cifar10_dcgan.
Beside samples/step_*.png, data and their reconstructions in samples/reconstructions_*.png.
Expected: Inception score 3.21 and FID 158.3 in the thesis; "very blurry images".
Run: python -m tfdfm.train --config=cifar10_vae
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_dcgan")
    config.terms = ("vae",)
    config.play = "simultaneous"
    config.encoder = dict(network="Iliescu", width=64)
    return config
