"""Paired differences against a count by hand, the counterpart of a setting, failed seeds, what does not compare."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tfdfm import cli, recipes, search
from tfdfm.errors import UsageError
from tfdfm.searching import drawing, paired

IMPORT = Path(__file__).parents[2] / "tools" / "import_search.py"


def result(seed, distance, score=1.0, seconds=2.0, judge="a", **keys):
    scores = {"frechet_distance": distance, "inception_score": score}
    scores = {name: {"value": value, "classifier": judge} for name, value in scores.items()}
    failed = distance is None
    return {
        "settings": {"seed": seed, **keys},
        "failed": "Step 3: ..." if failed else None,
        "scores": {} if failed else scores,
        "seconds": seconds,
        "images_seen": 1,
    }


TWIN = [result(0, 5.0), result(1, 9.0), result(2, 7.0)]
BETTER = [result(2, 4.0, 1.5, 4.0), result(0, 3.0, 0.5, 4.0), result(1, 6.0, 1.0, 4.0)]


def test_a_count_by_hand():
    distance, score = paired.compare({"twin": TWIN, "dfm": BETTER})
    assert (distance.label, distance.score, distance.seeds) == ("dfm", "frechet_distance", [0, 1, 2])
    assert distance.first == [5, 9, 7] and distance.other == [3, 6, 4] and distance.seconds == (2, 4)
    np.testing.assert_array_equal(distance.differences, [-2, -3, -3])
    assert distance.low == -3 and distance.high == pytest.approx(-2.0)  # three times -2: one in 27
    assert paired.verdict(distance) == "better" and paired.verdict(score) == "open"
    shown = paired.text([distance, score], "twin").splitlines()
    assert shown[0].split() == ["score", "seeds", "twin", "this", "difference", "95", "%", "seconds"]
    assert shown[1].split()[:6] == ["dfm", "frechet_distance", "3", "7", "4.333", "-2.667"]


def test_the_interval_is_as_wide_as_the_seeds_differ():
    """Of many normal differences it is that of their mean: 1.96 standard errors to each side."""
    drawn = np.random.default_rng(1).normal(3.0, 2.0, 400)
    low, high = paired.interval(drawn)
    error = 1.96 * np.std(drawn) / 20
    assert [low, high] == pytest.approx([drawn.mean() - error, drawn.mean() + error], abs=0.02)
    assert (low, high) == paired.interval(drawn)


def test_settings_are_held_against_the_one_that_agrees():
    twins = [result(seed, 1.0 + rate, rate=rate) for seed in (0, 1) for rate in (1, 2)]
    others = [result(seed, 10.0 * rate, rate=rate, weight=w) for seed in (0, 1) for rate in (1, 2) for w in (3, 4)]
    made = [one for one in paired.compare({"twin": twins, "dfm": others}) if one.score == "frechet_distance"]
    assert {one.label: one.differences.tolist() for one in made} == {
        f"dfm, rate={rate}, weight={w}": [9.0 * rate - 1.0] * 2 for rate in (1, 2) for w in (3, 4)
    }
    assert {paired.verdict(one) for one in made} == {"worse"}
    with pytest.raises(UsageError, match="Expected one setting of twin that agrees with dfm, found 2"):
        paired.compare({"twin": twins, "dfm": BETTER})


def test_a_seed_that_failed_is_told_and_left_out():
    one, _ = paired.compare({"twin": TWIN, "dfm": [result(0, None), BETTER[0], BETTER[2]]})
    assert one.seeds == [1, 2] and one.failed == [0]
    assert "1 failed" in paired.text([one], "twin")


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({}, "Expected two searches or more"),
        ({"dfm": [result(0, 1.0), result(9, 1.0)]}, "Expected two seeds or more that dfm shares .* found 1"),
        ({"dfm": [result(seed, 1.0, judge="b") for seed in (0, 1)]}, "frechet_distance of dfm .* differ in samples"),
        ({"dfm": [{**result(0, 1.0), "settings": {"weight": 1}}]}, "make dfm with --grid.seed=0,1,2,3,4"),
    ],
)
def test_what_does_not_compare_is_refused(others, message):
    with pytest.raises(UsageError, match=message):
        paired.compare({"twin": TWIN, **others})


def test_the_command_writes_the_picture_and_all_seeds_of_searches_made_by_0_1(tmp_path, capsys):
    about = {
        "recipe": recipes.check(recipes.recipe("digits")).to_dict(),
        "scoring": {"metrics": ["frechet_distance"], "samples": 20},
    }
    for name, results in (("twin", TWIN), ("dfm", BETTER)):
        for number, one in enumerate([*results, result(7, None)]):
            (tmp_path / name / str(number)).mkdir(parents=True)
            (tmp_path / name / str(number) / "result.json").write_text(json.dumps(one))
        (tmp_path / name / "search.json").write_text(json.dumps(about))
        command = [sys.executable, IMPORT, tmp_path / name]
        said = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(2)]
        assert "Imported 4 of 4 settings" in said[0] and "Imported 0 of 4" in said[1]
    flags = [f"--paired={tmp_path / 'twin'},{tmp_path / 'dfm'}", f"--out={tmp_path / 'a.png'}"]
    search.main(cli.parse(["", *flags, f"--json={tmp_path / 'a.json'}"], search.define, ""))
    written = json.loads((tmp_path / "a.json").read_text())
    assert [one["other"] for one in written] == [[3, 6, 4], [0.5, 1, 1.5]] and written[0]["difference"] == -8 / 3
    assert (
        written[0]["failed"] == [7]
        and "1 failed" in capsys.readouterr().out
        and (tmp_path / "a.png").stat().st_size > 5_000
    )


def test_the_picture_has_a_line_for_each_setting():
    few, more = (drawing.pairs(paired.compare({"twin": TWIN, "dfm": BETTER} | extra)) for extra in ({}, {"z": BETTER}))
    assert more.shape[0] > few.shape[0] and more.shape[1:] == few.shape[1:]
