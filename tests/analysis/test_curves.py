import json
from types import SimpleNamespace

import numpy as np
import pytest

from tfdfm.analysis.views import curves
from tfdfm.errors import UsageError


def run(name, *lines):
    return SimpleNamespace(name=name, lines=[{"step": i, "images_seen": 64 * i} | line for i, line in enumerate(lines)])


FALLING = run("falling", *({"a/loss": 100.0 - i, "note": "x", "a/none": None} for i in range(100)))
OTHER = run("other", {"a/loss": 3.0, "score/ms_ssim": 0.5}, {"a/loss": 5.0})


def test_numbers_are_those_of_the_lines():
    found = curves.draw([FALLING, OTHER]).numbers
    assert found["falling"] == {
        "a/loss": {"first": 100, "last": 1, "least": 1, "largest": 100, "mean_of_last_tenth": 5.5}
    }
    assert found["other"]["a/loss"]["last"] == 5 and found["other"]["score/ms_ssim"]["first"] == 0.5


def test_the_thick_line_passes_over_a_spike():
    lines = [{"a/loss": 1.0} for _ in range(100)]
    lines[50] = {"a/loss": 9.0}
    drawn = []
    curves._draw(
        SimpleNamespace(plot=lambda x, y, **how: drawn.append(y)),
        np.arange(100),
        *[np.array([line["a/loss"] for line in lines])],
        color="C0",
        label="",
    )
    raw, smooth = drawn
    assert raw.max() == 9 and smooth.max() == 1


def test_a_key_that_no_run_has_is_named():
    with pytest.raises(UsageError, match="Expected keys of metrics.jsonl, a/loss, score/ms_ssim, given b/loss"):
        curves.draw([FALLING, OTHER], keys="a/loss,b/loss")


def test_the_command_lays_two_runs_over_one_another(made, view, tmp_path):
    runs = made("plain"), made("conditional", conditional=True)
    picture, about = view(
        f"--run_dir={runs[0]},{runs[1]}", "--view=curves", "--view.keys=generator/dfm,discriminator/data"
    )
    lines = [json.loads(line) for line in (runs[1] / "metrics.jsonl").read_text().splitlines()]
    assert about["found"]["conditional"]["generator/dfm"]["last"] == lines[-1]["generator/dfm"]
    assert about["found"].keys() == {"plain", "conditional"} and picture.shape == (240, 1200, 3)


def test_runs_of_one_name_and_runs_without_lines_are_refused(made, view, tmp_path):
    with pytest.raises(UsageError, match="different names, given plain, plain"):
        view(f"--run_dir={made('plain')},{made('plain')}", "--view=curves")
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "config.json").write_bytes((made("plain") / "config.json").read_bytes())
    with pytest.raises(UsageError, match="lines in its metrics.jsonl, found none in"):
        view(f"--run_dir={empty}", "--view=curves")
