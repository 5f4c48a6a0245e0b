"""What is exported is the trained generator, for whoever loads it with no tfdfm."""

import json
import os
import subprocess
import sys
from pathlib import Path

import exports
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from tfdfm import cli, export
from tfdfm import latents as z
from tfdfm.errors import Failure, UsageError
from tfdfm.sampling import restore, saved_model
from tfdfm.sampling.sampler import Local
from tfdfm.sampling.sources import Export

SEEDS = np.array([0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1, 12, 13, 14], np.int64)
LABELS = np.arange(len(SEEDS)) % 3
FOLDER = Path(__file__).parent
KINDS = {
    "unconditional": lambda: exports.trained(prior="normal"),
    "conditional": lambda: exports.trained(classes=3),
    "ensemble": lambda: exports.ensemble(models=3, classes=1),
}


@pytest.fixture(scope="module", params=[*list(KINDS)[:2], pytest.param("ensemble", marks=pytest.mark.whole)])
def exported(request, tmp_path_factory):
    """(the trained generator, its export, inputs of its signatures)"""
    trained = KINDS[request.param]()
    path = saved_model.write(trained, tmp_path_factory.mktemp("export"), {"inception_score": {"value": 3.5}})
    labels = {"labels": LABELS} if trained.class_names else {}
    return trained, path, {"seed": SEEDS} | labels


def truth(trained, seeds, labels=None) -> np.ndarray:
    """The generator itself on the latents of the seeds, in [0, 1]."""
    latents = z.from_seeds(tf.constant(seeds), trained.config.latent_size, trained.config.prior)
    return (trained.generator(latents, labels=labels).numpy() + 1) / 2


@pytest.fixture(scope="module")
def loaded(exported, tmp_path_factory):
    """All that a process without tfdfm got, {way/output: value}."""
    trained, path, inputs = exported
    folder = tmp_path_factory.mktemp("loaded")
    latents = z.from_seeds(tf.constant(SEEDS), trained.config.latent_size, trained.config.prior).numpy()
    np.savez(folder / "in.npz", latents=latents, **inputs)
    arguments = [FOLDER / "loader.py", path, folder / "in.npz", folder / "out.npz"]
    command = [sys.executable, "-W", "ignore", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(folder / "out.npz", allow_pickle=True), asked=latents)


WAYS = ("signature_serving_default", "from_latents", "attribute", "hub", "hub_layer", "tfsm", "functional")


@pytest.mark.parametrize("way", WAYS)
def test_every_loader_gets_the_trained_models_images(exported, loaded, way):
    trained, _, inputs = exported
    expected = truth(trained, SEEDS, inputs.get("labels"))
    assert expected.std() > 0.05 and np.abs(expected[0] - expected[1]).max() > 0.1  # pictures, and not all one
    np.testing.assert_allclose(loaded[f"{way}/images"], expected, rtol=0, atol=1e-6)


def test_latents_and_prior_are_told(exported, loaded):
    trained, _, _ = exported
    np.testing.assert_array_equal(loaded["latents/latents"].view(np.uint32), loaded["asked"].view(np.uint32))
    assert set(loaded["latents/prior"]) == {trained.config.prior.encode()}


def test_unconditional_draws_the_label_by_the_seed(exported, loaded):
    trained, _, _ = exported
    if not trained.class_names:
        assert "unconditional/images" not in loaded
        return
    labels = z.labels_from_seeds(tf.constant(SEEDS), 3).numpy()
    assert len(set(labels)) > 1
    np.testing.assert_array_equal(loaded["unconditional/labels"], labels)
    np.testing.assert_allclose(loaded["unconditional/images"], truth(trained, SEEDS, labels), rtol=0, atol=1e-6)


def test_a_png_holds_the_rounded_image(loaded):
    images = loaded["signature_serving_default/images"] * 255.0
    pngs = [tf.io.decode_png(data).numpy() for data in loaded["signature_png/image_bytes"]]
    ties = np.abs(images % 1 - 0.5) < 1e-3
    wrong = np.abs(np.rint(images) - pngs)
    assert wrong[~ties].max() == 0 and wrong.max() <= 1


def test_the_card_and_the_class_names_travel_along(exported, loaded):
    trained, path, _ = exported
    card = json.loads(loaded["card"].item())
    assert (card["format"], card["range"], card["step"]) == ("tfdfm", [0, 1], 7)
    assert (card["latent_size"], card["prior"]) == (trained.config.latent_size, trained.config.prior)
    assert card["class_names"] == list(trained.class_names) and card["num_classes"] == len(trained.class_names)
    assert card["scores"] == {"inception_score": {"value": 3.5}}
    assert card["recipe"]["terms"] == list(trained.config.terms)
    assert (path / "assets" / "class_names.txt").read_text().splitlines() == list(trained.class_names)


def test_a_checksum_is_of_the_weights():
    one, other = exports.trained(), exports.trained()
    assert restore.checksum(one) == restore.checksum(other) and len(restore.checksum(one)) == 64
    other.generator.last.kernel.assign_add(tf.one_hot(0, other.generator.last.kernel.shape[-1]) * 1e-3)
    assert restore.checksum(one) != restore.checksum(other)


def test_saved_model_cli_runs_it(exported, tmp_path):
    trained, path, inputs = exported
    for name, value in inputs.items():
        np.save(tmp_path / name, value)
    given = ";".join(f"{name}={tmp_path / name}.npy" for name in inputs)
    arguments = ["run", "--dir", path, "--tag_set", "serve", "--signature_def", "serving_default"]
    arguments += ["--inputs", given, "--outdir", tmp_path]
    subprocess.run(
        [Path(sys.executable).parent / "saved_model_cli", *arguments], check=True, capture_output=True, timeout=300
    )
    expected = truth(trained, SEEDS, inputs.get("labels"))
    np.testing.assert_allclose(np.load(tmp_path / "images.npy"), expected, rtol=0, atol=1e-6)


def test_a_row_is_the_same_alone_in_a_batch_permuted_and_after_loading_again(exported):
    _, path, inputs = exported
    one, two = (tf.saved_model.load(str(path)).signatures["serving_default"] for _ in range(2))
    many = {name: np.resize(value, 64) for name, value in inputs.items()}
    many["seed"] = np.concatenate([SEEDS, np.arange(64 - len(SEEDS))])
    whole = one(**{name: tf.constant(value) for name, value in many.items()})["images"].numpy()
    order = np.random.default_rng(0).permutation(64)
    permuted = two(**{name: tf.constant(value[order]) for name, value in many.items()})["images"].numpy()
    np.testing.assert_allclose(permuted, whole[order], rtol=0, atol=1e-6)
    for place in (0, 3, 40):
        alone = two(**{name: tf.constant(value[place : place + 1]) for name, value in many.items()})["images"]
        np.testing.assert_allclose(alone[0], whole[place], rtol=0, atol=1e-6)


def test_a_label_out_of_range_spoils_its_own_row_only():
    local = Local(exports.trained(classes=3))
    labels = [-1, 0, 3, 2, 2**62]
    images = local.images(range(5), labels)
    assert np.isfinite(images[[1, 3]]).all() and np.isnan(images[[0, 2, 4]]).all()
    np.testing.assert_allclose(images[[1, 3]], local.images([1, 3], [0, 2]), rtol=0, atol=1e-6)
    pngs = local._run("png", seed=np.arange(5), labels=labels)["image_bytes"]
    assert [len(png) > 0 for png in pngs] == [False, True, False, True, False]


def test_warm_up_requests_are_what_the_signatures_take(exported):
    trained, path, _ = exported
    records = tf.data.TFRecordDataset(str(path / "assets.extra" / "tf_serving_warmup_requests"))
    model, seen = tf.saved_model.load(str(path)), set()
    for record in records:
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
        outputs = model.signatures[request.model_spec.signature_name](**inputs)
        assert {value.shape[0] for value in outputs.values()} == {len(next(iter(inputs.values())))}
        seen.add((request.model_spec.signature_name, len(next(iter(inputs.values())))))
    assert seen == {(name, rows) for name in model.signatures for rows in (1, 64)}


def test_the_graph_holds_only_what_tf_serving_2_20_knows(exported):
    """`known_ops.json`: every attribute of these operations in TensorFlow 2.20, where such exports were run."""
    saved = saved_model_pb2.SavedModel.FromString((exported[1] / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    known = json.loads((FOLDER / "known_ops.json").read_text())
    functions = {function.signature.name for function in graph.library.function}
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    used = {(node.op, name) for node in nodes for name in node.attr if not name.startswith("_")}
    assert len({op for op, _ in used}) > 20
    assert {(op, name) for op, name in used if op not in functions and name not in known.get(op, ())} == set()
    assert graph.versions.min_consumer <= 12 and not any("XlaMustCompile" in node.attr for node in nodes)


def test_versions_rise_and_nothing_half_written_stays(tmp_path):
    trained = exports.trained()
    (tmp_path / "00000007").mkdir()
    (tmp_path / "notes").mkdir()
    assert [saved_model.write(trained, tmp_path).name for _ in range(2)] == ["8", "9"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000007", "8", "9", "notes"]
    assert os.stat(tmp_path / "9").st_mode & 0o777 == 0o755


def test_a_version_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    seen = []

    def fail(*_):
        seen.append(saved_model.versions(tmp_path))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saved_model, "_warmup", fail)
    with pytest.raises(Failure, match="No space left on device"):
        saved_model.write(exports.trained(), tmp_path)
    assert seen == [[]] and list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(Failure, match=f"^Cannot write {tmp_path}/file/new"):
        saved_model.write(exports.trained(), tmp_path / "file" / "new")


def test_what_a_killed_export_left_goes_with_the_next_after_a_day(tmp_path):
    old, new = tmp_path / ".export-old", tmp_path / ".export-new"
    for path in (old, new):
        path.mkdir()
        (path / "half").write_bytes(b"1")
    os.utime(old, (0, 0))
    saved_model.publish(tmp_path, lambda path: (path / "file").write_bytes(b"2"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".export-new", "1"]


def test_another_export_may_take_the_number_meanwhile(tmp_path, monkeypatch):
    (tmp_path / "1" / "variables").mkdir(parents=True)
    (tmp_path / "made").mkdir()
    seen = iter([[], [1]])
    monkeypatch.setattr(saved_model, "versions", lambda out: next(seen))
    assert saved_model._numbered(tmp_path / "made", tmp_path) == tmp_path / "2"


def test_an_unconditional_export_asks_for_no_labels(tmp_path):
    trained = exports.trained()
    found = Export(saved_model.write(trained, tmp_path))
    assert found.num_classes == 0
    np.testing.assert_allclose(found.images([3, -4]), Local(trained).images([3, -4]), atol=1e-5)


def test_batch_norm_is_estimated_from_many_latents():
    """The first layer's statistics are those of its units over latents, of seeds below 0, and labels."""
    trained = exports.trained(classes=3)
    norm = trained.generator.project_norm
    for variable in trained.generator.non_trainable_variables:
        variable.assign(variable + 3.0)
    saved_model.estimate_batch_norm(trained, 1000)
    latents = z.from_seeds(-1 - tf.range(1024, dtype=tf.int64), trained.config.latent_size, "uniform")
    one_hot = tf.one_hot(tf.range(1024) % 3, 3)
    units = trained.generator.project(tf.concat([latents, one_hot], axis=1)).numpy()
    np.testing.assert_allclose(norm.mean.numpy(), units.mean(0), atol=1e-3 * units.std())
    np.testing.assert_allclose(norm.variance.numpy(), units.var(0), rtol=0.2)
    again = [variable.numpy() for variable in trained.generator.non_trainable_variables]
    saved_model.estimate_batch_norm(trained, 1000)
    for one, two in zip(again, trained.generator.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(one, two.numpy())


def test_the_command_says_where_and_how_to_serve(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tfdfm.sampling.restore.load", lambda run_dir, checkpoint: exports.trained())
    monkeypatch.setattr("tfdfm.sampling.restore.described", lambda run_dir: (None,))
    export.main(cli.parse(["", f"--run_dir={tmp_path}", "--batch_norm_latents=64"], export.define, ""))
    assert f"{tmp_path}/export/1: serve it with python -m tfdfm.serve" in capsys.readouterr().out
    assert tf.saved_model.contains_saved_model(str(tmp_path / "export" / "1"))


@pytest.mark.parametrize("kind", KINDS)
def test_half_the_weights_give_nearly_the_same_images(kind, tmp_path):
    trained = KINDS[kind]()
    inputs = {"seed": SEEDS} | ({"labels": LABELS} if trained.class_names else {})
    whole, half = (saved_model.write(trained, tmp_path, half=half) for half in (False, True))
    sizes = [(path / "variables" / "variables.data-00000-of-00001").stat().st_size for path in (whole, half)]
    assert sizes[1] < 0.6 * sizes[0]
    models = [tf.saved_model.load(path) for path in (whole, half)]
    given, found = (model.serving_default(inputs)["images"].numpy() for model in models)
    difference = np.abs(given - found).max()
    assert 0.0 < difference < 1 / 255
    assert trained.generator.variables[0].dtype == "float32"


def test_a_weight_that_is_too_large_for_float16_is_told(tmp_path):
    trained = exports.trained()
    trained.generator.variables[0].assign(tf.fill(trained.generator.variables[0].shape, 1e6))
    with pytest.raises(UsageError, match="float16 cannot hold .*: export it as float32"):
        saved_model.write(trained, tmp_path, half=True)
    assert not any(tmp_path.iterdir())
