"""The recipe `digits` with the hinge game of the file beside it in place of the non-saturating one.

Run: python -m tfdfm.train --config=examples/digits_hinge.py
"""

from tfdfm.recipes import recipe


def get_config():
    config = recipe("digits")
    config.terms = ("hinge", "dfm")
    return config
