"""All that a run directory says of a run, as plain data for a page."""

import base64
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from tfdfm import recipes, stores
from tfdfm.errors import UsageError
from tfdfm.evaluation import records
from tfdfm.recipes.keys import flat
from tfdfm.reporting.curves import curves
from tfdfm.runs import metrics_log
from tfdfm.runs.starts import STARTS, WARNINGS
from tfdfm.sampling import restore

PICTURES = 40  # of a kind at most
BYTES = 2_000_000  # of the pictures of a kind
_OWN = ("seed", "steps")  # of a run, whatever its recipe


def of_run(run_dir: Path) -> dict[str, Any]:
    """Recipe, curves, pictures, scores, warnings, starts and commands.

    Raises:
        UsageError: no run there, or one that has logged nothing yet.
        Failure: scores that are damaged.
    """
    config, lines = restore.recipe(run_dir), metrics_log.of_run(run_dir)
    nearest = _nearest(config)
    rates = [line["images_per_second"] for line in lines if line.get("images_per_second")]
    return {
        "name": run_dir.resolve().name,
        "step": lines[-1]["step"],
        "steps": config.steps,
        "seen": lines[-1].get("images_seen"),
        "recipe": nearest,
        "changes": recipes.differences(_of(nearest, config), config),
        **_baseline(nearest, config),
        "settings": {key: _text(value) for key, value in sorted(flat(config).items())},
        "curves": curves(lines),
        "samples": _pictures(run_dir, "step"),
        "reconstructions": _pictures(run_dir, "reconstructions"),
        "scores": _scores(run_dir),
        "warnings": _read(run_dir / WARNINGS),
        "starts": _read(run_dir / STARTS),
        "rate": float(np.median(rates)) if rates else None,
        "commands": commands(run_dir, nearest, config),
    }


def commands(run_dir: Path, nearest: str, config: ConfigDict) -> list[str]:
    """What repeats the run, samples, scores and exports it; the first resolves to the run's very recipe."""
    old, new = flat(_of(nearest, config)), flat(config)
    changed = {key: value for key, value in new.items() if old.get(key) != value}
    flags = [shlex.quote(f"--config.{key}={_text(value)}") for key, value in changed.items()]
    where = shlex.quote(f"--run_dir={stores.name(run_dir)}")
    return [
        " ".join(["python -m tfdfm.train", f"--config={nearest}", *flags, "--run_dir=again"]),
        f"python -m tfdfm.sample {where} --num=64",
        f"python -m tfdfm.evaluate {where} --num=10000",
        f"python -m tfdfm.export {where}",
    ]


def _nearest(config: ConfigDict) -> str:
    """The recipe of which most settings are the run's."""
    own, known = flat(config), sorted(recipes.names())
    return min(known, key=lambda name: len(_changed(flat(_of(name, config)), own)))


def _changed(one: Mapping, other: Mapping) -> set[str]:
    return {key for key in one.keys() | other.keys() if key not in _OWN and one.get(key) != other.get(key)}


def _of(name: str, config: ConfigDict) -> ConfigDict:
    """A recipe as a run of it would keep it: with an image size that it leaves to its data as the run's is."""
    found = recipes.check(recipes.recipe(name))
    found.image_size = found.image_size or config.image_size
    return found


def _baseline(name: str, config: ConfigDict) -> dict[str, Any]:
    """The recipe without denoising feature matching that this one is held against, if any, and what differs."""
    known = recipes.names()
    found = next(
        (other for other in (f"{name}_gan", name.removesuffix("_dfm")) if other in known and other != name), None
    )
    differences = recipes.differences(_of(found, config), config) if found else []
    return {"baseline": found, "baseline_changes": differences}


def _text(value: Any) -> str:
    """A value as --config.KEY=VALUE takes it."""
    return ",".join(map(str, value)) or "()" if isinstance(value, tuple) else str(value)


def _pictures(run_dir: Path, kind: str) -> list[dict]:
    """[{"step", "png"}], base64, evenly spaced, the last among them; [] of none."""
    paths = sorted((run_dir / "samples").glob(f"{kind}_*.png"))
    if not paths:
        return []
    most = min(PICTURES, max(BYTES // max(path.stat().st_size for path in paths), 1))
    places = np.unique(np.linspace(len(paths) - 1, 0, min(most, len(paths))).round().astype(int))
    return [
        {"step": int(paths[k].stem.rpartition("_")[2]), "png": base64.b64encode(paths[k].read_bytes()).decode()}
        for k in places
    ]


def _scores(run_dir: Path) -> list[dict]:
    try:
        found = list(records.of_run(run_dir))
    except UsageError:
        return []
    return [
        {
            "step": each.step,
            "name": each.name,
            "value": each.record["value"],
            "spread": each.record.get("spread"),
            "record": json.dumps(each.record, indent=1)[:5000],
        }
        for each in found
    ]


def _read(path: Path) -> list[dict]:
    return metrics_log.read(path) if path.exists() else []
