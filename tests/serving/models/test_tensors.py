"""TensorProto to array and back: as TensorFlow does it, and never trusting a size."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2, types_pb2

from tfdfm.serving.models import tensors
from tfdfm.serving.status import StatusError

TYPES = ["float16", "bfloat16", "float32", "float64", "complex64", "complex128", "bool"]
TYPES += [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]


def sample(name, shape):
    kind = tf.as_dtype(name).as_numpy_dtype
    values = np.random.default_rng(3).normal(size=shape) * 50
    return values.astype(kind) if not name.startswith("u") else np.abs(values).astype(kind)


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
@pytest.mark.parametrize("name", TYPES)
def test_values_come_back(name, shape):
    values = sample(name, shape)
    proto = tensor_pb2.TensorProto()
    tensors.fill(proto, values)
    assert not proto.tensor_content
    for read in (tensors.array(proto), tf.make_ndarray(proto), tensors.array(tf.make_tensor_proto(values))):
        assert read.dtype == values.dtype and read.shape == shape
        np.testing.assert_array_equal(read, values)


@pytest.mark.parametrize("shape", [(), (0,), (2, 2)])
def test_strings_come_back(shape):
    values = np.full(shape, b"\x00\xff", object)
    proto = tensor_pb2.TensorProto()
    tensors.fill(proto, values)
    assert tensors.array(proto).tolist() == values.tolist() == tensors.array(tf.make_tensor_proto(values)).tolist()


def test_a_transposed_array_is_written_in_its_order():
    values = np.arange(6, dtype=np.float32).reshape(2, 3).T
    tensors.fill(proto := tensor_pb2.TensorProto(), values)
    np.testing.assert_array_equal(tensors.array(proto), values)


@pytest.mark.parametrize(("values", "whole"), [([7.0], [7, 7, 7]), ([1.0, 2.0], [1, 2, 2]), ([], [0, 0, 0])])
def test_the_last_value_fills_the_shape(values, whole):
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=values)
    proto.tensor_shape.dim.add(size=3)
    assert tensors.array(proto).tolist() == whole


def proto(dtype=types_pb2.DT_FLOAT, shape=(2,), **fields):
    made = tensor_pb2.TensorProto(dtype=dtype, **fields)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made


@pytest.mark.parametrize(
    "wrong",
    [
        proto(dtype=0),
        proto(dtype=999),
        proto(dtype=types_pb2.DT_RESOURCE),
        proto(dtype=types_pb2.DT_QINT8),
        proto(dtype=types_pb2.DT_FLOAT_REF, float_val=[1]),
        proto(shape=[-1]),
        proto(shape=[2**40], float_val=[1]),
        proto(shape=[2**62, 2**62, 4], float_val=[1]),
        proto(shape=[1] * 40, float_val=[1]),
        proto(shape=[1], float_val=[1, 2]),
        proto(tensor_content=b"\0" * 7),
        proto(tensor_content=b"\0" * 9),
        proto(dtype=types_pb2.DT_STRING, shape=[2**40], string_val=[b"x"]),
        tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_shape={"unknown_rank": True}),
    ],
    ids=lambda wrong: f"{wrong.dtype}-{[dim.size for dim in wrong.tensor_shape.dim][:3]}",
)
def test_what_is_no_tensor_is_refused(wrong):
    with pytest.raises(StatusError):
        tensors.array(wrong)


@settings(max_examples=300, deadline=None, database=None)
@given(st.binary(max_size=60))
def test_random_messages_are_read_or_refused(data):
    from google.protobuf.message import DecodeError

    try:
        made = tensor_pb2.TensorProto.FromString(data)
    except DecodeError:
        return
    try:
        assert isinstance(tensors.array(made), np.ndarray)
    except StatusError as refused:
        assert "Expected" in refused.message


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.sampled_from(list(types_pb2.DataType.values())),
    st.lists(st.integers(-2, 2**40), max_size=4),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5),
    st.binary(max_size=16),
)
def test_random_tensors_are_read_or_refused(dtype, shape, values, content):
    made = proto(dtype, shape, int_val=values, half_val=values, int64_val=values, tensor_content=content)
    made.float_val.extend(float(value) for value in values)
    try:
        read = tensors.array(made)
        assert list(read.shape) == shape and read.nbytes <= tensors.LIMIT
    except StatusError as refused:
        assert "Expected" in refused.message
