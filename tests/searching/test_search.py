"""The command on the digits, with toy networks and a random classifier: nothing runs twice, nothing is lost."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import types

import commands
import optuna
import pytest
import tensorflow as tf

from tfdfm import cli, search
from tfdfm.errors import Failure, UsageError
from tfdfm.searching import loop, results, storage

RECIPE = """
from tfdfm.recipes import recipe

def get_config():
    config = recipe("mnist_ebgan")
    config.dataset, config.steps, config.latent_size, config.jit = "digits", 3, 4, "off"
    config.generator.depth, config.generator.width, config.discriminator.width = 2, 4, 4
    config.log_every, config.checkpoint_every = 1, 20
    return config

def get_grid():
    return {"seed": (0, 1, 2)}
"""


@pytest.fixture
def arguments(classifier, tmp_path):
    """Of a search of three steps in tmp_path / "here"."""
    recipe = tmp_path / "toy.py"
    recipe.write_text(RECIPE)

    def make(*more) -> list[str]:
        where = f"--search_dir={tmp_path / 'here'}"
        return [f"--config={recipe}", f"--classifier={classifier}", "--samples=20", where, *more]

    return make


@pytest.fixture
def find(arguments):
    """The command, in this process."""

    def run(*more):
        search.main(cli.parse(["search", *arguments(*more)], search.define, ""))

    return run


@pytest.fixture
def start(arguments):
    """The command as a process of its own."""
    started = []

    def run(*more):
        command = [sys.executable, "-m", "tfdfm.search", *arguments(*more)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def study(folder) -> optuna.Study | None:
    kept = storage.opened(folder / "here", None, write=False)
    return kept and optuna.load_study(study_name="here", storage=kept)


def found(folder) -> dict[str, dict]:
    """{folder of a setting: its result}"""
    trials = results.named(study(folder)).values() if study(folder) else ()
    return {trial.user_attrs["folder"]: trial.user_attrs for trial in trials if trial.state.is_finished()}


def drawn(folder) -> dict[str, dict]:
    """{name of a draw: its settings}"""
    return {one["name"]: one["settings"] for one in found(folder).values()}


def test_every_setting_is_trained_scored_and_written_down(find, tmp_path, capsys):
    find(
        "--num=2",
        "--grid.generator.width=4,8",
        "--config.generator.width=8",
        "--metrics=ms_ssim,modified_inception_score",
    )
    settings = [one["settings"] for one in found(tmp_path).values()]
    assert len({one["seed"] for one in settings}) == 2 and {one["generator.width"] for one in settings} == {8}
    for name, one in found(tmp_path).items():
        assert one["failed"] is None and one["images_seen"] == 3 * 64 and one["seconds"] > 0
        assert (
            list(one["scores"]) == ["ms_ssim", "modified_inception_score"] and one["scores"]["ms_ssim"]["samples"] == 20
        )
        config = json.loads((tmp_path / "here" / name / "config.json").read_text())
        assert config["seed"] == one["settings"]["seed"] and config["generator"]["width"] == 8
        assert not (tmp_path / "here" / name / "checkpoints").exists()
    header, *lines = capsys.readouterr().out.splitlines()[-3:]
    assert header.split() == ["ms_ssim", "modified_inception_score", "seconds", "seed", "generator.width"]
    values = [float(line.split()[0]) for line in lines]
    assert values == sorted(values)  # the less similar the better


def test_a_larger_part_adds_to_a_smaller_one(find, tmp_path, monkeypatch):
    find("--num=1")
    first = found(tmp_path)
    find("--num=2")
    assert len(found(tmp_path)) == 2 and first.items() <= found(tmp_path).items()
    monkeypatch.setattr(loop.run, "train", None)
    find("--num=2")  # trains nothing


def test_a_setting_that_diverges_is_a_result_and_not_tried_again(find, tmp_path, monkeypatch, capsys):
    axes = ["--grid.seed=0", "--grid.optimizer.learning_rate=1e-3,1e38"]
    find(*axes)
    one = next(one for one in found(tmp_path).values() if one["settings"]["optimizer.learning_rate"] > 1)
    assert re.match(r"Step \d: the (loss|variable) .* is not finite", one["failed"]) and one["scores"] == {}
    assert "is not finite" in capsys.readouterr().out.splitlines()[-1]
    monkeypatch.setattr(loop.run, "train", None)
    find(*axes)


def test_any_other_failure_ends_the_search_and_is_tried_again(find, tmp_path, monkeypatch):
    def full(*_, **__):
        raise Failure("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(loop.run, "train", full)
        with pytest.raises(Failure, match="No space"):
            find("--num=1")
    assert found(tmp_path) == {}
    find("--num=1")
    assert len(found(tmp_path)) == 1


def test_told_to_stop_in_the_middle_it_gives_the_setting_back(find, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", logger="absl")
    with monkeypatch.context() as patch:
        patch.setattr(loop.run, "train", lambda *_, **__: loop.run.Stopped(signal.SIGTERM, 2))
        with pytest.raises(SystemExit, match="143"):
            find("--num=1")
    with monkeypatch.context() as patch:  # between trainings
        patch.setattr(loop.scores, "evaluate", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(SystemExit, match="143"):
            find("--num=1")
    assert found(tmp_path) == {} and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    find("--num=1")
    assert "Already at step 3 of 3" in caplog.text and len(found(tmp_path)) == 1


def test_two_processes_share_the_settings(start, tmp_path):
    both = [start("--num=2") for _ in range(2)]
    said = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    made = found(tmp_path)
    assert len(made) == 2 and len({one["settings"]["seed"] for one in made.values()}) == 2
    for name in made:
        assert sum(text.count(f"/{name}: seed=") for text in said) == 1, said
        assert len(commands.lines(tmp_path / "here" / name)) == 3


def test_another_finishes_what_a_killed_process_began(start, find, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", logger="absl")
    process = start("--num=2", "--config.steps=200")
    while not (saved := [path for path in tmp_path.glob("here/*/checkpoints/*") if path.name.isdigit()]):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()
    process.wait()
    begun = saved[0].parents[1]
    assert begun.name not in found(tmp_path)
    monkeypatch.setattr(storage, "BEAT", 0.1)
    monkeypatch.setattr(storage, "LEASE", 1.0)
    find("--num=2", "--config.steps=200")
    assert len(found(tmp_path)) == 2 and "Going on from step" in caplog.text
    states = [t.state.name for t in study(tmp_path).trials if t.user_attrs["folder"] == begun.name]
    assert states == ["FAIL", "COMPLETE"]
    assert [row["step"] for row in commands.lines(begun)] == list(range(1, 201))


def test_draws_from_ranges_follow_from_those_before(find, tmp_path, monkeypatch):
    """And one that was stopped goes on with its values."""
    axes = ["--grid.optimizer.learning_rate=1e-5..1e-3:log", "--grid.generator.width=2..6", "--grid.flip=true,false"]
    with monkeypatch.context() as patch:
        patch.setattr(loop.run, "train", lambda *_, **__: loop.run.Stopped(signal.SIGTERM, 2))
        with pytest.raises(SystemExit, match="143"):
            find(*axes, "--num=2")
    begun = study(tmp_path).trials[0].user_attrs["settings"]
    find(*axes, "--num=2")
    first = drawn(tmp_path)
    assert first["draw-0"] == begun and len(first) == 2
    find(*axes, "--num=2", f"--search_dir={tmp_path / 'again' / 'here'}")
    assert drawn(tmp_path / "again") == first
    find(*axes, "--num=3")
    assert len(drawn(tmp_path)) == 3 and first.items() <= drawn(tmp_path).items()
    for one in drawn(tmp_path).values():
        assert 1e-5 <= one["optimizer.learning_rate"] <= 1e-3 and 2 <= one["generator.width"] <= 6
        assert type(one["generator.width"]) is int and type(one["flip"]) is bool
    assert len({one["optimizer.learning_rate"] for one in drawn(tmp_path).values()}) == 3
    with pytest.raises(
        UsageError, match="another recipe or scoring: ranges: .*generator.width=.2, 6.*generator.width=.2, 7"
    ):
        find(*axes, "--grid.generator.width=2..7", "--num=3")


def test_workers_share_the_settings_in_a_database(start, tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    process = start("--workers=2", "--num=2", f"--storage={url}")
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert (
        said.count(": seed=") == 2
        and said.count("2 settings in") == 3
        and said.count("modified_inception_score  ") == 1
    )
    assert not (tmp_path / "here" / storage.JOURNAL).exists()
    assert len(results.read(tmp_path / "here", url)) == 2


def test_workers_are_told_to_stop_and_their_failures_are_one(start, tmp_path):
    process = start("--workers=2", "--num=2", "--config.steps=100000")
    while len({path.parents[1] for path in tmp_path.glob("here/*/checkpoints/0*")}) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.terminate()
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 143 and said.count("Stopped by SIGTERM; the same command goes on") == 2, said
    assert {trial.state.name for trial in study(tmp_path).trials} == {"FAIL"}
    (tmp_path / "here" / "checkpoints").mkdir()
    for run_dir in tmp_path.glob("here/*/config.json"):
        run_dir.write_text("{")
    process = start("--workers=2", "--num=2", "--config.steps=100000")
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1 and "2 of 2 workers failed" in said, said


def test_a_run_that_scores_worse_than_most_is_pruned(find, tmp_path, monkeypatch, capsys):
    """Of six, the median of the five before decides; it is a result, and not tried again."""

    def train(config, run_dir, data_dir, more):
        run_dir.mkdir()
        row = {"step": 2, "images_seen": 128, "score/ms_ssim": 0.9 if config.seed == 5 else 0.1 * config.seed}
        (run_dir / "metrics.jsonl").write_text(json.dumps(row) + "\n")
        more[0].set_model(types.SimpleNamespace(step=tf.constant(2)))
        more[0].on_train_batch_end(0, row)

    monkeypatch.setattr(loop.run, "train", train)
    monkeypatch.setattr(loop, "_score", lambda _, run_dir: {"ms_ssim": {"value": 0.5}})
    command = ["--prune", "--metrics=ms_ssim", "--config.score_every=1", "--grid.generator.network=DCGAN"]
    find(*command, "--grid.seed=0,1,2,3,4")
    find(*command, "--grid.seed=5")
    assert "Pruned at step 2: score/ms_ssim 0.9." in capsys.readouterr().out.splitlines()[-1]
    assert [one["failed"] is None for one in found(tmp_path).values()] == [True] * 5 + [False]
    monkeypatch.setattr(loop.run, "train", None)
    find(*command, "--grid.seed=5")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--grid.seeed=0,1"], "Unknown key 'seeed'. Did you mean 'seed'"),
        (["--grid.seed=0,x"], "to be of type int.*given 'x'"),
        (["--grid.seed"], "or --grid.KEY=LOW..HIGH, given --grid.seed"),
        (["--config=digits"], "digits has no grid of its own: set an axis by --grid.KEY"),
        (
            ["--grid.optimizer.learning_rate=1e-3..1e-5", "--num=2"],
            "of rising numbers, above 0 with :log. Given 1e-3..1e-5",
        ),
        (["--grid.seed=0..4:log", "--num=2"], "above 0 with :log. Given 0..4:log"),
        (["--grid.terms=a..b", "--num=2"], "Expected"),
        (["--grid.seed=0..4"], "Expected --num, how many settings to draw from the range of seed"),
        (["--prune"], "Expected --config.score_every above 0 and --metrics to begin with one.*Given 0 and modified"),
        (["--storage=mysterydb://here"], "Expected dialect.driver.* in --storage. Given mysterydb://here: .*plugin"),
        (["--num=4"], "at most 3, the settings of this grid. Given 4"),
        (["--grid.generator.width=4,0"], "generator.width to be at least 1, given 0"),
        (["--metrics=inception"], "Unknown metric 'inception'.*inception_score"),
        (["--classifier=nobody"], "Unknown classifier 'nobody'"),
        (
            ["--config.terms=hinge", "--grid.discriminator.network=Projected", "--classifier=efficientnet_lite0"],
            "discriminator, Projected, did not look through: .* Set --classifier",
        ),
        (["--histogram=a"], "Expected one of --config, --histogram and --paired"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(find, tmp_path, more, expected):
    with pytest.raises(UsageError, match=expected):
        find(*more)
    assert not (tmp_path / "here").exists()


def test_a_directory_holds_one_search(find, tmp_path):
    find("--num=1")
    assert len(study(tmp_path).user_attrs["scoring"]["classifier"]["checksum"]) == 64
    with pytest.raises(UsageError, match="another recipe or scoring: recipe.steps: 3 -> 4; scoring.samples: 20 -> 30"):
        find("--num=1", "--samples=30", "--config.steps=4")
    find("--grid.seed=7")  # another setting of it
    assert {one["settings"]["seed"] for one in found(tmp_path).values()} > {7}


def test_scoring_that_cannot_work_may_be_corrected(find, tmp_path, caplog):
    caplog.set_level("INFO", logger="absl")
    with pytest.raises(UsageError, match="modified_inception_score: Expected at least 10 samples"):
        find("--num=1", "--samples=5")
    find("--num=1")
    assert "Already at step 3 of 3" in caplog.text and len(found(tmp_path)) == 1


def test_histograms_of_what_was_found(find, tmp_path, capsys):
    find("--num=2")
    out = tmp_path / "histogram.png"
    flags = [f"--histogram={tmp_path / 'here'}", "--by=seed", f"--out={out}"]
    search.main(cli.parse(["search", *flags], search.define, ""))
    assert "100.0 %" in capsys.readouterr().out
    assert tf.io.decode_png(out.read_bytes()).shape == (300, 2 * 440, 3)
    with pytest.raises(UsageError, match="results of tfdfm.search in nowhere, found none"):
        search.main(cli.parse(["search", "--histogram=nowhere"], search.define, ""))
