"""The GANs that EBGAN's grid on MNIST is held against: 6,144 settings of networks and optimisers.

Source: Zhao, Mathieu & LeCun, ICLR 2017, section 4.1, table 1 and appendix C: the settings of mnist_ebgan_grid, and
Adam or SGD for D and for G, and the learning rate of both. SGD has no momentum here, and G's loss is the non-saturating
one; the paper does not say. The base is mnist_ebgan_grid's but for game and discriminator, and takes as many steps.
Expected: figures 2 and 3, by the classifier of the paper, which is not published; no numbers.
Run: python -m tfdfm.train --config=mnist_gan_grid trains the base, and
python -m tfdfm.search --config=mnist_gan_grid --num=20 --config.steps=3000 a part of the grid.
Histograms: python -m tfdfm.search --histogram=runs/mnist_ebgan_grid,runs/mnist_gan_grid --out=figure.png, with
--at_most=generator.depth,discriminator.depth (figure 2) or
--by=optimizer.method,optimizer.generator_method,optimizer.learning_rate (figure 3).
"""

from tfdfm.recipes import grid, recipe


def get_config():
    config = recipe("mnist_ebgan_grid")
    config.terms = ("nonsaturating",)
    config.discriminator.network = "FullyConnected"
    return config


def get_grid():
    return {
        **grid("mnist_ebgan_grid"),
        "optimizer.method": ("adam", "sgd"),  # optimD
        "optimizer.generator_method": ("adam", "sgd"),  # optimG
        "optimizer.learning_rate": (0.01, 0.001, 0.0001),  # lr
    }
