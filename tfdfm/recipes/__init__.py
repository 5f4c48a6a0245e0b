"""Recipes: their keys, where they are found, what overrides them, and what makes one invalid."""

from tfdfm.recipes.checks import check
from tfdfm.recipes.keys import defaults, override
from tfdfm.recipes.lookup import FALLBACK, grid, names, recipe, recipes, select
from tfdfm.recipes.stored import differences, read

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
