"""A sampler's images as LiteRT (TFLite), for phones and small devices: one latent in, one image out.

There are no seeds: its runtime has no bitwise operations to draw latents with.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from tfdfm.errors import Failure
from tfdfm.sampling.sampler import Sampler

FILE = "from_latents.tflite"
WEIGHTS = ("float32", "float16", "int8")


def write(sampler: Sampler, card: Mapping, path: Path, weights: str) -> None:
    """Writes path/from_latents.tflite, of the signature of that name for a batch of one, and model_card.json.

    Args:
        weights: as they are stored; of int8 each output of a layer has a scale of its own, and the layer's inputs are
            rounded to it as well. The model's own inputs and outputs stay float32.

    Raises:
        Failure: an operation that LiteRT does not have.
    """
    signature = sampler.signatures()["from_latents"]
    (specs,) = signature.input_signature
    one = {name: tf.TensorSpec([1, *spec.shape[1:]], spec.dtype, name) for name, spec in specs.items()}
    function = tf.function(lambda **inputs: signature(inputs), autograph=False).get_concrete_function(**one)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], sampler)
    if weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16] if weights == "float16" else []
    try:
        content = converter.convert()
    except Exception as error:  # the converter's own, of MLIR
        raise Failure(f"Cannot write this generator as LiteRT: {str(error).strip().splitlines()[-1]}") from error
    (path / FILE).write_bytes(content)
    (path / "model_card.json").write_text(json.dumps(card, indent=2) + "\n")
