"""Recipes: their keys, where they are found, what overrides them, and what makes one invalid."""

from tfdfm.config.checks import check
from tfdfm.config.keys import defaults, override
from tfdfm.config.recipes import FALLBACK, grid, names, recipe, recipes, select
from tfdfm.config.stored import differences, read

__all__ = [
    "FALLBACK",
    "check",
    "defaults",
    "differences",
    "grid",
    "names",
    "override",
    "read",
    "recipe",
    "recipes",
    "select",
]
