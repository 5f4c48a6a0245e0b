"""The recipe that a run keeps, and how two recipes differ."""

import json
from pathlib import Path

from ml_collections import ConfigDict

from tfdfm import networks, objectives
from tfdfm.errors import UsageError
from tfdfm.recipes.keys import defaults, flat, unused


def read(path: Path) -> ConfigDict:
    """A run's config.json as a recipe.

    Raises:
        UsageError: it is damaged: not JSON, or not the keys of a recipe with values of their types.
    """
    try:
        stored = json.loads(path.read_text())
        stored = {key: tuple(v) if isinstance(v, list) else v for key, v in stored.items() if key != "data"}
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(f"{path} is damaged ({error}): expected the JSON that a run writes. Restore it.") from None
    found = ConfigDict(stored)
    base = _base(found)
    if wrong := _wrong(flat(base), flat(found)):
        raise UsageError(f"{path} is damaged or of another version: missing, unknown or of another type: {wrong}.")
    base.update(found)
    return base


def _base(found: ConfigDict) -> ConfigDict:
    """The defaults, those of networks for the networks that `found` names."""
    base = defaults()
    for kind in networks.KINDS:
        name = found[kind].get("network") if isinstance(found.get(kind), ConfigDict) else None
        if isinstance(name, str) and name in networks.names(kind):
            base[kind] = ConfigDict({"network": name, **networks.parameters(kind, name)})
    return base


def _wrong(expected: dict, found: dict) -> list[str]:
    """Keys that a run's config must not lack, have, or hold such a value of; those of unused terms it may lack."""
    terms = found.get("terms") if isinstance(found.get("terms"), tuple) else ()
    if not all(term in objectives.names() for term in terms):
        return ["terms"]
    needless = {key for key in expected if key.split(".")[0] in unused(terms)}
    other = {key for key in expected.keys() & found.keys() if type(expected[key]) is not type(found[key])}
    return sorted((expected.keys() ^ found.keys()) - needless | other)


def differences(old: ConfigDict, new: ConfigDict) -> list[str]:
    """Keys that differ, as "key: old -> new"."""
    a, b = flat(old), flat(new)
    return [f"{key}: {a.get(key)!r} -> {b.get(key)!r}" for key in sorted(a | b) if a.get(key) != b.get(key)]
