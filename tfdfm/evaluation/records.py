"""Scores on disk: evaluation/<step>.json, {name: {"value": ..., record}}, and when two of them compare.

Two numbers compare exactly when their records are equal in all but the RESULTS and whose images they are ("of").
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfdfm import files, images
from tfdfm.errors import Failure, UsageError

RESULTS = ("value", "spread", "per_class", "data_per_class", "resolutions", "levels", "rows", "candidates", "of")
RESULTS += ("higher_than_at_half", "diverse", "discriminable_of_diverse", "discriminable_of_others")


class Scored(NamedTuple):
    """What was written of one checkpoint."""

    step: int
    name: str
    record: dict


def conditions(record: Mapping) -> dict:
    """What another record must share."""
    return {key: value for key, value in record.items() if key not in RESULTS}


def write(path: Path, scores: Mapping[str, dict], drawn: Mapping[str, np.ndarray]) -> None:
    """Adds `scores` to those of the same conditions; a file with others is first renamed to <name>-1.json, -2, ...

    Pictures, uint8 [H, W, C], go beside it, as <name>-<score>.png.

    Raises:
        Failure: the disk refuses, or the file there is none of ours.
    """
    scores = {name: files.finite(record) for name, record in scores.items()}
    with files.writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        old = read(path) if path.exists() else {}
        if any(conditions(old[name]) != conditions(scores[name]) for name in old.keys() & scores.keys()):
            path.replace(_free(path))
            old = {}
    files.write_json(path, old | scores)
    for name, picture in drawn.items():
        images.write_png(path.with_name(f"{path.stem}-{name}.png"), picture)


def read(path: Path) -> dict[str, dict]:
    """Raises Failure: it is damaged."""
    try:
        found = json.loads(path.read_text())
        if not all(isinstance(record, dict) and "value" in record for record in found.values()):
            raise ValueError("a score without a value")
    except (OSError, ValueError, AttributeError) as error:
        raise Failure(f"{path} is damaged ({error}): expected what tfdfm.evaluate writes. Remove it.") from None
    return found


def of_run(run_dir: Path) -> Iterator[Scored]:
    """All scores that a run has, by step.

    Raises:
        UsageError: none.
    """
    paths = [path for path in (run_dir / "evaluation").glob("*.json") if path.stem.split("-")[0].isdigit()]
    if not paths:
        raise UsageError(f"{run_dir} has no scores: python -m tfdfm.evaluate --run_dir={run_dir} makes them.")
    for path in sorted(paths, key=lambda path: (int(path.stem.split("-")[0]), path.name)):
        for name, record in read(path).items():
            yield Scored(int(path.stem.split("-")[0]), name, record)


def _free(path: Path) -> Path:
    number = 1
    while (free := path.with_name(f"{path.stem}-{number}.json")).exists():
        number += 1
    return free
