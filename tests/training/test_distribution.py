"""What a device is given to compute in."""

import pytest

from tfdfm.training import distribution


@pytest.mark.parametrize(
    ("flags", "of_convolutions"),
    [("avx2 fma", "float32"), ("avx512f avx512_vnni", "float32"), ("avx512_bf16", "mixed_bfloat16"),
     ("amx_bf16 amx_tile", "mixed_bfloat16")],
)  # fmt: skip
def test_convolutions_are_in_bfloat16_where_the_cpu_multiplies_it(flags, of_convolutions, tmp_path, monkeypatch):
    monkeypatch.setattr(distribution, "CPU", tmp_path / "cpuinfo")
    distribution.CPU.write_text(f"model name : CPU\nflags : fpu {flags} rdpid\n")
    assert distribution.precision("mixed_bfloat16", convolutional=True) == of_convolutions
    assert distribution.precision("mixed_bfloat16", convolutional=False) == "mixed_bfloat16"
    assert distribution.precision("float32", convolutional=True) == "float32"


def test_a_system_that_does_not_say(tmp_path, monkeypatch):
    monkeypatch.setattr(distribution, "CPU", tmp_path / "none")
    assert distribution.precision("mixed_bfloat16", convolutional=True) == "float32"
