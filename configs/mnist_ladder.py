"""MNIST at 28 x 28 with 100 labels, pixels in any order: the bottom-cost ladder network by itself.

Source: Rasmus et al., 2015, as in Zhao, Mathieu & LeCun, ICLR 2017, section 4.2 and appendix D, the best of their
settings: weight 1000 / 784 of the reconstruction, Adam 2e-4 with beta_1 0.5, 120,000 steps, the learning rate falling
to 0 from 80,000 (Rasmus et al.'s code: 0.002). It is mnist_ebgan_ladder with a margin of 0, where "the EBGAN-LN model
falls back to a normal Ladder Network": samples are no concern of D's. G still looks for images of low energy.
Expected: a test error of 1.36 +- 0.21 % in the paper, over 15 seeds; 200 labels: 1.24 %, 1,000: 1.04 %.
Run: python -m tfdfm.train --config=mnist_ladder --config.num_labelled=100
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("mnist_ebgan_ladder")
    config.ebgan.margin = 0.0
    config.ebgan.margin_steps = 0
    config.optimizer.learning_rate = 2e-4
    config.optimizer.generator_learning_rate = 0.0
    config.optimizer.generator_until = 0
    config.optimizer.decay_from = 80_000
    config.optimizer.decay_until = 120_000
    config.steps = 120_000
    return config
