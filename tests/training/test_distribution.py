"""What a device is given to compute in."""

import pytest
import toys

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


@pytest.mark.parametrize(("terms", "of_d"), [(("nonsaturating",), "bfloat16"), (("nonsaturating", "r1"), "float32")])
def test_a_term_that_needs_a_network_in_full_precision_has_it_so_and_no_other(terms, of_d, tmp_path, monkeypatch):
    monkeypatch.setattr(distribution, "CPU", tmp_path / "cpuinfo")
    distribution.CPU.write_text("flags : avx512_bf16\n")
    critic = {"network": "DCGAN", "width": 4, "batch_norm": False}
    networks = toys.trainer(terms=terms, precision="mixed_bfloat16", discriminator=critic).networks
    assert (networks["generator"].compute_dtype, networks["discriminator"].compute_dtype) == ("bfloat16", of_d)
