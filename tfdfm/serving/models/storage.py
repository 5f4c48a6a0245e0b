"""Which models and versions are wanted: from the configuration and from the directories on disk."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tensorflow_serving.config import model_server_config_pb2

from tfdfm.serving.status import invalid

LONGEST = 2**63


@dataclass(frozen=True)
class Wanted:
    """One model of the configuration. `choose` is latest (a number of versions), all or specific (their numbers)."""

    name: str
    base: Path
    choose: str = "latest"
    numbers: tuple[int, ...] = (1,)
    labels: dict[str, int] = field(default_factory=dict)
    inside: tuple[Path, ...] = ()  # where its versions must lie; empty: a path that the operator gave


def wanted(config: model_server_config_pb2.ModelServerConfig) -> list[Wanted]:
    """The models of a configuration. Raises Refused (INVALID_ARGUMENT)."""
    if config.WhichOneof("config") != "model_config_list":
        raise invalid("Expected a model_config_list: no other type of configuration is supported.")
    models = [_model(one) for one in config.model_config_list.config]
    names = [model.name for model in models]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise invalid(f"Illegal to list model {repeated[0]} multiple times in the configuration.")
    return models


def _model(config: model_server_config_pb2.ModelConfig) -> Wanted:
    name = config.name
    if not name:
        raise invalid("Expected every model of the configuration to have a name.")
    if not config.base_path.startswith("/"):
        raise invalid(f"Expected model {name} to have an absolute base_path, given {config.base_path!r}.")
    if config.model_platform not in ("", "tensorflow"):
        raise invalid(f"Expected model {name} of model_platform 'tensorflow', given {config.model_platform!r}.")
    policy = config.model_version_policy
    choose = policy.WhichOneof("policy_choice") or "latest"
    numbers = tuple(policy.specific.versions) if choose == "specific" else (policy.latest.num_versions or 1,)
    if choose == "specific" and not numbers:
        raise invalid(f"Expected the versions that model {name} is to serve, given a specific policy without any.")
    return Wanted(name, Path(config.base_path), choose, numbers, dict(config.version_labels))


def confined(model: Wanted, operators: Iterable[Path]) -> Wanted:
    """The model as a client may ask for it: below what the operator gave. Raises Refused (INVALID_ARGUMENT)."""
    operators = list(operators)
    if model.base in operators:
        return model
    roots = tuple(path.resolve() for path in operators)
    if not _below(model.base, roots):
        raise invalid(f"Expected a base_path below what this server was started with, given {str(model.base)!r}.")
    return Wanted(model.name, model.base, model.choose, model.numbers, model.labels, roots)


def versions(model: Wanted) -> dict[int, tuple[Path, tuple[int, ...]]]:
    """Number: directory and its fingerprint, of those that the policy chooses, lowest first. Raises OSError."""
    found = {}
    with os.scandir(model.base) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            number = _number(entry.name)
            if number is not None and entry.is_dir() and (not model.inside or _below(Path(entry), model.inside)):
                found.setdefault(number, Path(entry))
    numbers = sorted(found)
    if model.choose == "latest":
        numbers = numbers[-model.numbers[0] :]
    elif model.choose == "specific":
        numbers = [number for number in numbers if number in model.numbers]
    return {number: (found[number], _fingerprint(found[number])) for number in numbers}


def _fingerprint(path: Path) -> tuple[int, ...]:
    """Changes when files come to a version's directory: one that could not be loaded is then tried again."""
    places = (path, path / "saved_model.pb", path / "variables", path / "assets", path / "assets.extra")
    return tuple(os.stat(place).st_mtime_ns for place in places if os.path.exists(place))


def _number(name: str) -> int | None:
    return int(name) if name.isascii() and name.isdecimal() and int(name) < LONGEST else None


def _below(path: Path, roots: tuple[Path, ...]) -> bool:
    whole = path.resolve()
    return any(whole.is_relative_to(root) for root in roots)
