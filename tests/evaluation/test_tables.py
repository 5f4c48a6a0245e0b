"""Scores on disk and side by side: which numbers compare."""

import json

import numpy as np
import pytest

from tfdfm.errors import Failure, UsageError
from tfdfm.evaluation import records, tables

CLASSIFIER = {"name": "dataset", "checksum": "a" * 64, "accuracy": 0.861, "resize": "none"}
REFERENCE = {"name": "cifar10", "images": 50_000, "content": "b" * 64}


def frechet(value: float, samples: int = 5000, of: str = "run") -> dict:
    about = {"samples": samples, "classifier": CLASSIFIER, "reference": REFERENCE}
    return {"frechet_distance": {"value": value, **about, "of": {"run": of, "seed": 0}}}


@pytest.fixture
def run(tmp_path):
    """A run with scores of one step."""

    def make(name: str, *scores: dict, step: int = 100, **config):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        seed = int(name[-1])
        (folder / "config.json").write_text(
            json.dumps({"seed": seed, "batch_size": 64, "n_critic": 1, "steps": step, **config})
        )
        for each in scores:
            records.write(folder / "evaluation" / f"{step}.json", each, {})
        return folder

    return make


def cells(table: str) -> list[list[str]]:
    return [line.split("  ") for line in table.splitlines()]


def test_seeds_of_a_recipe_are_one_row_with_mean_and_standard_deviation(run):
    values = [10.0, 12.0, 17.0]
    dfm = [run(f"cifar10-seed{seed}", frechet(value), terms=["dfm"]) for seed, value in enumerate(values)]
    other = run("cifar10_gan-seed0", frechet(30.0), terms=[])
    lines = tables.of_runs([*dfm, other]).splitlines()
    assert lines[0].split() == ["images", "seen", "runs", "frechet_distance", "[1]"]
    assert lines[1].split() == ["cifar10", "6,400", "3", "13", "±", f"{np.std(values, ddof=1):.2g}"]
    assert lines[2].split() == ["cifar10_gan", "6,400", "1", "30"]
    assert lines[4] == "[1] classifier dataset (86.1%, aaaaaaaa), reference cifar10 (50,000, bbbbbbbb), samples 5,000"


def test_numbers_of_other_conditions_are_other_columns(run):
    one, other = run("a-seed0", frechet(1.0)), run("a-seed1", frechet(2.0, samples=10_000))
    lines = tables.of_runs([one, other]).splitlines()
    assert lines[0].count("frechet_distance") == 2
    assert "±" not in lines[1]
    assert lines[3].endswith("samples 5,000") and lines[4].endswith("samples 10,000")


def test_other_settings_and_other_steps_are_other_rows(run):
    made = [
        run("a-seed0", frechet(1.0)),
        run("a-seed1", frechet(2.0), sigma=2.0),
        run("a-seed2", frechet(3.0), step=200),
    ]
    lines = tables.of_runs(made).splitlines()
    assert [line.split()[0:2] for line in lines[1:4]] == [["a", "6,400"], ["a", "6,400"], ["a", "12,800"]]


def test_the_last_step_counts_and_what_lies_beside_it(run):
    folder = run("a-seed0", frechet(5.0), step=9)
    run("a-seed0", frechet(1.0), frechet(2.0, samples=10_000), step=100)
    assert {path.name for path in (folder / "evaluation").iterdir()} == {"9.json", "100.json", "100-1.json"}
    assert [each.record["value"] for each in records.of_run(folder)] == [5.0, 1.0, 2.0]
    assert tables.of_runs([folder]).splitlines()[1].split() == ["a", "6,400", "1", "1", "2"]


def test_two_records_compare_exactly_when_all_but_result_and_subject_agree():
    (one,), (two,) = frechet(1.0).values(), frechet(2.0, of="other").values()
    assert records.conditions(one) == records.conditions(two)
    for key, value in {"samples": 1, "classifier": {}, "reference": {}, "splits": 3}.items():
        assert records.conditions(one) != records.conditions({**two, key: value})


def test_nothing_is_lost_and_nothing_is_nan(tmp_path):
    path = tmp_path / "evaluation" / "1.json"
    records.write(path, {"joint": {"value": float("nan"), "classes": {"a": [1.0, float("inf")]}}}, {})
    assert records.read(path) == {"joint": {"value": None, "classes": {"a": [1.0, None]}}}
    for number in range(3):
        records.write(path, frechet(1.0, samples=number), {})
    assert sorted(p.name for p in path.parent.iterdir()) == ["1-1.json", "1-2.json", "1.json"]
    assert records.read(path.with_name("1-1.json")).keys() == {"joint", "frechet_distance"}


def test_damage_and_runs_without_scores_are_one_line(tmp_path, run):
    with pytest.raises(UsageError, match="has no scores: python -m tfdfm.evaluate --run_dir="):
        tables.of_runs([run("a-seed0")])
    folder = run("b-seed0", frechet(1.0))
    (folder / "evaluation" / "100.json").write_text("{")
    with pytest.raises(Failure, match="100.json is damaged"):
        tables.of_runs([folder])
    (folder / "evaluation" / "100.json").write_text(json.dumps({"x": 3}))
    with pytest.raises(Failure, match="100.json is damaged"):
        records.write(folder / "evaluation" / "100.json", frechet(1.0), {})
    folder = run("c-seed0", frechet(1.0))
    (folder / "config.json").unlink()
    with pytest.raises(UsageError, match="Expected runs of tfdfm.train in --compare, given .*c-seed0"):
        tables.of_runs([folder])


def test_a_table_of_one_evaluation():
    spread = {"inception_score": {"value": 5.123456, "spread": 0.04, "samples": 50_000, "classifier": CLASSIFIER}}
    lines = tables.of_scores(frechet(31.23456) | spread).splitlines()
    assert lines[0].split() == ["value", "spread", "samples", "classifier", "reference"]
    assert lines[1].split()[:3] == ["frechet_distance", "31.23", "5,000"] and "cifar10 (50,000" in lines[1]
    assert lines[2].split()[:4] == ["inception_score", "5.123", "0.04", "50,000"]
