"""What a search leaves: search.json, a folder for each setting with its result.json, and the table of them."""

import json
import os
import shutil
import socket
from pathlib import Path

from ml_collections import ConfigDict

from tfdfm import files, recipes
from tfdfm.errors import UsageError
from tfdfm.evaluation import tables

LOWER_IS_BETTER = {
    "frechet_distance",
    "kernel_distance",
    "ms_ssim",
    "nearest_neighbours",
    "sliced_wasserstein_distance",
    "test_error",
}
NAME = "result.json"  # in the folder of a setting
SHOWN = 20  # lines of the table


def describe(directory: Path, about: dict) -> None:
    """Writes search.json: `about`, the recipe and the scoring of all settings; once there are results, compares it.

    Raises:
        UsageError: lists the keys that changed.
    """
    path, about = directory / "search.json", json.loads(json.dumps(about))
    if not path.exists() or not any(directory.glob(f"*/{NAME}")):
        with files.writing(path):
            directory.mkdir(parents=True, exist_ok=True)
            temporary = directory / f"search-{socket.gethostname()}-{os.getpid()}.json"  # several may be at it
            files.write_json(temporary, about)
            temporary.replace(path)
    if changed := recipes.differences(ConfigDict(_read(path)), ConfigDict(about)):
        raise UsageError(
            f"{directory} holds a search with another recipe or scoring: {'; '.join(changed)}. "
            "Pass another --search_dir, or the search's own settings."
        )


def write(path: Path, settings: dict, failed: str | None, scores: dict, seconds: float, images_seen: int) -> None:
    """Whole or not at all; the checkpoints are removed then, as config.json repeats the run to the bit."""
    result = {"settings": settings, "failed": failed, "scores": scores, "seconds": seconds, "images_seen": images_seen}
    files.write_json(path, result)
    shutil.rmtree(path.parent / "checkpoints", ignore_errors=True)


def read(directory: Path) -> list[dict]:
    """All results there, best first, those of failed settings last.

    Raises:
        UsageError: none, or a damaged one.
    """
    found = [_read(path) for path in sorted(directory.glob(f"*/{NAME}"))]
    if not found:
        raise UsageError(f"Expected the results of tfdfm.search in {directory}, found none.")
    return sorted(found, key=_rank)


def value(result: dict) -> float | None:
    """The first score of a setting; None of one that failed."""
    return next((record["value"] for record in result["scores"].values()), None)


def table(results: list[dict]) -> str:
    """A line for each of the best settings: its scores, seconds and values."""
    rows = []
    for result in results[:SHOWN]:
        scores = {name: tables.rounded(record["value"]) for name, record in result["scores"].items()}
        values = {key: str(value) for key, value in result["settings"].items()}
        failed = {"": result["failed"]} if result["failed"] else {}
        rows.append(scores | {"seconds": f"{result['seconds']:.0f}"} | values | failed)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = tables.aligned([columns, *([row.get(column, "") for column in columns] for row in rows)])
    more = len(results) - SHOWN
    return text + (f"\n... and {more:,} more" if more > 0 else "")


def _rank(result: dict) -> tuple[bool, float]:
    found = value(result)
    if found is None:
        return True, 0.0
    return False, found if next(iter(result["scores"])) in LOWER_IS_BETTER else -found


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is damaged ({error}): expected what tfdfm.search writes. Remove it.") from None
