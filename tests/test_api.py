"""The package from Python: a run trained, sampled, scored and exported, without a command."""

import json
import subprocess
import sys

import commands
import numpy as np
import pytest
import tensorflow as tf

import tfdfm
from tfdfm import analyse, api, cli, export, sample
from tfdfm.errors import UsageError

TOY = commands.TOY | {"jit": "off", "log_every": 1}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Three steps of digits."""
    return tfdfm.train("digits", steps=3, run_dir=tmp_path_factory.mktemp("run") / "digits", overrides=TOY)


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    made = tmp_path_factory.mktemp("run") / "digits"
    return tfdfm.train("digits_conditional", steps=2, run_dir=made, overrides=TOY | {"terms": ("nonsaturating", "dfm")})


def test_a_run_knows_its_recipe_its_step_and_its_metrics(run):
    assert run.config.generator.width == 4 and run.step == 3 and run.class_names == ()
    assert [line["step"] for line in run.metrics()] == [1, 2, 3]
    assert repr(tfdfm.load(run.run_dir, 3)) == f"tfdfm.load({str(run.run_dir)!r}, checkpoint='3')"


def test_the_same_call_goes_on(run, tmp_path):
    two = tfdfm.train("digits", steps=2, run_dir=tmp_path / "run", overrides=TOY)
    assert two.step == 2
    three = tfdfm.train("digits", steps=3, run_dir=tmp_path / "run", overrides=TOY)
    commands.assert_same(three.run_dir, run.run_dir)


def test_samples_are_those_of_the_command(run, tmp_path):
    images = run.sample(seeds=range(70))
    assert images.shape == (70, 16, 16, 1) and images.dtype == np.float32 and 0 <= images.min() <= images.max() <= 1
    np.testing.assert_allclose(run.sample(seeds=[69])[0], images[69], atol=1e-6)
    sample.main(cli.parse(["", f"--run_dir={run.run_dir}", "--num=3", f"--out={tmp_path}"], sample.define, ""))
    shown = [tf.io.decode_png(path.read_bytes()).numpy() for path in sorted(tmp_path.iterdir())]
    np.testing.assert_allclose(images[:3] * 255, shown, atol=0.51)


def test_labels_are_one_for_all_one_each_or_in_turn(conditional):
    names, one = conditional.class_names, conditional.sample([5], labels=3)
    assert len(names) == 10
    np.testing.assert_allclose(conditional.sample([5, 5, 5], labels=[1, 3, 2])[1:2], one, atol=1e-6)
    np.testing.assert_allclose(conditional.sample([5] * 4)[3:], one, atol=1e-6)
    np.testing.assert_allclose(conditional.sample((seed for seed in [5]), labels=np.int64(3)), one, atol=1e-6)
    assert conditional.sample().shape == (64, 16, 16, 1)
    with pytest.raises(UsageError, match="Expected one seed or more"):
        conditional.sample([])
    for labels, message in ((10, "between 0 and 9, given 10"), ([1, 2], "one for each of 3 seeds, given 2")):
        with pytest.raises(UsageError, match=message):
            conditional.sample([0, 1, 2], labels=labels)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of tf2onnx
def test_an_export_as_onnx(run, tmp_path, capsys):
    export.main(cli.parse(["", f"--run_dir={run.run_dir}", f"--out={tmp_path}", "--format=onnx"], export.define, ""))
    assert capsys.readouterr().out == f"{tmp_path}/1: from_latents.onnx, latents.onnx, serving_default.onnx\n"


def test_scores_are_written_and_go_with_the_export(run, classifier, tmp_path):
    scores = run.evaluate(["inception_score"], num=100, classifier=classifier, splits=2)
    assert scores["inception_score"]["samples"] == 100 and scores["inception_score"]["value"] >= 1
    assert json.loads((run.run_dir / "evaluation" / "3.json").read_text()).keys() == scores.keys()
    path = run.export(tmp_path / "models")
    assert path == tmp_path / "models" / "1" and run.export(tmp_path / "models").name == "2"
    with pytest.raises(UsageError, match="format to be saved_model, onnx, tflite, given 'coreml'"):
        run.export(tmp_path / "models", format="coreml")
    card = json.loads((path / "assets" / "model_card.json").read_text())
    assert card["scores"].keys() == scores.keys()
    served = tf.saved_model.load(str(path)).signatures["serving_default"](seed=tf.range(3, dtype=tf.int64))["images"]
    np.testing.assert_allclose(served, run.sample(range(3)), atol=1e-6)


def test_a_view_is_that_of_the_command(conditional, tmp_path):
    found = conditional.analyse("classes", num=2, classes="3,7")
    flags = ["--view=classes", "--view.num=2", "--view.classes=3,7", f"--out={tmp_path / 'view.png'}"]
    analyse.main(cli.parse(["", f"--run_dir={conditional.run_dir}", *flags], analyse.define, ""))
    assert np.array_equal(tf.io.decode_png((tmp_path / "view.png").read_bytes()), found.picture)
    assert json.loads((tmp_path / "view.json").read_text()) == found.numbers
    with pytest.raises(UsageError, match="Unknown option of classes 'nun'. Did you mean 'num'"):
        conditional.analyse("classes", nun=2)


def test_what_cannot_work_is_one_line(run, tmp_path):
    for call, message in (
        (lambda: tfdfm.load(run.run_dir, 999), "one of the steps kept .3., given 999"),
        (lambda: tfdfm.load(tmp_path), "a run directory with a config.json"),
        (lambda: tfdfm.train("digts"), "Did you mean 'digits'"),
        (lambda: tfdfm.train("digits", step=3), "Unknown key 'step'. Did you mean 'steps'"),
        (lambda: tfdfm.train("digits", steps="many"), "steps to be of type int"),
    ):
        with pytest.raises(UsageError, match=message):
            call()
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        tfdfm.trian  # noqa: B018 - its absence is what is tested


CODE = """
import sys, tfdfm
assert not {"tensorflow", "keras", "tfdfm.train"} & set(sys.modules), "heavy"
%s
assert callable(tfdfm.train) and tfdfm.train.main and tfdfm.load.__name__ == "load" and tfdfm.connect
try:
    tfdfm.train("nowhere")
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize("first", ["", "import tfdfm.train", "import tfdfm.sample; from tfdfm import train"])
def test_the_package_imports_nothing_heavy_and_train_is_a_function_whatever_was_imported(first):
    out = commands.run([sys.executable, "-c", CODE % first]).stdout
    assert out.startswith("Unknown recipe 'nowhere'.")
    assert api.train.__doc__


def test_all_commands_have_one_name():
    def tfdfm(*arguments, code=0):
        return commands.run([sys.executable, "-m", "tfdfm", *arguments], code)

    assert "train, search, sample, evaluate, analyse, report, export, serve" in tfdfm().stdout == tfdfm("--help").stdout
    assert tfdfm("train", "--steps=0", code=2).stderr.startswith("tfdfm: ")
    assert "--run_dir" in tfdfm("sample", "--help").stdout
    assert "Unknown command 'trian'. Did you mean 'train'?" in tfdfm("trian", code=2).stderr
    assert tfdfm("--version").stdout == "0.2.0\n"
    assert subprocess.run([sys.executable, "-m", "tfdfm.export"], check=False, capture_output=True).returncode == 2
