"""A small graph with the operations, node names, attributes and producer version of the published one of 2015."""

import io
import tarfile

import numpy as np
import tensorflow as tf

PRODUCER = 8  # of graphs of 2015; from 9 on the old batch norm is refused
EPSILON = 0.001
RNG = np.random.default_rng(0)
WEIGHTS = {
    "conv/conv2d_params": RNG.normal(0, 0.3, [3, 3, 3, 8]),
    "conv/batchnorm/moving_mean": RNG.normal(0, 0.3, [8]),
    "conv/batchnorm/moving_variance": RNG.uniform(0.3, 2, [8]),
    "conv/batchnorm/beta": RNG.normal(0, 0.5, [8]),
    "conv/batchnorm/gamma": RNG.uniform(0.5, 2, [8]),
    "softmax/weights": RNG.normal(0, 1, [8, 5]),
    "softmax/biases": RNG.normal(0, 9, [5]),
}
WEIGHTS = {name: value.astype(np.float32) for name, value in WEIGHTS.items()}


def graph_def(scaled: bool) -> tf.compat.v1.GraphDef:
    """As the published one, from the JPEG to the softmax, with one convolution in place of its many."""
    made = tf.compat.v1.GraphDef()
    made.versions.producer = PRODUCER

    def node(op, name, *inputs, **attributes):
        one = made.node.add(op=op, name=name, input=inputs)
        for key, value in attributes.items():
            kind = {bool: "b", float: "f", bytes: "s", tf.DType: "type"}.get(type(value), "tensor")
            if isinstance(value, list):
                one.attr[key].list.i.extend(value)
            elif kind == "tensor":
                one.attr[key].tensor.CopyFrom(tf.make_tensor_proto(value))
            else:
                setattr(one.attr[key], kind, value.as_datatype_enum if kind == "type" else value)
        return name

    def constant(name, value):
        value = np.asarray(value)
        return node("Const", name, dtype=tf.as_dtype(value.dtype), value=value)

    float32 = {"T": tf.float32}
    for name, value in WEIGHTS.items():
        constant(name, value)
    contents = constant("DecodeJpeg/contents", np.array(b"", object))
    node("DecodeJpeg", "DecodeJpeg", contents)
    node("Cast", "Cast", "DecodeJpeg", SrcT=tf.uint8, DstT=tf.float32)
    node("ExpandDims", "ExpandDims", "Cast", constant("ExpandDims/dim", np.int32(0)), **float32)
    size = constant("ResizeBilinear/size", np.array([299, 299], np.int32))
    node("ResizeBilinear", "ResizeBilinear", "ExpandDims", size, **float32)
    node("Sub", "Sub", "ResizeBilinear", constant("Sub/y", np.float32(128)), **float32)
    node("Mul", "Mul", "Sub", constant("Mul/y", np.float32(0.0078125)), **float32)
    node("Conv2D", "conv/Conv2D", "Mul", "conv/conv2d_params", strides=[1, 2, 2, 1], padding=b"VALID", **float32)
    statistics = [f"conv/batchnorm/{part}" for part in ("moving_mean", "moving_variance", "beta", "gamma")]
    how = {"variance_epsilon": EPSILON, "scale_after_normalization": scaled}
    node("BatchNormWithGlobalNormalization", "conv/batchnorm", "conv/Conv2D", *statistics, **how, **float32)
    node("Relu", "conv", "conv/batchnorm", **float32)
    window = {"ksize": [1, 149, 149, 1], "strides": [1, 1, 1, 1], "padding": b"VALID"}
    node("AvgPool", "pool_3", "conv", **window, **float32)
    shape = constant("pool_3/_reshape/shape", np.array([1, 8], np.int32))  # of one image, as published
    node("Reshape", "pool_3/_reshape", "pool_3", shape, **float32)
    node("MatMul", "softmax/logits/MatMul", "pool_3/_reshape", "softmax/weights", **float32)
    node("BiasAdd", "softmax/logits", "softmax/logits/MatMul", "softmax/biases", **float32)
    node("Softmax", "softmax", "softmax/logits", **float32)
    return made


PLACES = {"n00000009": 2, "n00000003": 3, "n00000007": 0, "n00000001": 1}  # of the five logits; the last is no class's


def label_map(places: dict[str, int]) -> bytes:
    """In the form of imagenet_2012_challenge_label_map_proto.pbtxt."""
    entries = (
        f'entry {{\n  target_class: {place}\n  target_class_string: "{name}"\n}}\n' for name, place in places.items()
    )
    return f"# -*- protobuffer -*-\n# LabelMap.\n{''.join(entries)}".encode()


def archive(files: dict[str, bytes]) -> bytes:
    """A .tgz of these files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()
