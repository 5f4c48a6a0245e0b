"""What runs logged, as curves of few points that keep every peak."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

BUCKETS = 1000  # of a curve: the least and the largest point of each are kept
_LEFT_OUT = ("step", "images_seen")


def curves(lines: Iterable[Mapping]) -> dict[str, dict]:
    """{key: {"step", "seen", "value": lists of one length, "least", "largest", "first", "last"}} of metrics.jsonl.

    A value of None, where a number was not finite, is a gap; a line without the key is none.
    """
    found: dict[str, list] = {}
    for line in lines:
        place = line["step"], line.get("images_seen", line["step"])
        for key, value in line.items():
            if key not in _LEFT_OUT and (value is None or isinstance(value, int | float)):
                found.setdefault(key, []).append((*place, np.nan if value is None else value))
    return {key: _curve(np.array(points, float)) for key, points in found.items()}


def thinned(values: np.ndarray) -> np.ndarray:
    """int64 [M], ascending: places of the values [N] that are kept, all of 2 BUCKETS at most, first and last always."""
    if len(values) <= 2 * BUCKETS:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), BUCKETS + 1).astype(int)
    kept = [0, len(values) - 1]
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        bucket = values[start:stop]
        gaps = np.isnan(bucket)
        if gaps.any():
            kept.append(start + int(gaps.argmax()))
        if not gaps.all():
            kept += [start + int(np.nanargmin(bucket)), start + int(np.nanargmax(bucket))]
    return np.unique(kept)


def _curve(points: np.ndarray) -> dict:
    """Of points [N, 3]: step, images seen, value."""
    values = points[:, 2]
    finite = values[~np.isnan(values)]
    kept = points[thinned(values)]
    said = {"first": finite[:1], "last": finite[-1:], "least": np.sort(finite)[:1], "largest": np.sort(finite)[-1:]}
    return {
        "step": kept[:, 0].astype(int).tolist(),
        "seen": kept[:, 1].astype(int).tolist(),
        "value": _short(kept[:, 2]),
        **{name: next(iter(_short(one)), None) for name, one in said.items()},
    }


def _short(values: Sequence[float]) -> list[float | None]:
    """Six significant digits, None for a gap."""
    return [None if np.isnan(value) else float(f"{value:.6g}") for value in values]
