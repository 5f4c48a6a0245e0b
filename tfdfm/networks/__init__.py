"""Networks, found by class name in the modules of their kind."""

import inspect

from tfdfm.errors import UsageError, nearest
from tfdfm.networks import (
    autoencoders,
    decoders,
    denoisers,
    discriminators,
    encoders,
    generators,
    joint,
    ladder,
    salimans,
    salimans_generators,
    separators,
    thesis,
)
from tfdfm.networks.layers import Network

MODULES = {
    "generator": (generators, decoders, salimans_generators),
    "discriminator": (discriminators, autoencoders, joint, ladder, salimans, thesis),
    "denoiser": (denoisers,),
    "encoder": (encoders,),
    "separator": (separators,),
}


def classes(kind: str) -> dict[str, type[Network]]:
    """{name: network} of a kind: a key of `MODULES`."""
    return {
        name: found
        for module in MODULES[kind]
        for name, found in vars(module).items()
        if inspect.isclass(found) and issubclass(found, Network) and found.__module__ == module.__name__
    }


def find(kind: str, name: str) -> type[Network]:
    """The network of that kind and name.

    Raises:
        UsageError: no such network; lists those that exist.
    """
    known = classes(kind)
    if name not in known:
        raise UsageError(nearest(kind, name, known) + f" Set --config.{kind}.network.")
    return known[name]


def parameters(kind: str, name: str) -> dict:
    """{name: default} of a network's own keys in a recipe."""
    signature = inspect.signature(find(kind, name).__init__).parameters.values()
    return {p.name: p.default for p in signature if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}
