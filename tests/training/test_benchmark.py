"""tools/benchmark.py measures what it says, of any recipe."""

import importlib.util
import json
import sys
from pathlib import Path

import commands
import numpy as np
import pytest
import tensorflow as tf

from tfdfm import cli, recipes
from tfdfm.errors import Failure, UsageError

PATH = Path(__file__).parents[2] / "tools" / "benchmark.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("benchmark", PATH)
    sys.modules["benchmark"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["benchmark"]


def overrides(**changes) -> list[str]:
    return [flag.removeprefix("--config.") for flag in commands.flags(**changes)]


def plan(tool, *measures, peer=None, rounds=3):
    return tool.Plan(set(measures), peer, rounds, 0.01)


def test_step_loop_and_samples_beside_a_peer(tool, tmp_path):
    peer = tmp_path / "peer.py"
    peer.write_text("import sys\nprint(float(sys.argv[1]) * 2, 'img/s')")
    how = plan(tool, "step", "loop", "samples", peer=f"{sys.executable} {peer} {{batch_size}}")
    found = tool.cell("digits", "float32", 4, overrides(), how)
    assert found["batch_size"] == 4 and "failed" not in found
    figures = {name: of["median"] for name, of in found["figures"].items()}
    assert figures["peer img/s"] == 8
    assert all(of["least"] <= of["median"] <= of["most"] for of in found["figures"].values())
    step, ratio = found["figures"]["step img/s"], found["figures"]["step / peer"]
    assert ratio["median"] == step["median"] / 8 and ratio["least"] == step["least"] / 8
    share = step["most"] * figures["GFLOP/img"] / found["figures"]["matrix products GFLOP/s"]["least"]
    assert 0 < found["figures"]["share of matrix products"]["median"] <= share
    assert 0 < figures["loop img/s"] and 0 < figures["samples img/s"]


@pytest.mark.parametrize(
    "name", ["mnist_improved_ssl", pytest.param("cifar10_wgan", marks=pytest.mark.whole), "mnist_ali"]
)
def test_few_labels_many_critic_steps_and_two_players_of_their_own(tool, name):
    how = plan(tool, "loop", rounds=1)
    narrow = ["generator.width=4", "discriminator.width=4"] if name == "cifar10_wgan" else []
    found = tool.cell(name, "float32", 4, narrow, how)
    assert found.get("figures", found).keys() == {"loop img/s"}


def test_what_cannot_run_is_said_and_a_peer_that_fails(tool):
    found = tool.cell("digits", "float32", 4, ["optimizer.learning_rate=-1"], plan(tool, "step"))
    assert "learning_rate to be positive" in found["failed"] and "figures" not in found
    assert tool.shown(found) == ["digits  float32  batch 4", f"  {found['failed']}"]
    for command, said in (("false", "ended with 1"), ("echo fast", "'fast")):
        with pytest.raises(Failure, match=f"The peer ended with .*{said}|{said}"):
            tool._peer(command)
    with pytest.raises(UsageError, match="Expected --measure to be of step, loop"):
        tool.main(cli.parse(["", "--measure=speed"], tool.define, ""))


def test_operations_are_those_of_the_layers(tool):
    image, kernel, matrix = tf.ones([2, 8, 8, 3]), tf.ones([3, 3, 3, 5]), tf.ones([7, 11])

    @tf.function
    def inner(x):
        return tf.matmul(matrix, x, transpose_a=True)

    @tf.function
    def outer(x):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([image, kernel])
            y = tf.nn.conv2d(image, kernel, 2, "SAME")
        back = tape.gradient(y, [image, kernel])
        unused = tf.cond(x[0, 0] > 2, lambda: tf.matmul(x, x, transpose_b=True), lambda: tf.zeros([7, 7]))
        return inner(x), y, back, unused

    graph = outer.get_concrete_function(tf.ones([7, 13])).graph
    assert tool._flops(graph) == 2 * 11 * 7 * 13 + 3 * 2 * (2 * 4 * 4 * 5) * (3 * 3 * 3)


def test_rates_are_of_the_calls_after_the_first(tool):
    seconds = iter([0.5, *[0.01] * 100])

    def call():
        tf.py_function(lambda: __import__("time").sleep(next(seconds)), [], [])
        return {"a": np.ones(1)}

    assert 40 < tool._rate(call, 0.2) < 101


def test_two_files_side_by_side(tool, tmp_path, capsys):
    def written(path, **figures):
        spread = {name: dict(zip(("least", "median", "most"), of, strict=True)) for name, of in figures.items()}
        cell = {"config": "a", "precision": "float32", "batch_size": 8, "figures": spread}
        path.write_text(json.dumps({"results": [cell, cell | {"config": "b", "failed": "no data"}]}))
        return str(path)

    old = written(tmp_path / "old", step=(1, 2, 3), loop=(1, 2, 3), gone=(1, 1, 1))
    new = written(tmp_path / "new", step=(3, 4, 5), loop=(4, 5, 6))
    assert tool.main(cli.parse(["", f"--compare={old},{new}"], tool.define, "")) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["a", "float32", "8", "step", "2", "4", "2.000"] in lines
    assert ["a", "float32", "8", "loop", "2", "5", "2.500", "*"] in lines and "gone" not in str(lines)


@pytest.mark.whole
def test_commands_run_as_a_user_runs_them(tool, tmp_path):
    config = recipes.override(recipes.recipe("digits"), dict(pair.split("=", 1) for pair in overrides()))
    names = ["first_step s", "next_step s", "first_image s", "export s", "first_image_of_export s", "evaluation s"]
    found = tool._commands(config, tmp_path)
    assert list(found) == names and all(seconds > 0.5 for (seconds,) in found.values())
