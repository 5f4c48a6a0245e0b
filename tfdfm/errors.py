"""The two ways in which a command may end without having worked, each as one clear line."""

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """A flag, name or value that cannot work. Says what was expected, what was given and what to do. Exit code 2."""


class Failure(RuntimeError):
    """Something that cannot be had, written or trusted (data, disk, a damaged file, a diverged run). Exit code 1."""


class Diverged(Failure):
    """A run whose losses or weights are not finite."""


def check_distinct(names: Iterable[str]) -> None:
    """Raises UsageError: two runs of one name, which a page or picture of both could not tell apart."""
    names = list(names)
    if len(set(names)) < len(names):
        raise UsageError(f"Expected runs of different names, given {', '.join(names)}. Rename one's folder.")


def nearest(what: str, name: str, known: Iterable[str]) -> str:
    """One line on an unknown `name`: the nearest known one, and all that exist."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"Unknown {what} {name!r}.{hint} Known: {', '.join(known) or 'none'}."
