"""Views by name, their options, and what they find of one run or of several side by side."""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from tfdfm.analysis import panels, views
from tfdfm.analysis.finding import Finding
from tfdfm.analysis.subject import Subject
from tfdfm.errors import UsageError, check_distinct, nearest
from tfdfm.recipes import parse


def names() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(views.__path__)]


def find(name: str) -> ModuleType:
    """Raises UsageError: no such view; lists those that exist."""
    if name not in names():
        raise UsageError(nearest("view", name, names()) + " Set --view.")
    return importlib.import_module(f"{views.__name__}.{name}")


def defaults(name: str) -> dict[str, Any]:
    """{option: default} of a view."""
    return {
        p.name: p.default for p in inspect.signature(find(name).draw).parameters.values() if p.kind is p.KEYWORD_ONLY
    }


def options(name: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The options of a view, each of its default's type.

    Raises:
        UsageError: an option that the view does not have, or a value of another type.
    """
    known = defaults(name)
    for key in given:
        if key not in known:
            raise UsageError(nearest(f"option of {name}", key, known) + f" Given --view.{key}={given[key]}.")
    return known | {key: parse(f"view.{key}", text, known[key]) for key, text in given.items()}


def analyse(name: str, subjects: Sequence[Subject], chosen: Mapping[str, Any]) -> Finding:
    """What a view finds of one run, or of several: pictures side by side, numbers by the runs' names.

    Raises:
        UsageError: a run that lacks what the view needs.
    """
    check_distinct(subject.name for subject in subjects)
    try:
        found = _drawn(find(name), subjects, chosen)
    except UsageError:
        raise
    except ValueError as error:  # of a metric: what it needs
        raise UsageError(f"{name}: {error}") from error
    about = {"view": name, "options": dict(chosen), "runs": {subject.name: subject.record for subject in subjects}}
    return found._replace(numbers=about | {"found": found.numbers})


def _drawn(view: ModuleType, subjects: Sequence[Subject], chosen: Mapping[str, Any]) -> Finding:
    if getattr(view, "TOGETHER", False):
        return view.draw(subjects, **chosen)
    found = [view.draw(subject, **chosen) for subject in subjects]
    numbers = {subject.name: each.numbers for subject, each in zip(subjects, found, strict=True)}
    frames = [panels.beside(each) for each in zip(*(each.frames for each in found), strict=False)]
    return Finding(panels.beside([each.picture for each in found]), numbers, frames)
