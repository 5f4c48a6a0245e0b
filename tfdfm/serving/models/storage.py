"""The storage path source: the models of a configuration and the versions to serve, from folders and object stores."""

import dataclasses
import errno
import os
from collections.abc import Collection, Iterable
from pathlib import Path

from tensorflow_serving.config import model_server_config_pb2

from tfdfm import stores
from tfdfm.errors import Failure, UsageError
from tfdfm.serving.status import invalid

LONGEST = 2**63


@dataclasses.dataclass(frozen=True)
class ServableToMonitor:
    """One model of the configuration. `policy` is latest (a number of versions), all or specific (those versions)."""

    name: str
    base_path: Path  # on this machine; of a URL, its copy
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
    base_path = _base_path(name, config.base_path)
    if config.model_platform not in ("", "tensorflow"):
        raise invalid(f"Expected model {name} of model_platform 'tensorflow', given {config.model_platform!r}.")
    given = config.model_version_policy
    policy = given.WhichOneof("policy_choice") or "latest"
    versions = tuple(given.specific.versions) if policy == "specific" else (given.latest.num_versions or 1,)
    if not versions:
        raise invalid(f"Expected the versions that model {name} is to serve, given a specific policy without any.")
    return ServableToMonitor(name, base_path, policy, versions, dict(config.version_labels))


def _base_path(name: str, given: str) -> Path:
    if stores.is_url(given):
        try:
            return stores.place(given)
        except UsageError as error:
            raise invalid(f"Model {name}: {error}") from None
    if not os.path.isabs(given):
        raise invalid(f"Expected model {name} to have an absolute base_path, given {given!r}.")
    return Path(given)


def confined(model: ServableToMonitor, operators: Collection[Path]) -> ServableToMonitor:
    """The model as a client may ask for it: below what the operator gave. Raises StatusError (INVALID_ARGUMENT)."""
    if model.base_path in operators:
        return model
    roots = tuple(path.resolve() for path in operators)
    if not _below(model.base_path, roots):
        raise invalid(
            f"Expected a base_path below what this server was started with, given {stores.name(model.base_path)!r}."
        )
    return dataclasses.replace(model, roots=roots)


def aspired_versions(model: ServableToMonitor) -> dict[int, tuple[Path, tuple[int, ...]]]:
    """Version: directory and its fingerprint, of those that the policy chooses, lowest first. Raises OSError."""
    if stores.is_url(url := stores.name(model.base_path)):
        try:
            there = stores.versions(url)
            if not there:  # a store has no empty folders: as a folder that is missing
                raise OSError(errno.ENOENT, "no version with a saved_model.pb")
            found = _chosen(model, [model.base_path / name for name in there])
            names = {path.name for path in found.values()}
            stores.fetched(url, lambda name: name.split("/")[0] in names)
        except (Failure, UsageError) as error:
            raise OSError(errno.EIO, str(error).rstrip(".")) from error
    else:
        found = _chosen(model, [path for path in model.base_path.iterdir() if path.is_dir()])
    return {version: (path, _fingerprint(path)) for version, path in found.items()}


def _chosen(model: ServableToMonitor, folders: Iterable[Path]) -> dict[int, Path]:
    """Those of the policy, by version, lowest first."""
    found: dict[int, Path] = {}
    for path in sorted(folders):
        version = _version(path.name)
        if version is not None and (not model.roots or _below(path, model.roots)):
            found.setdefault(version, path)
    versions = sorted(found)
    if model.policy == "latest":
        versions = versions[-model.versions[0] :]
    elif model.policy == "specific":
        versions = [version for version in versions if version in model.versions]
    return {version: found[version] for version in versions}


def _fingerprint(path: Path) -> tuple[int, ...]:
    """Changes when files come to a version's directory: one that could not be loaded is then tried again."""
    places = (path, path / "saved_model.pb", path / "variables", path / "assets", path / "assets.extra")
    return tuple(os.stat(place).st_mtime_ns for place in places if os.path.exists(place))


def _version(name: str) -> int | None:
    return int(name) if name.isascii() and name.isdecimal() and int(name) < LONGEST else None


def _below(path: Path, roots: tuple[Path, ...]) -> bool:
    whole = path.resolve()
    return any(whole.is_relative_to(root) for root in roots)
