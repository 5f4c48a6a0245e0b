"""CIFAR-10 with R3GAN: the relativistic game of pairs with both zero-centred penalties, and nothing else.

Source: Huang et al., NeurIPS 2024, and their code's preset: four stages of 768 maps with two grouped residual blocks
each, 64 latents N(0, 1), batch 512, gamma 0.05, Adam 2e-4 with beta_1 0. Their schedules over the first 20,000,000
images are not taken: the rate falls to 5e-5 and gamma to 0.005 there, beta_2 rises from 0.9 to 0.99 (0.99 here), the
moving average of G from none to a half-life of 5,000,000 images (0.999 here), augmentation from none to 0.55.
Expected: FID 1.96 by the whole of it.
Run: python -m tfdfm.train --config=cifar10_r3gan
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10")
    config.terms = ("relativistic", "r1", "r2")
    config.r1.gamma = config.r2.gamma = 0.05
    config.prior = "normal"
    config.latent_size = 64
    config.flip = True
    config.generator.update(network="R3GAN", width=768)
    config.discriminator.update(network="R3GAN", width=768)
    config.play = "alternating"
    config.optimizer.update(learning_rate=2e-4, beta_1=0.0, beta_2=0.99)
    config.batch_size = 512
    config.ema_decay = 0.999
    return config
