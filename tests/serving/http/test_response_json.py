"""Tensors to JSON, and back to the same tensors, without a server."""

import json

import grpc
import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import classification_pb2, regression_pb2

from tfdfm.serving.http import request_json, response_json
from tfdfm.serving.status import StatusError

STRING = types_pb2.DT_STRING
NUMBERS = {dtype: kind for dtype, kind in request_json.DTYPES.items() if dtype != STRING}
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def written(value, rows: bool = False, name: str = "y") -> str:
    return response_json.predictions({name: np.asarray(value)}, rows)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.2, "0.2"),
        (1 / 3, "0.333333343"),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (123456.0, "123456.0"),
        (1234567.0, "1234567.0"),
        (16777216.0, "16777216.0"),
        (1e6, "1e+06"),
        (9e6, "9e+06"),
        (3e-5, "3e-05"),
        (1e-45, "1.4013e-45"),
        (3.4028235e38, "3.40282347e+38"),
        (np.nan, "NaN"),
        (np.inf, "Infinity"),
        (-np.inf, "-Infinity"),
    ],
)
def test_how_a_float_is_written(value, text):
    assert written(np.float32(value)) == f'{{"outputs":{text}}}'
    assert written(np.float32([value, 0.5]), rows=True) == f'{{"predictions":[{text},0.5]}}'


@pytest.mark.parametrize(
    ("value", "text"), [(1 / 3, "0.33333333333333331"), (0.1, "0.1"), (2.0**60, "1.152921504606847e+18")]
)
def test_how_a_double_is_written(value, text):
    assert written(np.float64(value)) == f'{{"outputs":{text}}}'


def test_how_others_are_written():
    assert written(np.int64([2**63 - 1, -(2**63)])) == '{"outputs":[9223372036854775807,-9223372036854775808]}'
    assert written([[True], [False]], rows=True) == '{"predictions":[[true],[false]]}'
    assert written(np.zeros([2, 0, 3], np.uint8), rows=True) == '{"predictions":[[],[]]}'
    assert written(np.array([b'a"\n', "é".encode()], object)) == '{"outputs":["a\\"\\n","\\u00e9"]}'
    assert written(np.array([b"\0\xff"], object), name="y_bytes") == '{"outputs":[{"b64":"AP8="}]}'
    assert written(np.array(b"s", object)) == '{"outputs":"s"}'


def test_several_outputs():
    outputs = {"b": np.int32([[1, 2], [3, 4]]), "a": np.float32([1, 0.5])}
    assert json.loads(response_json.predictions(outputs, rows=True)) == {
        "predictions": [{"a": 1.0, "b": [1, 2]}, {"a": 0.5, "b": [3, 4]}]
    }
    assert json.loads(response_json.predictions(outputs, rows=False)) == {
        "outputs": {"a": [1.0, 0.5], "b": [[1, 2], [3, 4]]}
    }


@pytest.mark.parametrize(
    ("outputs", "rows", "said"),
    [
        ({}, False, "empty tensor map"),
        (
            {"a": np.zeros(2), "b": np.zeros(3)},
            True,
            "inconsistent batch size, so 'instances' cannot be answered: a: [2], b: [3]",
        ),
        ({"a": np.zeros(())}, True, "a: []"),
        ({"a": np.zeros(2, np.float16)}, False, "float16"),
        ({"a": np.zeros(2, np.complex64)}, True, "complex64"),
        ({"a": np.array([b"\xff"], object)}, False, "'a' is not UTF-8"),
    ],
)
def test_what_cannot_be_written(outputs, rows, said):
    with pytest.raises(StatusError, match=r".") as caught:
        response_json.predictions(outputs, rows)
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT and said in caught.value.message


def test_results():
    result = classification_pb2.ClassificationResult()
    for classes in ([("é", 0.2), ("b", 1)], []):
        row = result.classifications.add()
        for label, score in classes:
            row.classes.add(label=label, score=score)
    assert response_json.classifications(result) == '{"results":[[["\\u00e9",0.2],["b",1.0]],[]]}'
    result = regression_pb2.RegressionResult(regressions=[{"value": 0.2}, {"value": np.nan}])
    assert response_json.regressions(result) == '{"results":[0.2,NaN]}'
    for write, empty in ((response_json.classifications, classification_pb2.ClassificationResult()),
                         (response_json.regressions, regression_pb2.RegressionResult())):  # fmt: skip
        with pytest.raises(StatusError, match="empty"):
            write(empty)


SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, max_side=4)


def _read(text: str, dtypes: dict[str, int]) -> dict[str, np.ndarray]:
    return request_json.tensors(request_json.parse(text.encode()), dtypes)[0]


@st.composite
def tensors(draw, shape=SHAPES):
    """A DataType and an array of it; strings are bytes."""
    dtype = draw(st.sampled_from([*NUMBERS, STRING]))
    if dtype == STRING:
        return dtype, draw(arrays.arrays(object, shape, elements=st.binary(max_size=5), fill=st.nothing()))
    return dtype, draw(arrays.arrays(NUMBERS[dtype], shape))


@CALM
@given(tensors())
@example((1, np.array(np.finfo(np.float32).max)))  # its nine digits are more than it
def test_what_is_written_is_read_back(made):
    dtype, array = made
    text = response_json.predictions({"x_bytes": array}, rows=False)
    found = _read(text.replace("outputs", "inputs", 1), {"x_bytes": dtype})["x_bytes"]
    np.testing.assert_array_equal(found, array, strict=True)
    if array.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(found)[~np.isnan(array)], np.signbit(array)[~np.isnan(array)])


@CALM
@given(st.integers(1, 3).flatmap(lambda n: st.lists(tensors(st.just((n, 2))), min_size=1, max_size=3)))
def test_rows_that_are_written_are_read_back(made):
    outputs = {f"{index}_bytes": array for index, (_, array) in enumerate(made)}
    text = response_json.predictions(outputs, rows=True).replace("predictions", "instances", 1)
    found = _read(text, {f"{index}_bytes": dtype for index, (dtype, _) in enumerate(made)})
    for name, array in outputs.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


DECIMALS = st.builds(
    lambda digits, power: float(f"{digits}e{power}"), st.integers(-(10**6), 10**6), st.integers(-45, 32)
)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@CALM
@given(st.lists(FLOATS | DECIMALS, min_size=1, max_size=64).map(np.float32))
def test_a_float_has_six_digits_or_nine(array):
    def reference(value: np.float32) -> str:
        text = f"{value:.6g}" if np.float32(float(f"{value:.6g}")) == value else f"{value:.9g}"
        return text if "." in text or "e" in text else f"{text}.0"

    assert written(array)[len('{"outputs":[') : -2].split(",") == [reference(value) for value in array]
