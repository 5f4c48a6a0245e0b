"""The storage path source: the models of a configuration and the versions to serve, from directories on disk."""

import dataclasses
import os
from collections.abc import Collection
from pathlib import Path

from tensorflow_serving.config import model_server_config_pb2

from tfdfm.serving.status import invalid

LONGEST = 2**63


@dataclasses.dataclass(frozen=True)
class ServableToMonitor:
    """One model of the configuration. `policy` is latest (a number of versions), all or specific (those versions)."""

    name: str
    base_path: Path
    policy: str
    versions: tuple[int, ...]
    labels: dict[str, int]
    roots: tuple[Path, ...] = ()  # where its versions must lie; empty: a path that the operator gave


def servables_to_monitor(config: model_server_config_pb2.ModelServerConfig) -> list[ServableToMonitor]:
    """The models of a configuration. Raises StatusError (INVALID_ARGUMENT)."""
    if config.WhichOneof("config") != "model_config_list":
        raise invalid("Expected a model_config_list: no other type of configuration is supported.")
    models = [_monitored(one) for one in config.model_config_list.config]
    names = [model.name for model in models]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise invalid(f"Illegal to list model {repeated[0]} multiple times in the configuration.")
    return models


def _monitored(config: model_server_config_pb2.ModelConfig) -> ServableToMonitor:
    name = config.name
    if not name:
        raise invalid("Expected every model of the configuration to have a name.")
    if not os.path.isabs(config.base_path):
        raise invalid(f"Expected model {name} to have an absolute base_path, given {config.base_path!r}.")
    if config.model_platform not in ("", "tensorflow"):
        raise invalid(f"Expected model {name} of model_platform 'tensorflow', given {config.model_platform!r}.")
    given = config.model_version_policy
    policy = given.WhichOneof("policy_choice") or "latest"
    versions = tuple(given.specific.versions) if policy == "specific" else (given.latest.num_versions or 1,)
    if not versions:
        raise invalid(f"Expected the versions that model {name} is to serve, given a specific policy without any.")
    return ServableToMonitor(name, Path(config.base_path), policy, versions, dict(config.version_labels))


def confined(model: ServableToMonitor, operators: Collection[Path]) -> ServableToMonitor:
    """The model as a client may ask for it: below what the operator gave. Raises StatusError (INVALID_ARGUMENT)."""
    if model.base_path in operators:
        return model
    roots = tuple(path.resolve() for path in operators)
    if not _below(model.base_path, roots):
        raise invalid(f"Expected a base_path below what this server was started with, given {str(model.base_path)!r}.")
    return dataclasses.replace(model, roots=roots)


def aspired_versions(model: ServableToMonitor) -> dict[int, tuple[Path, tuple[int, ...]]]:
    """Version: directory and its fingerprint, of those that the policy chooses, lowest first. Raises OSError."""
    found = {}
    for path in sorted(model.base_path.iterdir()):
        version = _version(path.name)
        if version is not None and path.is_dir() and (not model.roots or _below(path, model.roots)):
            found.setdefault(version, path)
    versions = sorted(found)
    if model.policy == "latest":
        versions = versions[-model.versions[0] :]
    elif model.policy == "specific":
        versions = [version for version in versions if version in model.versions]
    return {version: (found[version], _fingerprint(found[version])) for version in versions}


def _fingerprint(path: Path) -> tuple[int, ...]:
    """Changes when files come to a version's directory: one that could not be loaded is then tried again."""
    places = (path, path / "saved_model.pb", path / "variables", path / "assets", path / "assets.extra")
    return tuple(os.stat(place).st_mtime_ns for place in places if os.path.exists(place))


def _version(name: str) -> int | None:
    return int(name) if name.isascii() and name.isdecimal() and int(name) < LONGEST else None


def _below(path: Path, roots: tuple[Path, ...]) -> bool:
    whole = path.resolve()
    return any(whole.is_relative_to(root) for root in roots)
