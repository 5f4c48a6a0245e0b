"""Handwritten digits at 16 x 16 by class: labels concatenated at every layer of G and D, with denoising feature
matching.

Source: as `digits`; the conditioning is Radford et al.'s conditional MNIST. The paper calls its method "readily
applicable" to conditional models (section 3); no score was published. The denoiser sees the features without the
label.
Run: python -m tfdfm.train --config=digits_conditional
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("digits")
    config.conditional = True
    return config
