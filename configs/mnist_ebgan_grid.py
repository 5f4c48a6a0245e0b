"""EBGAN's grid on MNIST: 512 settings of networks around mnist_ebgan's.

Source: Zhao, Mathieu & LeCun, ICLR 2017, section 4.1, table 1 and appendix C: layers and units of G and D, dropout in D
or none; Adam with 0.001 and a margin of 10 for all. The paper does not give the rate of its dropout: 0.5 here, of each
hidden layer's units. Nor steps, batch or latents: mnist_ebgan's.
Expected: figure 2, by the classifier of the paper, which is not published; no numbers.
Run: python -m tfdfm.train --config=mnist_ebgan_grid trains the base, mnist_ebgan, and
python -m tfdfm.search --config=mnist_ebgan_grid --num=20 --config.steps=3000 a part of the grid.
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("mnist_ebgan")
    config.discriminator.dropout = 0.0
    return config


def get_grid():
    return {
        "generator.depth": (2, 3, 4, 5),  # nLayerG
        "discriminator.depth": (2, 3, 4, 5),  # nLayerD
        "generator.width": (400, 800, 1600, 3200),  # sizeG
        "discriminator.width": (128, 256, 512, 1024),  # sizeD
        "discriminator.dropout": (0.5, 0.0),  # dropoutD
    }
