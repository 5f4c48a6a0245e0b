"""A sampler's signatures as ONNX, for runtimes without TensorFlow: seeds in, images out."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.sampling.sampler import Sampler

OPSET = 18  # the first with bitwise operations
OUTPUTS = {  # of each signature; ONNX has no PNG
    "serving_default": ["images"],
    "from_latents": ["images"],
    "latents": ["latents"],
    "unconditional": ["images", "labels"],
}


def write(sampler: Sampler, card: Mapping, path: Path) -> None:
    """Writes path/<signature>.onnx for each of OUTPUTS, the card as its metadata `tfdfm`.

    Raises:
        UsageError: tf2onnx is not installed.
    """
    try:
        from tf2onnx import convert
    except ImportError:
        raise UsageError("Expected tf2onnx for --format=onnx: pip install 'tfdfm[onnx]'.") from None
    functions = sampler.signatures()
    for name in OUTPUTS.keys() & functions.keys():
        model, _ = convert.from_function(*_flat(functions[name], OUTPUTS[name]), opset=OPSET)
        _rename(model.graph, dict(zip([each.name for each in model.graph.output], OUTPUTS[name], strict=True)))
        model.metadata_props.add(key="tfdfm", value=json.dumps(card))
        (path / f"{name}.onnx").write_bytes(model.SerializeToString())


def _flat(function, outputs: Sequence[str]) -> tuple:
    """A function of tensors in place of a dictionary, and its signature."""
    (specs,) = function.input_signature

    def flat(*tensors: tf.Tensor) -> list[tf.Tensor]:
        found = function(dict(zip(specs, tensors, strict=True)))
        return [found[name] for name in outputs]

    signature = list(specs.values())
    return tf.function(flat, input_signature=signature, autograph=False), signature


def _rename(graph, names: Mapping[str, str]) -> None:
    """Tensors of an ONNX graph that are its outputs."""
    for node in graph.node:
        node.output[:] = [names.get(each, each) for each in node.output]
        node.input[:] = [names.get(each, each) for each in node.input]
    for each in graph.output:
        each.name = names[each.name]
