"""Recipes: their keys, checks, lookup by name, and the form in which a run keeps one."""

from tfdfm.recipes.checks import check
from tfdfm.recipes.keys import defaults, override, parse
from tfdfm.recipes.lookup import FALLBACK, folder, grid, names, recipe, select
from tfdfm.recipes.stored import differences, of_json, read, write

__all__ = [
    "FALLBACK",
    "check",
    "defaults",
    "differences",
    "folder",
    "grid",
    "names",
    "of_json",
    "override",
    "parse",
    "read",
    "recipe",
    "select",
    "write",
]
