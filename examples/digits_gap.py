"""The recipe `digits` with the game of the file beside it, a hinge, in place of the non-saturating one.

Run: python -m tfdfm.train --config=examples/digits_gap.py
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("digits")
    config.terms = ("gap", "dfm")
    return config
