"""A user's program, in a process that cannot import tfdfm: python loader.py EXPORT INPUTS.npz OUTPUTS.npz"""

import sys

sys.modules["tfdfm"] = None

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tensorflow_hub as hub  # noqa: E402

path, given, out = sys.argv[1:]
inputs = dict(np.load(given))
latents = {name: tf.constant(inputs.pop(name)) for name in ["latents"]}
inputs = {name: tf.constant(value) for name, value in inputs.items()}
labels = {name: value for name, value in inputs.items() if name == "labels"}
model = tf.saved_model.load(path)
found = {f"signature_{name}": model.signatures[name](**inputs) for name in ("serving_default", "png")}
found["from_latents"] = model.signatures["from_latents"](**latents, **labels)
found["latents"] = model.latents({"seed": inputs["seed"]})
found["attribute"] = model.serving_default(inputs)
if "unconditional" in model.signatures:
    found["unconditional"] = model.unconditional({"seed": inputs["seed"]})
module = hub.load(path)
found["hub"] = module.serving_default(inputs)
layer = hub.KerasLayer(path, signature="serving_default", signature_outputs_as_dict=True)
found["hub_layer"] = layer(inputs)
layer = keras.layers.TFSMLayer(path, call_endpoint="serving_default")
found["tfsm"] = layer(inputs)
symbols = {name: keras.Input([], name=name, dtype=value.dtype.name) for name, value in inputs.items()}
found["functional"] = keras.Model(symbols, keras.ops.negative(layer(symbols)["images"]))(inputs)
found["functional"] = {"images": -found["functional"]}
card = tf.io.read_file(model.model_card.asset_path)
flat = {f"{way}/{name}": value.numpy() for way, outputs in found.items() for name, value in outputs.items()}
np.savez(out, card=card.numpy(), **flat)
