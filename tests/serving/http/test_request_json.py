"""JSON to tensors, without a server."""

import json
import time

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.example import example_pb2
from tensorflow.core.framework import types_pb2

from tfdfm.serving.http import request_json
from tfdfm.serving.status import StatusError

FLOAT, DOUBLE, INT32, INT64, UINT8 = (
    types_pb2.DataType.Value(f"DT_{n}") for n in "FLOAT DOUBLE INT32 INT64 UINT8".split()
)
BOOL, STRING, HALF = types_pb2.DT_BOOL, types_pb2.DT_STRING, types_pb2.DT_HALF
TEXT, ROWS = "a" * 10**5, "{}," * 999
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(body: str | bytes, **dtypes: int) -> dict[str, np.ndarray]:
    request = request_json.parse(body if isinstance(body, bytes) else body.encode())
    return request_json.tensors(request, dtypes or {"x": FLOAT})[0]


def refused(body: str | bytes, **dtypes: int) -> str:
    with pytest.raises(StatusError) as caught:
        read(body, **dtypes)
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert len(caught.value.message) < 300
    return caught.value.message


@pytest.mark.parametrize(
    ("body", "dtype", "expected"),
    [
        ('{"instances": [1, 2.5, -3e2]}', FLOAT, np.float32([1, 2.5, -300])),
        ('{"instances": [{"x": 1}, {"x": 2}]}', FLOAT, np.float32([1, 2])),
        ('{"instances": [[[1], [2]], [[3], [4]]]}', INT32, np.int32([[[1], [2]], [[3], [4]]])),
        ('{"inputs": [NaN, Infinity, -Infinity]}', FLOAT, np.float32([np.nan, np.inf, -np.inf])),
        ('{"inputs": {"x": 7, "more": {"ignored": []}}}', INT64, np.int64(7)),
        ('{"inputs": [9223372036854775807, -9223372036854775808]}', INT64, np.int64([2**63 - 1, -(2**63)])),
        ('{"inputs": [9007199254740993]}', INT64, np.int64([2**53 + 1])),
        ('{"inputs": [18446744073709551615]}', types_pb2.DT_UINT64, np.uint64([2**64 - 1])),
        ('{"inputs": [true, false]}', BOOL, np.array([True, False])),
        ('{"inputs": []}', FLOAT, np.zeros([0], np.float32)),
        ('{"inputs": [[], []]}', FLOAT, np.zeros([2, 0], np.float32)),
        ('{"inputs": [0.1, 1e300]}', DOUBLE, np.float64([0.1, 1e300])),
        ('{"inputs": 1e-60}', FLOAT, np.float32(0)),
        ('{"inputs": 16777216}', FLOAT, np.float32(2**24)),
        ('\ufeff{"inputs": 1}', FLOAT, np.float32(1)),
    ],
)
def test_what_is_read(body, dtype, expected):
    found = read(body, x=dtype)["x"]
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"abc"', b"abc"),
        ('"\\u00e9\\ud83d\\ude00\\u0000"', "é😀\0".encode()),
        ('{"b64": "AP8="}', b"\0\xff"),
        ('{"b64": "AP8"}', b"\0\xff"),
        ('{"b64": " A P\\n8= "}', b"\0\xff"),
        ('{"b64": ""}', b""),
    ],
)
def test_strings(value, expected):
    for body in (f'{{"inputs": {value}}}', f'{{"inputs": {{"x": {value}}}}}'):
        assert read(body, x=STRING)["x"].item() == expected
    for body in (f'{{"instances": [{value}]}}', f'{{"instances": [{{"x": {value}}}]}}'):
        assert read(body, x=STRING)["x"].tolist() == [expected]


def test_several_inputs():
    for body in (
        '{"instances": [{"a": 1, "b": [2]}, {"b": [4], "a": 3}]}',
        '{"inputs": {"b": [[2], [4]], "a": [1, 3]}}',
    ):
        found = read(body, a=INT64, b=FLOAT)
        assert (found["a"].tolist(), found["b"].tolist()) == ([1, 3], [[2.0], [4.0]])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "JSON Parse error: The document is empty"),
        (" \n", "JSON Parse error: The document is empty"),
        ("{", "JSON Parse error"),
        ('{"inputs": 1} 2', "JSON Parse error"),
        (b'{"inputs": "\xff"}', "not UTF-8 at offset: 12"),
        ("[" * 200_000, "nested too deeply"),
        ('{"a":' * 200_000, "nested too deeply"),
        ('{"inputs": ' + "[" * 65 + "]" * 65 + "}", "deeper than 64"),
        ("[1]", "Expected a JSON object, given a list of 1"),
        ("null", "Expected a JSON object, given null"),
        ('{"signature_name": 1, "inputs": 1}', "'signature_name' must be a string, given 1"),
        ('{"inputs": 1, "inputs": 2}', 'key "inputs" is there twice'),
        ('{"instances": [{"x": 1, "x": 1}]}', 'key "x" is there twice'),
        ("{}", "Missing 'inputs' or 'instances' key"),
        ('{"inputs": 1, "instances": [1]}', "only one of 'inputs' and 'instances'"),
        ('{"instances": []}', "a list of at least one, given a list of 0"),
        ('{"instances": 3}', "a list of at least one, given 3"),
        ('{"instances": [1, {"x": 1}]}', "item 1 differs from item 0"),
        ('{"instances": [{"x": 1}, {"y": 1}]}', "Item 1 of 'instances': keys must be equal to: x. Given \"y\""),
        ('{"instances": [{"x": 1, "y": 1}]}', "Item 0"),
        ('{"instances": [{}]}', "Given none"),
        ('{"inputs": {"y": 1}}', "Missing named input: x"),
        ('{"inputs": [[1], [2, 3]]}', "lists at level 1 have different sizes: [1, 2]"),
        ('{"inputs": [[1], 2]}', "expected a list at level 1, as its first is, given 2"),
        ('{"inputs": [1, [2]]}', "JSON Value: a list of 1 is not of expected type: float32"),
        ('{"inputs": [1, true]}', "JSON Value: true is not of expected type: float32"),
        ('{"inputs": [null]}', "JSON Value: null is not"),
        ('{"inputs": ["1"]}', 'JSON Value: "1" is not'),
        ('{"inputs": [{"b64": "AA=="}]}', "JSON Value: an object of 1 is not"),
        ('{"inputs": 1e39}', "Cannot convert JSON value: 1e+39 to float32 without loss of precision"),
        ('{"inputs": 3.4028236e38}', "Cannot convert JSON value: 3.4028236e+38 to float32 without loss of precision"),
        ('{"inputs": -16777217}', "Cannot convert JSON value: -16777217 to float32"),
        ('{"inputs": 1e400}', "1e400 is too large for a number"),
        ('{"inputs": 1' + "0" * 5000 + "}", "JSON Parse error"),
        ('{"inputs": "' + "a" * 10_000 + '"}', "..."),
    ],
)
def test_what_is_refused(body, said):
    assert said in refused(body)


@pytest.mark.parametrize(
    ("value", "dtype", "said"),
    [
        ("1.0", INT64, "JSON Value: 1.0 is not of expected type: int64 (input 'x')"),
        ("true", INT64, "true is not of expected type: int64"),
        ("NaN", INT32, "NaN is not of expected type: int32"),
        ("9223372036854775808", INT64, "9223372036854775808 is out of range for int64"),
        ("[1, 256, 3]", UINT8, "256 is out of range for uint8"),
        ("-1", UINT8, "-1 is out of range for uint8"),
        ("1" + "0" * 4000, INT64, "is out of range for int64"),
        ("1" + "0" * 4000, DOUBLE, "to float64 without loss"),
        ("9007199254740993", DOUBLE, "9007199254740993 to float64 without loss"),
        ("1", BOOL, "1 is not of expected type: bool"),
        ("1", STRING, "1 is not of expected type: string"),
        ('{"b64": "A"}', STRING, "not formatted correctly for base64 data"),
        ('{"b64": "AA=A"}', STRING, "not formatted correctly for base64 data"),
        ('{"b64": "é"}', STRING, "not formatted correctly for base64 data"),
        ('[{"b64": 1}]', STRING, "is not of expected type: string"),
        ('"\\ud800"', STRING, "half of a surrogate pair"),
        ("1", HALF, "DT_HALF, which JSON cannot hold"),
    ],
)
def test_what_a_dtype_refuses(value, dtype, said):
    assert said in refused(f'{{"inputs": {{"x": {value}}}}}', x=dtype)


def test_values_have_a_limit():
    assert "at most 4194304 values" in refused(b'{"inputs": [' + b"[]," * (request_json.MOST + 1) + b"[]]}")


def test_many_keys_of_which_one_is_there_twice_are_read_once():
    keys = ",".join(f'"{number}": 1' for number in range(100_000))
    start = time.process_time()
    with pytest.raises(StatusError, match='key "99999" is there twice'):
        request_json.parse(f'{{{keys}, "99999": 1}}'.encode())
    assert time.process_time() - start < 10  # not minutes, as when each is looked for among all


def test_a_plain_list_is_for_one_input():
    assert "expected an object with a, b" in refused('{"instances": [1]}', a=FLOAT, b=FLOAT)
    assert "expected an object with a, b" in refused('{"inputs": [1]}', a=FLOAT, b=FLOAT)


def test_examples():
    request = request_json.parse(
        b'{"context": {"c": 1, "f": [9]}, "examples": [{"f": [0.5, NaN], "s": ["a", {"b64": "/w=="}]},'
        b' {"i": [true, -3], "none": []}]}'
    )
    made = map(example_pb2.Example.FromString, request_json.examples(request))
    first, second = (example.features.feature for example in made)
    assert first["c"].int64_list.value == second["c"].int64_list.value == [1]
    assert first["f"].float_list.value[0] == 0.5 and second["f"].int64_list.value == [9]
    assert first["s"].bytes_list.value == [b"a", b"\xff"]
    assert second["i"].int64_list.value == [1, -3] and second["none"].WhichOneof("kind") is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{}", "Expected 'examples' to be a list of at least one, given null"),
        ('{"examples": []}', "given a list of 0"),
        ('{"examples": [1]}', "Example must be JSON object, given 1"),
        ('{"examples": [{}], "context": []}', "Example must be JSON object"),
        ('{"examples": [{"f": [1, 2.5]}]}', "of one kind, given 1, 2.5 (feature 'f')"),
        ('{"examples": [{"f": [[1]]}]}', "given a list of 1"),
        ('{"examples": [{"f": null}]}', "given null"),
        ('{"examples": [{"f": 9223372036854775808}]}', "out of range for int64"),
        ('{"examples": [{"f": 1e39}]}', "1e+39 to float32"),
        ('{"examples": [{"f": {"b65": ""}}]}', "is not of expected type: string (feature 'f')"),
        ('{"examples": [{"\\ud800": 1}]}', "half of a surrogate pair (name of a feature)"),
        (f'{{"context": {{"x": "{TEXT}"}}, "examples": [{ROWS}{{}}]}}', "examples with their context"),
    ],
)
def test_examples_refused(body, said):
    with pytest.raises(StatusError) as caught:
        request_json.examples(request_json.parse(body.encode()))
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT and said in caught.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.characters(categories=["Cs"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["x", "y", "b64"]) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
REQUESTS = st.dictionaries(st.sampled_from(["inputs", "instances", "examples", "context", "signature_name"]), JSON)
BODIES = REQUESTS.map(json.dumps).map(str.encode) | JSON.map(json.dumps).map(str.encode) | st.binary(max_size=40)
SIGNATURES = st.dictionaries(st.sampled_from("xyz"), st.sampled_from([*request_json.DTYPES, HALF]), min_size=1)


def test_what_is_nearest_to_the_largest_number_is_it():
    assert read('{"inputs": [3.40282356e38, -3.40282356e38]}')["x"].tolist() == [np.finfo("f").max, np.finfo("f").min]


@CALM
@given(BODIES, SIGNATURES)
def test_any_body_is_a_value_or_refused(body, dtypes):
    for use in (lambda request: request_json.tensors(request, dtypes), request_json.examples):
        try:
            use(request_json.parse(body))
        except StatusError as refused:
            assert refused.code == grpc.StatusCode.INVALID_ARGUMENT and refused.message


@CALM
@given(JSON, st.sampled_from([*request_json.DTYPES]))
def test_any_value_of_an_input_is_a_tensor_or_refused(value, dtype):
    for request in ({"inputs": {"x": value}}, {"instances": [{"x": value}, {"x": value}]}, {"inputs": value}):
        try:
            found = request_json.tensors(request_json.parse(json.dumps(request).encode()), {"x": dtype})[0]["x"]
        except StatusError as refused:
            assert refused.code == grpc.StatusCode.INVALID_ARGUMENT and refused.message
        else:
            assert found.dtype == request_json.DTYPES[dtype]
