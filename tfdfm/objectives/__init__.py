"""Objectives, a paper a file, found by module name: the `terms` of a recipe."""

import importlib
import inspect
import pkgutil

from tfdfm.errors import UsageError, nearest
from tfdfm.objectives.base import Objective


def names() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(__path__) if module.name not in ("base", "forward")]


def find(term: str) -> type[Objective]:
    """The objective that the module of that name defines.

    Raises:
        UsageError: no such term; lists those that exist.
    """
    if term not in names():
        raise UsageError(f"{nearest('term', term, names())} Change the recipe's terms.")
    module = importlib.import_module(f"{__name__}.{term}")
    own = [c for c in vars(module).values() if inspect.isclass(c) and c.__module__ == module.__name__]
    return next(c for c in own if issubclass(c, Objective))


def parameters(term: str) -> dict:
    """{name: default} of a term's keyword arguments: the recipe's keys of that term."""
    signature = inspect.signature(find(term).__init__)
    return {name: p.default for name, p in signature.parameters.items() if p.default is not p.empty}


def primaries() -> list[str]:
    return [term for term in names() if find(term).primary]
