"""The Inception network of 2015-12-05, whose scores the papers report: the frozen graph, as TensorFlow 2 can run it.

The graph (classify_image_graph_def.pb) resizes to 299 pixels by TensorFlow 1's bilinear rule and scales 0..255 to
[-1, 1] by itself. Salimans et al.'s Inception score takes its logits without the bias (Barratt & Sharma, 2018,
section 4), Heusel et al.'s FID the 2,048 features of pool_3.
"""

import functools
import hashlib
from pathlib import Path

import tensorflow as tf

from tfdfm.errors import Failure

URL = "http://download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz"
_INPUT, _FEATURES, _WEIGHTS = "ExpandDims:0", "pool_3:0", "softmax/weights:0"


def network(path: Path):
    """A function of float32 [B, H, W, 3] in 0..255 -> (features [B, 2048], logits [B, 1008]).

    Raises:
        Failure: the file is not that graph, or damaged.
    """
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(path.read_bytes())
        rewrite(graph)
        return tf.compat.v1.wrap_function(
            functools.partial(_run, graph), [tf.TensorSpec([None, None, None, 3], tf.float32)]
        )
    except OSError as error:
        raise Failure(f"Cannot read {path}: {error.strerror}.") from error
    except Exception as error:  # protobuf's, TensorFlow's, KeyError: whatever a wrong file brings
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Failure(
            f"{path} is not the frozen Inception graph of 2015-12-05 ({cause}). "
            f"Take classify_image_graph_def.pb of {URL}."
        ) from error


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
