"""ImageNet at 128 x 128 with an ensemble of 100 auxiliary classifier GANs, each of ten neighbouring classes.

Source: Odena, Olah & Shlens, ICML 2017, sections 3, 4.6 and appendix A. The copy at hand lost the table's numbers; they
are public implementations': 100 latents and the class, linear 768 maps at 8x8, 5x5 stride 2: 384, 256, 192, 3; D as in
cifar10_acgan, without activation noise; Adam 2e-4, beta_1 0.5, beta_2 0.999; batch 100, 50,000 steps. Latents U(-1, 1)
are ours. The models are trained one after the other, each in a folder of the run; --splits=0,1,2 trains these alone, on
another machine say, and all are sampled, evaluated and exported as one. "Neighbouring" is by the data set's numbers.
Expected: 10.1 +- 2.0 % of the samples called their class by Inception, 847 of 1,000 classes as diverse as the least
diverse of the data (MS-SSIM).
Run: python -m tfdfm.train --config=imagenet128_acgan
Try: --config.class_splits=1, one model of all classes
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_acgan")
    config.dataset = "imagenet128"
    config.class_splits = 100
    config.generator.width = 192
    config.discriminator.noise = 0.0
    return config
