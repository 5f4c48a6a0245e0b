"""The Inception network of 2015-12-05, whose scores the papers report: the frozen graph, as TensorFlow 2 can run it.

The graph (classify_image_graph_def.pb) resizes to 299 pixels by TensorFlow 1's bilinear rule and scales 0..255 to
[-1, 1] by itself. Salimans et al.'s Inception score takes its logits without the bias (Barratt & Sharma, 2018,
section 4), Heusel et al.'s FID the 2,048 features of pool_3. Of its 1,008 logits the label map beside the graph in the
archive names 1,000, those of ImageNet's classes: accuracy is of these, in WordNet's order.
"""

import functools
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from absl import logging

from tfdfm.classifiers import inception_file, model_file
from tfdfm.classifiers.binding import Classifier, bind, class_checksum
from tfdfm.errors import Failure, UsageError

SIZE = 299
_INPUT, _FEATURES, _WEIGHTS = "ExpandDims:0", "pool_3:0", "softmax/weights:0"


def find(place: str = "", cache_dir: str | None = None) -> Classifier:
    """The classifier of the published graph.

    Args:
        place: path or URL of the graph or of the archive with it, or the folder or TF-Hub handle (https://...) of
            tensorflow-gan's SavedModel; "": inception_file.URL.
        cache_dir: where what is fetched is kept.

    Raises:
        UsageError: there is no such file.
        Failure: it cannot be fetched, or it is another one; a file that is named by its path may be another.
    """
    path = Path(place).expanduser()
    if not place or "://" in place:
        path = inception_file.fetched(place, cache_dir)
    elif not path.exists():
        raise UsageError(f"Expected the graph of 2015, its archive or a SavedModel, given {place}, which is not there.")
    if path.is_dir():
        return _saved_model(path)
    found, published = inception_file.checksum(path), inception_file.CHECKSUM
    if found != published:
        logging.warning("%s is not the graph of the papers: SHA-256 %s, published %s.", path, found, published)
    return _bound(path, network(path), "TF1 bilinear, to 299 x 299", found)


def network(path: Path) -> Callable:
    """A function of float32 [B, H, W, 3] in 0..255 -> (features [B, 2048], logits [B, 1008]).

    Raises:
        Failure: the file is not that graph, or damaged.
    """
    graph = tf.compat.v1.GraphDef()
    content = inception_file.content(path)
    try:
        graph.ParseFromString(content)
        rewrite(graph)
        return tf.compat.v1.wrap_function(
            functools.partial(_run, graph), [tf.TensorSpec([None, None, None, 3], tf.float32)]
        )
    except Exception as error:  # protobuf's, TensorFlow's, KeyError: whatever a wrong file brings
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Failure(
            f"{path} is not the frozen Inception graph of 2015-12-05 ({cause}). {inception_file.ADVICE}"
        ) from error


def _bound(path: Path, network: Callable, resize: str, found: str) -> Classifier:
    classifier = bind(network, 3, {"name": "inception2015", "checksum": found, "resize": resize})
    if not (places := inception_file.places(path)):
        logging.info("%s has no %s: no accuracy of ImageNet's classes.", path, inception_file.LABELS)
        return classifier._replace(classes="unknown")
    if (last := max(places.values())) >= classifier.num_classes:
        given = f"place {last:,} of {classifier.num_classes:,} logits"
        raise Failure(f"The label map {inception_file.LABELS} of {path} is another network's: it names {given}.")
    names = sorted(places)
    return classifier._replace(classes=class_checksum(names), rows=tuple(places[name] for name in names))


def _saved_model(path: Path) -> Classifier:
    """tensorflow-gan's: takes 299 pixels in [-1, 1], gives pool_3 and logits."""
    network, _ = model_file.saved_model(path)

    def run(images):
        images = tf.compat.v1.image.resize_bilinear(images, [SIZE, SIZE])
        return model_file.outputs(network((images - 128) / 128))

    return _bound(path, run, "TF1 bilinear, to 299 x 299, before a SavedModel", model_file.checksum(path))


def _run(graph, images):
    features, weights = tf.graph_util.import_graph_def(
        graph, {_INPUT: images}, return_elements=[_FEATURES, _WEIGHTS], name=""
    )
    features = tf.reshape(features, [-1, weights.shape[0]])
    return features, features @ weights  # no bias


def rewrite(graph: tf.compat.v1.GraphDef) -> None:
    """Puts FusedBatchNormV3 in the place of BatchNormWithGlobalNormalization, which TensorFlow 2 no longer runs."""
    for node in [node for node in graph.node if node.op == "BatchNormWithGlobalNormalization"]:
        x, mean, variance, beta, gamma = node.input
        if not node.attr["scale_after_normalization"].b:
            gamma = graph.node.add(name=f"{node.name}/ones", op="OnesLike", input=[gamma]).name
            graph.node[-1].attr["T"].type = tf.float32.as_datatype_enum
        epsilon = node.attr["variance_epsilon"].f
        node.op = "FusedBatchNormV3"
        node.input[:] = [x, gamma, beta, mean, variance]
        node.attr.clear()
        for name in ("T", "U"):
            node.attr[name].type = tf.float32.as_datatype_enum
        node.attr["epsilon"].f, node.attr["is_training"].b, node.attr["data_format"].s = epsilon, False, b"NHWC"
