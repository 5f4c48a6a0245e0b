"""The grid by which EBGAN tunes its baseline, the ladder network: 20 settings of mnist_ladder.

Source: Zhao, Mathieu & LeCun, ICLR 2017, appendix D: the weight of the reconstruction of the bottom layer, beside 1 of
the classes', and the learning rate; Adam with beta_1 0.5, batch 100, 120,000 steps for all.
Expected: the best one, 1,000 / 784 and 0.0002, which is mnist_ladder: a test error of 1.36 %; the others' errors were
not published.
Run: python -m tfdfm.train --config=mnist_ladder_grid trains the base, mnist_ladder, and
python -m tfdfm.search --config=mnist_ladder_grid --metrics=test_error the grid.
"""

from tfdfm.recipes import recipe


def get_config():
    return recipe("mnist_ladder")


def get_grid():
    return {
        "ebgan.weight": (5000 / 784, 2000 / 784, 1000 / 784, 500 / 784),  # lambda_L2
        "optimizer.learning_rate": (0.002, 0.001, 0.0005, 0.0002, 0.0001),  # lr
    }
