"""Networks, found by class name in the module of their kind."""

import inspect
import types

from tfdfm.errors import UsageError, nearest
from tfdfm.networks.layers import Network


def find(module: types.ModuleType, name: str) -> type[Network]:
    """The network of that name in `generators`, `discriminators`, `denoisers`.

    Raises:
        UsageError: no such network; lists those that exist.
    """
    kind = module.__name__.split(".")[-1].removesuffix("s")
    known = {n: c for n, c in vars(module).items() if inspect.isclass(c) and c.__module__ == module.__name__}
    if name not in known:
        raise UsageError(nearest(kind, name, known) + f" Set --config.{kind}.network.")
    return known[name]
