"""Anybody's classifier from a file: a SavedModel's folder, a .keras or an .h5 file.

It is fed float32 in 0..255 (uint8 if its signature says so), resized to its signature's size, and gives logits or
probabilities alone, or features and logits: as a pair or as a dictionary with these names.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfdfm.classifiers.binding import PROBE, Classifier, Resize, bind
from tfdfm.errors import Failure

_FEATURES = ("features", "pool_3")  # in a dictionary; the second is tensorflow-gan's


def find(path: Path) -> Classifier:
    """The classifier in a file. Features are, where the model gives none, the input of a Keras model's last layer
    with weights, and the logits themselves of a SavedModel.

    Raises:
        Failure: it cannot be loaded, or takes or gives something else.
    """
    try:
        network, spec = saved_model(path) if path.is_dir() else _keras(path)
        return _bound(network, spec, {"name": path.name, "checksum": checksum(path), "logits": "as given"})
    except Failure:
        raise
    except Exception as error:  # Keras's, TensorFlow's, a custom layer's: whatever a file brings
        cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise Failure(f"{path} does not work as a classifier: {cause}") from error


def checksum(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of a folder's files."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\0{checksum(file)}\n".encode())
    return digest.hexdigest()


def saved_model(path: Path) -> tuple[Callable, tf.TensorSpec]:
    """A function of images, by the signature (serving_default or the first) or by a call, and the images it takes."""
    tags = [] if (path / "tfhub_module.pb").exists() else None  # TF-Hub's old format has none
    model = tf.saved_model.load(str(path), tags=tags)
    signatures = dict(model.signatures)
    function = signatures.get("serving_default") or next(iter(signatures.values()), None)
    if function is None:
        return model, tf.TensorSpec([None, None, None, 3], tf.float32)
    (name, spec), *others = function.structured_input_signature[1].items()
    if others:
        raise Failure(f"Expected a classifier with one input. {path} has {1 + len(others)}.")
    function.model = model  # its variables live as long
    return lambda images: function(**{name: images}), spec


def outputs(given) -> tuple[tf.Tensor, tf.Tensor]:
    """Features and logits, [B, F] and [B, C], of whatever a network gives."""
    if isinstance(given, dict) and "logits" in given:
        values = [*(given[name] for name in _FEATURES if name in given), given["logits"]]
    elif isinstance(given, dict):
        values = [given[name] for name in sorted(given)]
    else:
        values = list(given) if isinstance(given, list | tuple) else [given]
    if len(values) > 2:
        names = ", ".join(sorted(given)) if isinstance(given, dict) else f"{len(values)} tensors"
        raise Failure(f"Expected of a classifier 'features' and 'logits', or logits alone. It gives {names}.")
    features, logits = (tf.reshape(value, [tf.shape(value)[0], -1]) for value in (values[0], values[-1]))
    return tf.cast(features, tf.float32), tf.cast(logits, tf.float32)


def _keras(path: Path) -> tuple[Callable, tf.TensorSpec]:
    model = keras.saving.load_model(path, compile=False)
    spec = tf.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype)
    if len(model.outputs) == 1:
        last = next(layer for layer in reversed(model.layers) if layer.weights)
        model = keras.Model(model.inputs, [last.input, model.outputs[0]])
    return lambda images: model(images, training=False), spec


def _bound(network: Callable, spec: tf.TensorSpec, record: dict) -> Classifier:
    height, width, channels = spec.shape[1:]
    resize = Resize(height, width, antialias=True) if height and width else tf.identity

    def run(images):
        images = resize(images)
        images = tf.cast(tf.round(images) if spec.dtype.is_integer else images, spec.dtype)
        return outputs(network(images))

    def run_logarithm(images):
        features, probabilities = run(images)
        return features, tf.math.log(tf.maximum(probabilities, 1e-30))

    record |= {"resize": str(resize) if height and width else "none"}
    classifier = bind(run, channels or 3, record)
    _, given = classifier.run(PROBE)
    if given.min() >= 0 and np.allclose(given.sum(axis=1), 1, atol=1e-3):
        return bind(run_logarithm, channels or 3, record | {"logits": "logarithms of its probabilities"})
    return classifier
