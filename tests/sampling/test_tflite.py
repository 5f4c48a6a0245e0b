"""What is exported for LiteRT is the SavedModel's from_latents again, in its own runtime."""

import json

import exports
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from tfdfm.errors import Failure
from tfdfm.sampling import saved_model, tflite
from tfdfm.sampling.sampler import Sampler

CLOSE = {"float32": 1e-5, "float16": 3e-3, "int8": 0.15}  # of [0, 1]


@pytest.mark.parametrize("weights", tflite.WEIGHTS)
@pytest.mark.parametrize("classes", [0, 3])
def test_litert_is_the_saved_model(weights, classes, tmp_path):
    sampler = Sampler(exports.trained(classes=classes))
    path = saved_model.publish(tmp_path, lambda path: tflite.write(sampler, {"step": 7}, path, weights))
    assert json.loads((path / "model_card.json").read_text()) == {"step": 7}
    runner = Interpreter(model_path=str(path / tflite.FILE)).get_signature_runner()
    latents = np.random.default_rng(0).uniform(-1, 1, [8, 8]).astype(np.float32)
    inputs = {"latents": latents} | ({"labels": np.arange(8) % 4} if classes else {})
    expected = sampler.signatures()["from_latents"]({name: tf.constant(value) for name, value in inputs.items()})
    found = np.concatenate([runner(**{k: v[i : i + 1] for k, v in inputs.items()})["images"] for i in range(8)])
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected["images"]))  # of a class that there is not
    np.testing.assert_allclose(found, expected["images"], atol=CLOSE[weights])
    assert np.nanstd(found, axis=0).mean() > 0.02


def test_weights_take_the_room_that_they_say(tmp_path):
    sampler, sizes = Sampler(exports.trained(generator=dict(network="DCGAN", width=32))), []
    for weights in tflite.WEIGHTS:
        (tmp_path / weights).mkdir()
        tflite.write(sampler, {}, tmp_path / weights, weights)
        sizes.append((tmp_path / weights / tflite.FILE).stat().st_size)
    assert sizes[1] < 0.6 * sizes[0] and sizes[2] < 0.4 * sizes[0]


def test_what_litert_does_not_have_is_one_line(tmp_path, monkeypatch):
    sampler = Sampler(exports.trained())
    signatures = sampler.signatures()
    strange = tf.function(
        lambda inputs: {"images": tf.math.igamma(1.0, inputs["latents"])}, [{"latents": tf.TensorSpec([None, 8])}]
    )
    monkeypatch.setattr(sampler, "signatures", lambda: signatures | {"from_latents": strange})
    with pytest.raises(Failure, match="Cannot write this generator as LiteRT: .*") as error:
        tflite.write(sampler, {}, tmp_path, "float32")
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())
