"""The training command in this process: what a second command may change, several seeds, disks that refuse."""

import os
import re
import resource
import signal

import commands
import pytest

from tfdfm import cli, recipes, train
from tfdfm.data import describe
from tfdfm.errors import Failure, UsageError
from tfdfm.recipes.keys import unused
from tfdfm.runs import run


def execute(*arguments, **changes):
    """Three steps of the toy unless told otherwise."""
    flags = commands.flags(**{"steps": 3, "log_every": 1, "jit": "off"} | changes)
    return train.main(cli.parse(["train", *flags, *map(str, arguments)], train.define, ""))


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A run of three steps."""
    path = tmp_path_factory.mktemp("runs") / "run"
    assert execute(f"--run_dir={path}") == 0
    return path


def test_a_run_leaves_what_it_promises(run_dir):
    assert {path.name for path in run_dir.iterdir()} == {
        "config.json", "starts.jsonl", "warnings.jsonl", "checkpoints", "metrics.jsonl", "samples", "tensorboard",
    }  # fmt: skip
    assert [row["step"] for row in commands.lines(run_dir)] == [1, 2, 3]
    assert {"generator/dfm", "discriminator/accuracy_data", "images_seen", "images_per_second"} <= set(
        commands.lines(run_dir)[0]
    )
    assert [path.name for path in (run_dir / "samples").iterdir()] == ["step_0000003.png"]
    assert commands.checkpoints(run_dir)[-1].name == "0000003"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"optimizer__learning_rate": 1e-3}, "optimizer.learning_rate: 0.0002 -> 0.001"),
        ({"batch_size": 16}, "batch_size: 8 -> 16"),
        ({"terms": "nonsaturating"}, r"terms: \('nonsaturating', 'dfm'\) -> \('nonsaturating',\)"),
        ({"steps": 2}, "steps: 3 -> 2"),
        ({"seed": 1, "precision": "mixed_bfloat16"}, "precision: .*; seed: 0 -> 1"),
        ({"dataset": "mnist"}, "dataset: 'digits' -> 'mnist'"),
    ],
)
def test_a_changed_key_is_listed_and_nothing_is_touched(run_dir, monkeypatch, changes, named):
    if "dataset" in changes:
        monkeypatch.setattr(run.data, "describe", lambda *_: describe("digits"))
        digits = run.data.load("digits")
        monkeypatch.setattr(run.data, "load", lambda *_, **__: digits)
    before = (run_dir / "config.json").read_text()
    with pytest.raises(UsageError, match=f"only steps may grow: .*{named}"):
        execute(f"--run_dir={run_dir}", **changes)
    assert (run_dir / "config.json").read_text() == before


def test_a_finished_run_is_left_alone_and_more_steps_go_on(tmp_path, caplog):
    caplog.set_level("INFO", logger="absl")
    execute(f"--run_dir={tmp_path}")
    before = (tmp_path / "metrics.jsonl").read_bytes()
    execute(f"--run_dir={tmp_path}")
    assert "Already at step 3 of 3" in caplog.text and (tmp_path / "metrics.jsonl").read_bytes() == before
    execute(f"--run_dir={tmp_path}", steps=5)
    assert "Going on from step 3 of 5" in caplog.text
    assert [row["step"] for row in commands.lines(tmp_path)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("damage", [lambda text: text[:-30], lambda text: text.replace('"steps": 3', '"steps": "x"')])
def test_a_damaged_config_stops_the_resume(tmp_path, damage):
    execute(f"--run_dir={tmp_path}", terms="nonsaturating")
    path = tmp_path / "config.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(UsageError, match=f"^{path} is damaged"):
        execute(f"--run_dir={tmp_path}", terms="nonsaturating")


def test_any_steps_run_whatever_the_length_of_a_call(tmp_path):
    """Twelve steps in calls of one; and two, then ten more as 3 x 1, 5, 2 x 1: the same to the bit."""
    execute(f"--run_dir={tmp_path / 'one'}", steps=12, log_every=5)
    for steps in (2, 12):
        execute(f"--run_dir={tmp_path / 'five'}", steps=steps, log_every=5, steps_per_execution=5)
    states = [commands.state(commands.checkpoints(tmp_path / name)[-1]) for name in ("one", "five")]
    assert states[0] == states[1]
    assert [row["step"] for row in commands.lines(tmp_path / "five")] == [2, 5, 10, 12]
    assert [path.name for path in commands.checkpoints(tmp_path / "five")] == ["0000002", "0000012"]


def test_each_seed_has_a_run_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert execute("--config=digits_conditional", "--seeds=0,2") == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        "digits_conditional-seed0",
        "digits_conditional-seed2",
    ]
    one, two = (commands.state(commands.checkpoints(path)[-1]) for path in (tmp_path / "runs").iterdir())
    assert one["generator/000.kernel"] != two["generator/000.kernel"]


def test_a_signal_in_the_last_step_of_the_last_seed_is_an_end_like_any_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "train", lambda config, *_: run.Stopped(signal.SIGTERM, config.steps))
    assert execute() == 0
    assert execute("--seeds=0,1") == 128 + signal.SIGTERM
    assert re.fullmatch(r"Stopped by SIGTERM at step 3; the same .*\n", capsys.readouterr().out)


@pytest.mark.parametrize("name", recipes.names() if os.environ.get("TFDFM_TEST_ALL") else sorted(recipes.names())[6::8])
def test_a_dry_run_of_every_recipe_needs_no_data(monkeypatch, capsys, name):
    monkeypatch.setattr(run.data, "load", None)
    needless = unused(recipes.recipe(name).terms) | {"ema_decay"}
    small = {key: value for key, value in commands.TOY.items() if key.split(".")[0] not in needless}
    if recipes.recipe(name).generator.network == "NoisePlanes":  # its latents are as many as it has noise
        del small["latent_size"]
    if recipes.recipe(name).generator.network == "R3GAN":
        small |= {"generator.group": 4, "discriminator.group": 4}
    flags = [f"--config.{key}={value}" for key, value in small.items()]
    where = ["--dataset=imagenet128"] if name == "custom" else []
    assert train.main(cli.parse(["train", f"--config={name}", "--dry_run", *flags, *where], train.define, "")) == 0
    assert re.search(r"generator +[\d,]+ weights", capsys.readouterr().out)


def test_a_full_disk_is_one_line(tmp_path):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        execute(f"--run_dir={tmp_path / 'other'}")  # whatever else is written once
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))
        with pytest.raises(Failure, match=f"^Cannot write {tmp_path / 'run'}.*the same command goes on"):
            execute(f"--run_dir={tmp_path / 'run'}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)
    execute(f"--run_dir={tmp_path / 'run'}")
    commands.assert_same(tmp_path / "run", tmp_path / "other")


def test_a_run_directory_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Failure, match=r"^Cannot write \S+/file/run: .*--run_dir"):
        execute(f"--run_dir={tmp_path / 'file' / 'run'}")
    if os.getuid():  # root may write anywhere
        (tmp_path / "closed").mkdir(mode=0o500)
        with pytest.raises(Failure, match=r"^Cannot write \S+/closed/run: Permission denied"):
            execute(f"--run_dir={tmp_path / 'closed' / 'run'}")


@pytest.mark.parametrize("distribution", ["none", "mirrored"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"terms": "feature_matching_game,feature_matching"}, "Two terms of this recipe both have a feature_matching"),
        ({"terms": "nonsaturating,pull_away", "batch_size": 2}, "compares samples, given one a replica"),
    ],
)
def test_mistakes_of_a_recipe_end_before_there_is_a_run(tmp_path, distribution, changes, message):
    if "batch_size" in changes and distribution == "none":
        changes = changes | {"batch_size": 1}
    with pytest.raises(UsageError, match=message):
        execute(f"--run_dir={tmp_path / 'run'}", f"--distribution={distribution}", **changes)
    assert not (tmp_path / "run").exists()
