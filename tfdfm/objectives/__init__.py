"""Objectives, a paper a file, found by module name: the `terms` of a recipe. Others come from outside the package."""

import importlib
import inspect
import pkgutil

from tfdfm import plugins
from tfdfm.errors import UsageError, nearest
from tfdfm.objectives.base import Objective

EXAMPLE = "mypackage.gap:Gap or folder/gap.py:Gap"


def names() -> list[str]:
    """Of the package's own terms and of those that installed packages offer."""
    own = [module.name for module in pkgutil.iter_modules(__path__) if module.name not in ("base", "forward")]
    return [*own, *(name for name in plugins.offered("objectives") if name not in own)]


def find(term: str) -> type[Objective]:
    """The objective of a name, or of MODULE:CLASS or FILE.py:CLASS.

    Raises:
        UsageError: no such term; lists those that exist.
    """
    if plugins.is_outside(term):
        return plugins.load(term, Objective, EXAMPLE)
    if term not in names():
        raise UsageError(f"{nearest('term', term, names())} Or {EXAMPLE}. Change the recipe's terms.")
    if offered := plugins.offered("objectives").get(term):
        return plugins.load(offered, Objective, EXAMPLE)
    module = importlib.import_module(f"{__name__}.{term}")
    own = [c for c in vars(module).values() if inspect.isclass(c) and c.__module__ == module.__name__]
    return next(c for c in own if issubclass(c, Objective))


def parameters(term: str) -> dict:
    """{name: default} of a term's keyword arguments: the recipe's keys of that term."""
    signature = inspect.signature(find(term).__init__)
    return {name: p.default for name, p in signature.parameters.items() if p.default is not p.empty}


def primaries() -> list[str]:
    """The terms of which a recipe has one."""
    return [term for term in names() if find(term).primary]
