"""Networks, a paper a file. A recipe names one by its system: `generator.network=DCGAN` is the class DCGANGenerator.

Others come from outside the package, as MODULE:CLASS or FILE.py:CLASS, or by entry points.
"""

import importlib
import inspect
import pkgutil

from tfdfm import plugins
from tfdfm.errors import UsageError, nearest
from tfdfm.networks.layers import Network

EXAMPLE = "mypackage.networks:MyGenerator or folder/networks.py:MyGenerator"
KINDS = ("generator", "discriminator", "denoiser", "encoder", "separator")


def names(kind: str) -> dict[str, type[Network]]:
    """{name: network} of the package's own of a kind, one of `KINDS`."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return {
        name.removesuffix(kind.title()): found
        for module in modules
        for name, found in vars(module).items()
        if inspect.isclass(found) and found.__module__ == module.__name__ and name.endswith(kind.title())
    }


def find(kind: str, name: str) -> type[Network]:
    """The network of that kind and name, or of MODULE:CLASS or FILE.py:CLASS.

    Raises:
        UsageError: no such network; lists those that exist.
    """
    offered = {key: at for key, at in plugins.offered("networks").items() if at.endswith(kind.title())}
    if plugins.is_outside(name) or name in offered:
        return plugins.load(offered.get(name, name), Network, EXAMPLE)
    known = names(kind)
    if name not in known:
        raise UsageError(f"{nearest(kind, name, [*known, *offered])} Or {EXAMPLE}. Set --config.{kind}.network.")
    return known[name]


def parameters(kind: str, name: str) -> dict:
    """{name: default} of a network's own keys in a recipe."""
    signature = inspect.signature(find(kind, name).__init__).parameters.values()
    return {p.name: p.default for p in signature if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}
