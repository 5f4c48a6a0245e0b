import json

import numpy as np
import pytest

from tfdfm.reporting import curves


def lines(values, **more):
    return [{"step": 10 * i, "images_seen": 640 * i, "loss": value} | more for i, value in enumerate(values)]


def test_a_spike_and_a_gap_of_half_a_million_lines_are_still_there():
    values = np.sin(np.arange(500_000) / 1e4)
    values[123_457], values[400_001] = 1e6, -1e6
    values[250_000:250_300] = np.nan
    kept = curves.thinned(values)
    assert len(kept) <= 3 * curves.BUCKETS and (np.diff(kept) > 0).all()
    assert {0, 123_457, 400_001, 499_999} <= set(kept.tolist())
    assert np.isnan(values[kept]).any() and np.nanmax(values[kept]) == 1e6


def test_short_curves_are_kept_whole():
    assert curves.thinned(np.arange(2 * curves.BUCKETS)).tolist() == list(range(2 * curves.BUCKETS))


def test_a_key_that_comes_now_and_then_has_its_own_lines_and_null_is_a_gap():
    rows = lines([1.23456789, None, 3.0])
    rows[2]["score/ms_ssim"] = 0.5
    rows[1]["note"] = "text"
    found = curves.curves(rows)
    assert found.keys() == {"loss", "score/ms_ssim"}
    assert found["score/ms_ssim"] | {"value": None} == {
        "step": [20], "seen": [1280], "value": None, "first": 0.5, "last": 0.5, "least": 0.5, "largest": 0.5
    }  # fmt: skip
    assert found["loss"]["value"] == [1.23457, None, 3.0]
    assert [found["loss"][name] for name in ("first", "last", "least", "largest")] == [1.23457, 3, 1.23457, 3]
    json.dumps(found, allow_nan=False)


def test_a_curve_without_any_number_has_no_ends():
    found = curves.curves(lines([None, None]))["loss"]
    assert found["value"] == [None, None] and found["last"] is None


@pytest.mark.parametrize("count", [0, 1])
def test_few_lines(count):
    assert list(curves.curves(lines([1.0] * count))) == ["loss"] * count
