"""How many classes a model bears: AC-GAN on the first 10, 25, 50 and 100 classes of ImageNet at 64 x 64.

Source: Odena, Olah & Shlens, ICML 2017, section 4.6 and figure 10, which train a fixed model on splits of growing size
and judge the samples' diversity (MS-SSIM). Figure 10's numbers are lost in the copy at hand; these are chosen here, as
1000 / class_splits. The paper's larger splits gain from more parameters: --grid.generator.width=96,192,384. 64 pixels
because the paper does not say which, and they are cheaper.
Expected: more alike samples, up to collapse, with more classes; no number.
Run: python -m tfdfm.train --config=imagenet64_acgan_classes_grid trains the base, the first of 100 models, and
python -m tfdfm.search --config=imagenet64_acgan_classes_grid --metrics=ms_ssim,accuracy --samples=10000 the study.
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("imagenet64_acgan")
    config.split = 0
    return config


def get_grid():
    return {"class_splits": (100, 40, 20, 10)}
