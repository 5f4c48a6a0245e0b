"""The REST port of a whole server, over real sockets: what clients of TensorFlow Serving rely on."""

import base64
import gzip
import io
from urllib.parse import quote

import numpy as np
import pytest
import servables
from asking import Asking, error
from PIL import Image
from running import config, serving

from tfdfm.serving import server

ODD = "a b/c:ü"  # a model's name


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    base = tmp_path_factory.mktemp("models")
    for number, slope in ((1, 2.0), (2, 3.0)):
        servables.line(base / "line" / str(number), slope)
    for name in ("many", "estimator", "generator"):
        getattr(servables, name)(base / name / "1")
    models = config(line=base / "line", many=base / "many", estimator=base / "estimator", generator=base / "generator")
    models.model_config_list.config.add(name=ODD, base_path=str(base / "line"), model_platform="tensorflow")
    models.model_config_list.config[0].model_version_policy.all.SetInParent()
    models.model_config_list.config[0].version_labels.update({"stable": 1, "new one": 2})
    with serving(models, rest_port=server.ANY) as found:
        yield found.server


@pytest.fixture(scope="module")
def ask(running):
    with (made := Asking(running.ports["REST"])).session:
        yield made


def test_rows_and_columns(ask):
    assert ask("POST", "/v1/models/line:predict", {"instances": [1, 2.5]}) == (200, {"predictions": [4.0, 8.5]})
    assert ask("POST", "/v1/models/line:predict", {"inputs": [1, 2.5]}) == (200, {"outputs": [4.0, 8.5]})
    assert ask("POST", "/v1/models/line:predict", {"instances": [{"x": 1}]}) == (200, {"predictions": [4.0]})
    assert ask("POST", "/v1/models/line:predict", {"inputs": {"x": [1], "y": 0}}) == (200, {"outputs": [4.0]})
    rows = {"signature_name": "rows", "instances": [5, 6]}
    assert ask("POST", "/v1/models/many:predict", rows) == (
        200,
        {"predictions": [{"rows": 2, "y": 5.0}, {"rows": 2, "y": 6.0}]},
    )
    columns = {"signature_name": "rows", "inputs": [5, 6]}
    assert ask("POST", "/v1/models/many:predict", columns) == (200, {"outputs": {"rows": [2, 2], "y": [5.0, 6.0]}})
    scalar = {"signature_name": "scalar", "inputs": 2}
    assert ask("POST", "/v1/models/many:predict", scalar) == (200, {"outputs": 3.0})
    status, answer = ask("POST", "/v1/models/line:predict", '{"instances": [NaN, Infinity, -Infinity]}')
    assert status == 200 and np.isnan(answer["predictions"][0]) and answer["predictions"][1:] == [np.inf, -np.inf]


def test_images_as_base64(ask):
    body = {"signature_name": "png", "instances": [{"seed": seed, "labels": 2} for seed in range(3)]}
    status, answer = ask("POST", "/v1/models/generator:predict", body)
    assert status == 200
    for seed, found in enumerate(answer["predictions"]):
        assert found.keys() == {"b64"}
        image = np.asarray(Image.open(io.BytesIO(base64.b64decode(found["b64"]))))
        assert np.unique(image).tolist() == [round((seed + 2) / 10 * 255)]


def test_strings(ask):
    def example(x: float) -> dict:
        from tensorflow.core.example.example_pb2 import Example

        made = Example(features={"feature": {"x": {"float_list": {"value": [x]}}}})
        return {"b64": base64.b64encode(made.SerializeToString()).decode()}

    body = {"signature_name": "plain", "instances": [example(0.5), {"b64": example(4)["b64"].rstrip("=")}]}
    assert ask("POST", "/v1/models/estimator:predict", body) == (200, {"predictions": [[0.5], [4.0]]})
    answer = {"classes": ["no", "yes"], "scores": [0.5, 0.5]}
    body = {"signature_name": "serving_default", "instances": [example(0.5)]}
    assert ask("POST", "/v1/models/estimator:predict", body) == (200, {"predictions": [answer]})
    body = {"inputs": {"inputs": [example(0.5)]}}
    assert ask("POST", "/v1/models/estimator:predict", body) == (
        200,
        {"outputs": {name: [value] for name, value in answer.items()}},
    )


def test_versions_labels_and_letters(ask):
    body, three, two = {"instances": [1]}, (200, {"predictions": [4.0]}), (200, {"predictions": [3.0]})
    assert ask("POST", "/v1/models/line/versions/1:predict", body) == two
    assert ask("POST", "/v1/models/line/versions/2:predict", body) == three
    assert ask("POST", f"/v1/models/line/versions/{'0' * 6000}2:predict", body) == three
    assert ask("POST", "/v1/models/line/labels/stable:predict", body) == two
    assert ask("POST", "/v1/models/line/labels/new%20one:predict", body) == three
    assert ask("POST", "/V1/Models/line/Versions/1:PREDICT", body) == two
    assert ask("POST", "/v1/models/line:predict?pretty=1", body) == three
    assert ask("POST", f"/v1/models/{quote(ODD, safe='')}:predict", body) == three
    assert ask("POST", "/v1/models/LINE:predict", body) == error("LINE", 404)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("line:predict", {"instances": [1]}),
        ("line/labels/stable:predict", {"inputs": [1]}),
        ("estimator:classify", {"examples": [{"x": 1.0}]}),
    ],
)
def test_a_request_looks_its_model_up_once(running, ask, monkeypatch, path, body):
    """Two answers to "which version?" could differ when a version is switched between them."""
    found, find = [], running.manager.find
    monkeypatch.setattr(running.manager, "find", lambda *a, **spec: found.append(find(*a, **spec)) or found[-1])
    assert ask("POST", f"/v1/models/{path}", body)[0] == 200
    assert len(found) == 1


def test_models_for_the_page(ask):
    status, answer = ask("GET", "/models.json")
    found = {model["name"]: model for model in answer}
    assert status == 200 and found.keys() == {"line", "many", "estimator", "generator", ODD}
    assert found["line"]["versions"] == ["1", "2"] and found["line"]["signatures"] == ["serving_default"]
    assert set(found["line"]["card"].values()) == {None}
    assert found["generator"]["card"]["num_classes"] == 3 and found["generator"]["card"]["format"] == "tfdfm"


def test_status(ask):
    def version(number: int) -> dict:
        return {"version": str(number), "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}

    both = (200, {"model_version_status": [version(2), version(1)]})
    assert ask("GET", "/v1/models/line") == both
    assert ask("GET", "/v1/models/line/labels/stable") == both
    assert ask("GET", "/v1/models/line/versions/1") == (200, {"model_version_status": [version(1)]})
    assert ask("GET", "/v1/models/none") == error("Could not find any versions of model none", 404)
    assert ask("GET", "/v1/models/line/versions/9") == error("Could not find version 9", 404)


def test_metadata(ask):
    status, answer = ask("GET", "/v1/models/line/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "line", "signature_name": "", "version": "2"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert signature["inputs"]["x"]["tensor_shape"] == {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
    assert ask("GET", "/v1/models/line/versions/1/metadata")[1]["model_spec"]["version"] == "1"
    assert ask("GET", "/v1/models/line/labels/stable/MetaData")[1]["model_spec"]["version"] == "1"
    assert ask("GET", "/v1/models/none/metadata") == error("Servable not found for request: Latest(none)", 404)


def test_a_signature_need_not_tell_the_truth_about_shapes(ask):
    assert ask("POST", "/v1/models/line:predict", {"instances": [[1], [2]]}) == (200, {"predictions": [[4.0], [7.0]]})


def test_classify_and_regress(ask):
    body = {"examples": [{"x": 0.25}, {"x": [1.0]}]}
    assert ask("POST", "/v1/models/estimator:classify", body) == (
        200,
        {"results": [[["no", 0.75], ["yes", 0.25]], [["no", 0.0], ["yes", 1.0]]]},
    )
    regress = {"signature_name": "double", "context": {"x": 1.0}, "examples": [{"x": 0.2}, {}]}
    assert ask("POST", "/v1/models/estimator:regress", regress) == (200, {"results": [0.4, 2.0]})
    assert ask("POST", "/v1/models/estimator:regress", body) == error("Expected outputs of shape")
    assert ask("POST", "/v1/models/estimator:classify", {"examples": []}) == error("'examples'")
    assert ask("POST", "/v1/models/estimator:classify", {"examples": [{"x": "no"}]}) == error("x")


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("POST", "/v1/foo", "Malformed request: POST /v1/foo"),
        ("GET", "/v1/", "Malformed request: GET /v1/"),
        ("GET", "/v1/models/line:predict", "Malformed request: GET /v1/models/line:predict"),
        ("POST", "/v1/models/line", "Malformed request: POST /v1/models/line"),
        ("POST", "/v1/models/line:generate", "Malformed request"),
        ("POST", "/v1/models/line/versions/x:predict", "Malformed request"),
        ("POST", "/v1/models/line/versions/-1:predict", "Malformed request"),
        ("DELETE", "/v1/models/line", "Malformed request: DELETE /v1/models/line"),
        ("OPTIONS", "/v1/models/line:predict", "Malformed request: OPTIONS"),
        ("GET", "/v1/models", "Missing model name"),
        ("GET", "/v1/models/metadata/metadata/x", "Malformed request"),
        ("GET", "/v1/models/line/versions/9223372036854775808", "version: 9223372036854775808"),
        ("POST", f"/v1/models/line/versions/{'9' * 6000}:predict", "version: 9999"),
    ],
)
def test_paths_that_name_nothing(ask, method, path, said):
    assert ask(method, path, "{}") == error(said)


@pytest.mark.parametrize(
    "path", ["/v3/models/line", "/v1", "/favicon.ico", "/page.html", "/../setup.cfg", "//v1/models/line"]
)
def test_elsewhere_is_a_plain_404(ask, path):
    answer = ask.session.get(f"{ask.address}{path}")
    assert answer.status_code == 404 and "error" not in answer.text and "json" not in answer.headers["Content-Type"]


@pytest.mark.parametrize(
    ("model", "body", "expected"),
    [
        ("none", {"instances": [1]}, error("Servable not found for request: Latest(none)", 404)),
        ("line/versions/9", {"instances": [1]}, error("Servable not found for request: Specific(line, 9)", 404)),
        ("line/labels/x", {"instances": [1]}, error("Unrecognized servable version label: x")),
        ("line", {"signature_name": "x", "instances": [1]}, error('"x" not found')),
        ("line", {"instances": []}, error("'instances'")),
        ("line", {"instances": [1], "inputs": [1]}, error("only one of")),
        ("line", {}, error("Missing 'inputs' or 'instances' key")),
        ("line", {"instances": ["a"]}, error('JSON Value: "a" is not of expected type: float32')),
        ("line", "{", error("JSON Parse error")),
        ("line", b"\xff\xfe\x00", error("JSON Parse error")),
        ("line", "[" * 100_000, error("nested too deeply")),
        ("line", '{"instances": [' + "[" * 100_000, error("nested too deeply")),
        ("generator", {"instances": [{"seed": 1.0, "labels": 0}]}, error("1.0 is not of expected type: int64")),
        ("generator", {"instances": [{"seed": 1, "labels": 3}]}, error("Expected labels in [0, 3), given 3")),
        ("generator", {"instances": [{"seed": 1}]}, error("keys must be equal to: labels,seed")),
        (
            "generator",
            '{"signature_name": "from_latents", "inputs": {"latents": [[0, NaN]], "labels": [0]}}',
            error("Expected finite latents, given nan"),
        ),
        ("many", {"signature_name": "root", "instances": [-1]}, error("below zero")),
        ("generator", {"inputs": {"seed": [[1]], "labels": [[0]]}}, error("of shape [-1]")),
        ("many", {"signature_name": "several", "inputs": {"x": [1], "n": [1], "s": ["é"]}}, error("'half'")),
    ],
)
def test_requests_refused(ask, model, body, expected):
    assert ask("POST", f"/v1/models/{model}:predict", body) == expected
    assert ask("POST", "/v1/models/line:predict", {"instances": [1]}) == (200, {"predictions": [4.0]})


def test_seeds_are_exact(ask):
    body = f'{{"inputs": {{"seed": [{2**63 - 1}, {-(2**63)}], "labels": [0, 0]}}}}'
    assert ask("POST", "/v1/models/generator:predict", body)[0] == 200
    body = f'{{"inputs": {{"seed": [{2**63}], "labels": [0]}}}}'
    assert ask("POST", "/v1/models/generator:predict", body) == error(f"{2**63} is out of range for int64")


def test_bodies_in_pieces_and_compressed(ask):
    body, answer = b'{"instances": [1]}', (200, {"predictions": [4.0]})
    assert ask("POST", "/v1/models/line:predict", iter([body[:5], body[5:]])) == answer
    headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
    assert ask("POST", "/v1/models/line:predict", gzip.compress(body), headers=headers) == answer
    assert ask("POST", "/v1/models/line:predict", b"not compressed", headers=headers) == error("cannot be read")


def test_large_answers(ask):
    values = np.random.default_rng(0).random([64, 400]).astype(np.float32)
    body = {"signature_name": "matrix", "instances": values.tolist()}
    status, answer = ask("POST", "/v1/models/many:predict", body)
    assert status == 200
    np.testing.assert_array_equal(np.float32(answer["predictions"]), values * 2)


def test_metrics(ask):
    ask("POST", "/v1/models/line:predict", {"instances": [1]})
    ask("POST", "/v1/models/line:predict", {"instances": []})
    answer = ask.session.get(f"{ask.address}/monitoring/prometheus/metrics")
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/plain")
    for status in ("OK", "INVALID_ARGUMENT"):
        assert f':tensorflow:serving:request_count{{model_name="line",status="{status}"}}' in answer.text
    assert 'API="predict",entrypoint="REST"' in answer.text
