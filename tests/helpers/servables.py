"""Tiny SavedModels for the tests of the server. TF1-style ones take milliseconds to save."""

import json
import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
PREDICT, CLASSIFY, REGRESS = (f"tensorflow/serving/{method}" for method in ("predict", "classify", "regress"))


def save(path: Path, build, **options) -> Path:
    """`build()` makes a graph and returns {signature: (inputs, outputs[, method name])} of named tensors."""
    with tf.Graph().as_default(), v1.Session() as session:
        signatures = {}
        for name, (inputs, outputs, *method) in build().items():
            infos = [
                {key: v1.saved_model.build_tensor_info(tensor) for key, tensor in tensors.items()}
                for tensors in (inputs, outputs)
            ]
            signatures[name] = v1.saved_model.build_signature_def(*infos, *(method or [PREDICT]))
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures, **options)
        builder.save()
    return path


def line(path: Path, slope: float = 2.0, intercept: float = 1.0) -> Path:
    """y = slope x + intercept; x and y float32 [B]."""

    def build():
        x = v1.placeholder(tf.float32, [None], "x")
        y = v1.get_variable("slope", initializer=slope, use_resource=True) * x + intercept
        return {"serving_default": ({"x": x}, {"y": y})}

    return save(path, build)


def modern(path: Path) -> Path:
    """y = 2 x + 1, as TF2 saves it."""
    module = tf.Module()
    module.slope = tf.Variable(2.0)
    module.line = tf.function(lambda x: {"y": module.slope * x + 1}, [tf.TensorSpec([None], tf.float32, "x")])
    tf.saved_model.save(module, str(path), {"serving_default": module.line})
    return path


def gated(path: Path, add: float = 0.0) -> Path:
    """y = x + add, not before a file named by the first row's `gate` exists. x, y float32 [B], gate string [B]."""

    def build():
        x, gate = v1.placeholder(tf.float32, [None]), v1.placeholder(tf.string, [None])
        closed = lambda _: tf.equal(tf.size(tf.raw_ops.MatchingFiles(pattern=gate[0])), 0)  # noqa: E731
        opened = tf.while_loop(closed, lambda step: step + 1, [tf.constant(0)])
        with tf.control_dependencies(opened):
            y = x + add
        return {"serving_default": ({"x": x, "gate": gate}, {"y": y})}

    return save(path, build)


def many(path: Path) -> Path:
    """Signatures of every sort: see the names."""

    def build():
        x = v1.placeholder(tf.float32, [None])
        scalar = v1.placeholder(tf.float32, [])
        matrix = v1.placeholder(tf.float32, [None, None])
        string, whole = v1.placeholder(tf.string, [None]), v1.placeholder(tf.int64, [None])
        with tf.control_dependencies([v1.assert_non_negative(x, message="below zero")]):
            root = tf.identity(tf.sqrt(x))
        total = v1.placeholder_with_default(tf.reduce_sum(x, keepdims=True), [None])
        outputs = {"sum": x + tf.cast(whole, tf.float32), "echo": whole, "text": string, "half": tf.cast(x, tf.half)}
        return {
            "scalar": ({"x": scalar}, {"y": scalar + 1}),
            "name": ({"x": scalar}, {"name": tf.constant(b"\xff")}),
            "matrix": ({"x": matrix}, {"y": 2 * matrix}),
            "root": ({"x": x}, {"y": root}),
            "total": ({"x": x}, {"y": total}),
            "several": ({"x": x, "n": whole, "s": string}, outputs),
            "rows": ({"x": x}, {"y": x, "rows": tf.fill([tf.size(x)], tf.size(x))}),
        }

    return save(path, build)


def estimator(path: Path) -> Path:
    """classify, regress and predict on tf.train.Example with a float feature `x`: score and value are x and 2 x."""

    def build():
        texts = v1.placeholder(tf.string, [None])
        x = v1.parse_example(texts, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]
        classes = tf.tile(tf.constant([["no", "yes"]]), [tf.shape(x)[0], 1])
        examples, outputs = {"inputs": texts}, {"classes": classes, "scores": tf.concat([1 - x, x], 1)}
        return {
            "serving_default": (examples, outputs, CLASSIFY),
            "double": (examples, {"outputs": 2 * x}, REGRESS),
            "plain": (examples, {"x": x}),
        }

    return save(path, build)


def generator(path: Path, classes: int = 3) -> Path:
    """A stand-in for an export: 2x2 grey images of value seed / 10 (+ label), with its card."""

    def build():
        seed, labels = v1.placeholder(tf.int64, [None]), v1.placeholder(tf.int64, [None])
        latents = v1.placeholder(tf.float32, [None, 2])
        given = {"seed": seed, "labels": labels} if classes else {"seed": seed}
        value = tf.cast(seed + labels if classes else seed, tf.float32) / 10
        images = tf.tile(value[:, None, None, None], [1, 2, 2, 1])
        pixels = tf.cast(tf.round(images * 255), tf.uint8)
        png = tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.string)
        return {
            "serving_default": (given, {"images": images}),
            "png": (given, {"image_bytes": png}),
            "from_latents": (
                {"latents": latents, "labels": labels} if classes else {"latents": latents},
                {"images": tf.tile(tf.reduce_sum(latents, 1)[:, None, None, None], [1, 2, 2, 1])},
            ),
        }

    save(path, build)
    card = {"format": "tfdfm", "num_classes": classes, "image_size": 2, "channels": 1, "latent_size": 2}
    (path / "assets").mkdir(exist_ok=True)
    (path / "assets" / "model_card.json").write_text(json.dumps(card))
    return path


def publish(made: Path, base: Path, number: int | str) -> Path:
    """Puts a saved model into a base path at once, as the exporter does."""
    base.mkdir(parents=True, exist_ok=True)
    hidden = base / f".{number}"
    shutil.copytree(made, hidden)
    return hidden.rename(base / str(number))


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)
