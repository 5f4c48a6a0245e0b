"""The recipe that a run keeps, and the differences of two recipes."""

import hashlib
import json
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from tfdfm import files, networks, objectives
from tfdfm.errors import UsageError
from tfdfm.recipes.keys import complete, defaults, flat

RENAMED = {"classes": "class_range", "labelled": "num_labelled"}  # keys of 0.1
NETWORKS_RENAMED = {
    "Radford": "DCGAN",
    "Odena": "ACGAN",
    "Thesis": "Iliescu",
    "Ali": "ALI",
    "Began": "BEGAN",
    "BeganAutoencoder": "BEGAN",
    **{f"Salimans{kind}": f"ImprovedGAN{kind}" for kind in ("", "Classifier", "FullyConnected")},
}


def write(path: Path, config: ConfigDict, about: dict) -> None:
    """Writes config.json: the recipe, what is known of the data, and the digest of both. Raises Failure."""
    stored = files.finite(config.to_dict() | {"data": about})
    files.write_json(path, stored | {"sha256": _digest(stored)})


def read(path: Path) -> ConfigDict:
    """A run's config.json as a recipe. Raises UsageError: it is not JSON, or not as it was written; as `of_json`."""
    try:
        stored = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from None
    if isinstance(stored, dict) and (written := stored.pop("sha256", None)) and written != _digest(stored):
        raise UsageError(
            f"{path} is damaged, or was changed by hand: its sha256 is of something else. Restore it, or remove the "
            "line sha256 to take it as it is."
        )
    return of_json(stored, path)


def _digest(stored: dict) -> str:
    return hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()


def _damaged(path: Path, error: Exception) -> UsageError:
    return UsageError(f"{path} is damaged ({error}): expected the JSON that a run writes. Restore it.")


def of_json(stored: Any, path: Path) -> ConfigDict:
    """The recipe that a run or a search wrote at this path.

    Raises:
        UsageError: a key that no recipe of this version has, or a value of another type. A key that it lacks, as it is
            newer, has its default; names of 0.1 are read as those of today.
    """
    try:
        stored = {RENAMED.get(key, key): _tuples(value) for key, value in stored.items() if key != "data"}
    except AttributeError as error:
        raise _damaged(path, error) from None
    for of in stored.values():
        if isinstance(of, dict) and isinstance(of.get("network"), str):
            of["network"] = NETWORKS_RENAMED.get(of["network"], of["network"])
    found = ConfigDict(stored)
    try:
        base = _base(found)
    except UsageError as error:
        raise UsageError(f"{path} is damaged or of another version: {error}") from None
    if wrong := _wrong(flat(base), flat(found)):
        raise UsageError(f"{path} is damaged or of another version: {'; '.join(wrong)}.")
    base.update(found)
    return base


def _tuples(value: Any) -> Any:
    """JSON's lists as the tuples that recipes have, at any depth."""
    if isinstance(value, dict):
        return {key: _tuples(each) for key, each in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _base(found: ConfigDict) -> ConfigDict:
    """The defaults, with the keys of the terms and networks that `found` names."""
    base = defaults()
    terms = found.get("terms")
    if not (isinstance(terms, tuple) and all(isinstance(term, str) for term in terms)):
        raise UsageError("expected terms to be a list of names.")
    base.terms = tuple(term for term in terms if objectives.find(term))
    for kind in networks.KINDS:
        name = found[kind].get("network") if isinstance(found.get(kind), ConfigDict) else None
        if isinstance(name, str):
            base[kind] = ConfigDict({"network": name, **networks.parameters(kind, name)})
    return complete(base)


def _wrong(expected: dict, found: dict) -> list[str]:
    """What no recipe of this version has: other keys, or such values. Keys that were not there yet have defaults."""
    other = {key for key in expected.keys() & found.keys() if type(expected[key]) is not type(found[key])}
    unknown = sorted(found.keys() - expected.keys())
    lines = [f"unknown {', '.join(unknown)}"] if unknown else []
    return lines + ([f"of another type {', '.join(sorted(other))}"] if other else [])


def differences(old: ConfigDict, new: ConfigDict) -> list[str]:
    """Keys that differ, as "key: old -> new"."""
    a, b = flat(old), flat(new)
    return [f"{key}: {a.get(key)!r} -> {b.get(key)!r}" for key in sorted(a | b) if a.get(key) != b.get(key)]
