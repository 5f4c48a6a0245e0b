"""Weights out of .safetensors files of each type of number."""

import made_up_weights
import numpy as np
import pytest

from tfdfm.classifiers import safetensors_file

VALUES = np.array([[1.0, -2.5, 0.0], [3.140625, 1e-3, -65504.0]], np.float32)


@pytest.mark.parametrize(("dtype", "rtol"), [("F32", 0), ("F16", 2**-11), ("BF16", 2**-7)])
def test_every_type_is_read_as_float32(tmp_path, dtype, rtol):
    path = made_up_weights.save(tmp_path / "a.safetensors", {"a": VALUES, "b": np.float32(7)}, dtype)
    found = safetensors_file.read(path)
    assert found.keys() == {"a", "b"} and found["b"].shape == () and found["b"] == 7
    assert found["a"].dtype == np.float32 and found["a"].shape == (2, 3)
    np.testing.assert_allclose(found["a"], VALUES, rtol=rtol)
    np.testing.assert_array_equal(found["a"][:, 0], [1, 3.140625])  # exact in all


def test_only_what_is_wanted_is_read(tmp_path):
    more = {"ids": ("I64", [1], bytes(8))}
    path = made_up_weights.save(tmp_path / "a.safetensors", {"a": VALUES}, **more)
    assert safetensors_file.read(path, lambda name: name == "a").keys() == {"a"}
