"""A run that was ended in any way and started again is bit for bit the run that was not."""

import re
import shutil
import signal
import subprocess
import sys
import time

import commands
import pytest

STEPS = 300
SECONDS = 120  # more than any start takes on a busy machine

MOMENTS = [  # of the file operations below the run directory, the n-th of that kind on a path with that in it
    ("open", "config.json.", 1),  # before anything is there
    ("open", "metrics.jsonl", 9),  # before the first checkpoint
    ("open", "state.sha256", 3),  # half a checkpoint
    ("os.rename", ".writing", 1),  # a whole checkpoint without its name
    ("os.rename", "checkpoints/0", 2),  # an old one on its way out
    ("shutil.rmtree", ".writing", 2),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run that was never stopped."""
    run_dir = tmp_path_factory.mktemp("runs") / "whole"
    commands.run(commands.train(run_dir, steps=STEPS))
    return run_dir


@pytest.fixture
def begun(tmp_path):
    """Starts the command, waits until it trains, sends it a signal and returns its code and output."""
    processes = []

    def begin(run_dir, kind, pause=0.0):
        process = subprocess.Popen(
            commands.train(run_dir, steps=STEPS), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        processes.append(process)
        while "step " not in (line := process.stdout.readline()):
            assert line, "it ended before it trained"
        time.sleep(pause)
        process.send_signal(kind)
        rest, _ = process.communicate(timeout=SECONDS)
        return process.returncode, rest

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_killed_at_any_file_operation_it_ends_as_if_it_was_not(tmp_path, whole):
    run_dir = tmp_path / "run"
    for moment in MOMENTS:
        killer = [sys.executable, commands.__file__, run_dir, *moment]
        commands.run(killer + commands.train(run_dir, steps=STEPS)[2:], code=-signal.SIGKILL)
    commands.run(commands.train(run_dir, steps=STEPS))
    commands.assert_same(run_dir, whole)


@pytest.mark.whole
def test_killed_by_the_clock_it_ends_as_if_it_was_not(tmp_path, whole, begun):
    for pause in (0, 0.3, 0.7):
        code, _ = begun(tmp_path / "run", signal.SIGKILL, pause)
        assert code in (-signal.SIGKILL, 0)
    commands.run(commands.train(tmp_path / "run", steps=STEPS))
    commands.assert_same(tmp_path / "run", whole)


@pytest.mark.whole
def test_the_same_command_twice_gives_the_same_run(tmp_path, whole):
    commands.run(commands.train(tmp_path / "run", steps=STEPS))
    commands.assert_same(tmp_path / "run", whole)


def test_config_json_alone_repeats_the_run(tmp_path, whole):
    copy = shutil.copy(whole / "config.json", tmp_path / "config.json")
    commands.run([sys.executable, "-m", "tfdfm.train", f"--config={copy}", f"--run_dir={tmp_path / 'run'}"])
    commands.assert_same(tmp_path / "run", whole)
    assert (tmp_path / "run" / "config.json").read_text() == copy.read_text()


@pytest.mark.parametrize("kind", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.whole)])
def test_a_signal_saves_and_leaves_and_the_same_command_goes_on(tmp_path, whole, begun, kind):
    code, said = begun(tmp_path / "run", kind)
    assert code == 128 + kind, said
    step = int(
        re.search(rf"^Stopped by {kind.name} at step (\d+); the same command goes on from there\.$", said, re.M)[1]
    )
    assert step < STEPS and commands.checkpoints(tmp_path / "run")[-1].name == f"{step:07d}"
    commands.run(commands.train(tmp_path / "run", steps=STEPS))
    commands.assert_same(tmp_path / "run", whole)


def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(tmp_path, whole):
    commands.run(commands.train(tmp_path / "run", steps=STEPS - 50))
    *_, older, newest = commands.checkpoints(tmp_path / "run")
    data = newest / "state.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1])
    done = commands.run(commands.train(tmp_path / "run", steps=STEPS))
    assert re.search(rf"Checkpoint \S+{newest.name} is damaged .*using the one before", done.stderr)
    assert f"from step {int(older.name)} " in done.stderr
    commands.assert_same(tmp_path / "run", whole)


def test_a_loss_that_is_not_finite_stops_the_run_with_all_there_is_to_know(tmp_path):
    command = commands.train(tmp_path, steps=STEPS, checkpoint_every=1, optimizer__learning_rate=1e30)
    done = commands.run(command, code=1)
    last = done.stderr.splitlines()[-1]
    found = re.match(r"tfdfm: Step (\d+): the loss (\S+) is not finite; .*/checkpoints/(\d+)\. Use a lower", last)
    step, term, saved = int(found[1]), found[2], int(found[3])
    assert term.split("/")[0] in ("generator", "discriminator", "denoiser")
    assert "Traceback" not in done.stderr
    assert 0 < saved < step and commands.checkpoints(tmp_path)[-1].name == f"{saved:07d}"
    assert all(row["step"] < step for row in commands.lines(tmp_path))
