"""What is exported as ONNX is the SavedModel again in another runtime: latents and labels to the bit, images nearly."""

import json
import sys

import exports
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from tfdfm.errors import UsageError
from tfdfm.sampling import onnx, saved_model
from tfdfm.sampling.sampler import Sampler

SEEDS = np.array([0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1, -(2**32), *range(200)], np.int64)
INPUTS = {"seed": SEEDS, "labels": np.arange(len(SEEDS)) % 3}
KINDS = {
    "normal": lambda: exports.trained(prior="normal"),
    "conditional": lambda: exports.trained(classes=3),
    "ensemble": lambda: exports.ensemble(models=3, classes=1),
}


@pytest.fixture(params=[*list(KINDS)[:2], pytest.param("ensemble", marks=pytest.mark.whole)])
def trained(request):
    return KINDS[request.param]()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of tf2onnx
def test_onnx_is_the_saved_model(trained, tmp_path):
    sampler = Sampler(trained)
    path = saved_model.publish(tmp_path, lambda path: onnx.write(sampler, {"step": 7}, path))
    assert path == tmp_path / "1" and list(tmp_path.iterdir()) == [path]
    functions = sampler.signatures()
    latents = functions["latents"]({"seed": tf.constant(SEEDS)})["latents"].numpy()
    assert {file.stem for file in path.iterdir()} == functions.keys() - {"png"}
    for file in path.iterdir():
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        assert json.loads(session.get_modelmeta().custom_metadata_map["tfdfm"]) == {"step": 7}
        given = {each.name: (INPUTS | {"latents": latents})[each.name] for each in session.get_inputs()}
        found = dict(zip([each.name for each in session.get_outputs()], session.run(None, given), strict=True))
        expected = functions[file.stem]({name: tf.constant(value) for name, value in given.items()})
        assert found.keys() == set(onnx.OUTPUTS[file.stem])
        for name, values in found.items():
            np.testing.assert_allclose(values, expected[name], rtol=0, atol=1e-5 if name == "images" else 0)


def test_tf2onnx_is_asked_for(trained, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(UsageError, match=r"pip install 'tfdfm\[onnx\]'"):
        saved_model.publish(tmp_path, lambda path: onnx.write(Sampler(trained), {}, path))
    assert list(tmp_path.iterdir()) == []
