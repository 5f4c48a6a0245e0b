"""Classes from outside the package: of an installed module, of a file, or by entry point.

"mypackage.gap:Gap" names a class of a module that Python finds, "folder/gap.py:Gap" one of a file. A package
that is installed offers its own under short names, by the entry points `tfdfm.objectives` and `tfdfm.networks`.
"""

import functools
import hashlib
import importlib
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from tfdfm.errors import UsageError


def is_outside(name: str) -> bool:
    """Whether a term or network is given as MODULE:CLASS or FILE.py:CLASS."""
    return ":" in str(name)


def short(name: str) -> str:
    """The key under which a recipe holds the class's own keys: its name in lower case; a plain name is its own key."""
    return name.rpartition(":")[2].lower() if is_outside(name) else name


@functools.cache  # looking through all that is installed takes 10 ms
def offered(group: str) -> dict[str, str]:
    """{name: "MODULE:CLASS"} of the entry points `tfdfm.<group>` of installed packages."""
    return {point.name: point.value for point in entry_points(group=f"tfdfm.{group}")}


def load(name: str, base: type, example: str) -> type:
    """The class that MODULE:CLASS or FILE.py:CLASS names.

    Args:
        base: that it must be derived from.
        example: of such a name, for the error.

    Raises:
        UsageError: no such module, file or class, or another kind of class.
    """
    place, _, name_of_class = name.rpartition(":")
    try:
        module = _of_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except Exception as error:  # whatever the module's own code raises
        raise UsageError(
            f"Cannot import {place!r} for {name!r} ({type(error).__name__}: {error}). Expected a module on Python's "
            f"path or a file, such as {example}."
        ) from error
    found = getattr(module, name_of_class, None)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UsageError(f"Expected in {place!r} a class {name_of_class!r} of {base.__name__}, as in {example}.")
    return found


def beside(folder: Path, name: str, base: type) -> str:
    """A name as a recipe in `folder` means it: files are sought there, and "gap" may be the class in gap.py."""
    place, colon, name_of_class = name.rpartition(":")
    if colon and place.endswith(".py"):
        return f"{(folder / place).resolve()}:{name_of_class}"
    path = folder / f"{name}.py"
    if colon or not path.is_file():
        return name
    own = [c for c in vars(_of_file(path)).values() if isinstance(c, type) and issubclass(c, base) and c is not base]
    own = [c for c in own if c.__module__ == _name(path)]
    return f"{path.resolve()}:{own[0].__name__}" if own else name


def run_file(path: Path, name: str) -> ModuleType:
    """The module that a .py makes, under that name; it is in sys.modules unless it fails."""
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _of_file(path: Path) -> ModuleType:
    """The module in a file, loaded once."""
    return sys.modules.get(_name(path)) or run_file(path, _name(path))


def _name(path: Path) -> str:
    return f"{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
