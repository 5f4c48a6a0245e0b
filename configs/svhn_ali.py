"""SVHN with adversarially learned inference, and how well its encoder's features tell digits by 1,000 labels.

Source: Dumoulin et al., 2017, section 4.3, appendix A and their code: 256 latents; networks as in cifar10_ali but for
leaky ReLUs of slope 0.01, also in D, which has batch norm in place of maxout and dropout of 0.2 before every layer; 100
epochs of 732 steps. The labels, num_labelled, are those of the SVM alone: no term learns from them. The mean pixel at
which G starts, 0.45, is recalled. Their other result, 7.3 % by a D of K + 1 classes of images with codes, is not here:
its networks were not published.
Expected: a test error of 19.14 +- 0.50 % of the SVM, by python -m tfdfm.evaluate --metrics=separability, whose value is
one minus that. The features are the last three hidden layers and the mean of the code, 4x4x256 + 512 + 512 + 256; the
8,960 of them that the paper counts fit no layers of its table, and its code takes five layers before their leaky ReLU.
Theirs is the mean of 100 SVMs, each of 1,000 images at random; here it is one, of as many images of each class.
Run: python -m tfdfm.train --config=svhn_ali
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("cifar10_ali")
    config.dataset = "svhn"
    config.num_labelled = 1000
    config.latent_size = 256
    config.generator = dict(network="ALI", width=32, slope=0.01, log_odds=-0.2)
    config.encoder = dict(network="ALI", width=32, slope=0.01)
    config.discriminator = dict(network="ALI", width=32, maxout=False)
    config.steps = 73_200
    return config
