"""Scores as people read them: one evaluation, or many runs and seeds side by side."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from tfdfm.errors import UsageError
from tfdfm.evaluation import records


def of_scores(scores: Mapping[str, dict]) -> str:
    """A line for each score: value, spread, samples, classifier, reference."""
    rows = [("", "value", "spread", "samples", "classifier", "reference")]
    for name, record in scores.items():
        rows.append((name, rounded(record["value"]), rounded(record.get("spread")), *_about(record)))
    return aligned(rows)


def of_runs(run_dirs: Sequence[Path]) -> str:
    """A row for each recipe, its seeds together: mean and standard deviation over them, a column for each score.

    Of each run the last step that was scored counts. Scores of other conditions are other columns, numbered, and the
    numbers are explained below.

    Raises:
        UsageError: a run without scores.
    """
    groups: dict[tuple, dict[str, list]] = {}
    numbers: dict[str, int] = {}
    for run_dir in run_dirs:
        scored = list(records.of_run(run_dir))
        last = max(each.step for each in scored)
        cells = groups.setdefault(_group(run_dir, last), {})
        for _, name, record in (each for each in scored if each.step == last):
            number = numbers.setdefault(json.dumps(records.conditions(record), sort_keys=True), len(numbers) + 1)
            cells.setdefault((name, number), []).append(record["value"])
    columns = sorted({column for cells in groups.values() for column in cells}, key=lambda column: column[::-1])
    rows = [("", "images seen", "runs", *(f"{name} [{number}]" for name, number in columns))]
    for (label, seen, _), cells in groups.items():
        count = str(max(map(len, cells.values())))
        rows.append((label, seen, count, *(_mean(cells.get(column, [])) for column in columns)))
    return "\n".join([aligned(rows), "", *(_explained(number, text) for text, number in numbers.items())])


def _group(run_dir: Path, step: int) -> tuple[str, str, str]:
    """(name, images seen, all settings but seed and steps): equal for the seeds of one recipe."""
    try:
        config = json.loads((run_dir / "config.json").read_text())
        seed, seen = config.pop("seed"), step * config["batch_size"] * config["n_critic"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(
            f"Expected runs of tfdfm.train in --compare, given {run_dir}, which has no good config.json."
        ) from None
    config = {key: value for key, value in config.items() if key not in ("steps", "sha256")}
    return run_dir.name.removesuffix(f"-seed{seed}"), f"{seen:,}", json.dumps(config, sort_keys=True)


def _mean(values: list) -> str:
    """mean ± standard deviation (of a sample: n - 1) over seeds"""
    values = [value for value in values if value is not None]
    if len(values) < 2:
        return rounded(values[0] if values else None)
    return f"{rounded(statistics.mean(values))} ± {rounded(statistics.stdev(values), 2)}"


def _explained(number: int, text: str) -> str:
    about = json.loads(text)
    parts = [f"{key} {_short(value)}" for key, value in about.items()]
    return f"[{number}] " + ", ".join(parts)


def _about(record: Mapping) -> tuple[str, str, str]:
    classifier, reference = (_short(record.get(key, {})) for key in ("classifier", "reference"))
    return f"{record['samples']:,}", classifier, reference


def _short(value) -> str:
    """cifar10 (50,000); dataset (86.1 %)"""
    if not isinstance(value, dict):
        return f"{value:,}" if isinstance(value, int) else str(value)
    if not value:
        return ""
    more = f"{value['images']:,}" if "images" in value else f"{value['accuracy']:.1%}" if "accuracy" in value else ""
    check = value.get("checksum", value.get("content", ""))[:8]
    return f"{value['name']} ({', '.join(part for part in (more, check) if part)})"


def rounded(value: float | None, digits: int = 4) -> str:
    """As many significant digits; nothing for None."""
    return "" if value is None else f"{value:.{digits}g}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines of text, each column as wide as it must be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
