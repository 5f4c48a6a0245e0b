"""Every source of images keeps the same promises: a run, an export, an endpoint, a folder, a data set."""

import shutil
import subprocess
import sys
from pathlib import Path

import commands
import numpy as np
import pytest
import servables
from running import config, serving

import tfdfm
from tfdfm import client, data
from tfdfm.errors import Failure, UsageError
from tfdfm.evaluation.image_sets import Stored
from tfdfm.sampling import restore
from tfdfm.sampling.sampler import Local
from tfdfm.sampling.sources import Export, ImageSource
from tfdfm.serving.models.saved_model import SavedModelBundle

TOY = commands.TOY | {"jit": "off", "conditional": True, "steps": 1}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """{kind: source}; the first three are of one model."""
    folder = tmp_path_factory.mktemp("sources")
    run = tfdfm.train("digits", run_dir=folder / "run", overrides=TOY)
    run.export(folder / "export")
    digits = data.load("digits")
    with serving(config(m=folder / "export"), rest_port=-1) as server:
        yield {
            "run": Local(restore.load(Path(run.run_dir))),
            "export": Export(folder / "export"),
            "endpoint": client.connect(f"http://127.0.0.1:{server.server.ports['REST']}", model="m"),
            "stored": Stored(digits.pixels),
            "run_dir": Path(run.run_dir),
        }


KINDS = ("run", "export", "endpoint", "stored")


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_is_that_of_its_seed_alone_and_in_any_batch(sources, kind):
    source = sources[kind]
    assert isinstance(source, ImageSource)
    labels = [seed % 10 for seed in range(70)] if source.num_classes else None
    images = source.images(range(70), labels)
    assert images.shape == (70, 16, 16, 1) and images.dtype == np.float32
    assert 0 <= images.min() < images.max() <= 1
    alone = source.images([69], labels and labels[69:])
    np.testing.assert_allclose(alone[0], images[69], atol=1e-6)


def test_the_run_its_export_and_the_endpoint_show_the_same(sources):
    seeds, labels = [3, -5, 2**62], [1, 2, 3]
    run, export, endpoint = (sources[kind] for kind in KINDS[:3])
    assert run.num_classes == export.num_classes == endpoint.num_classes == 10
    for other in (export, endpoint):
        np.testing.assert_allclose(run.images(seeds, labels), other.images(seeds, labels), atol=1e-6)
        np.testing.assert_allclose(run.images(seeds), other.images(seeds), atol=1e-6)  # labels drawn by the seeds
        assert run.latents(seeds)[1] == other.latents(seeds)[1] == "uniform"
        np.testing.assert_array_equal(run.latents(seeds)[0], other.latents(seeds)[0])


def test_an_export_is_the_newest_version_by_number(sources, tmp_path):
    shutil.copytree(sources["run_dir"].parent / "export" / "1", tmp_path / "10")
    (tmp_path / "9").mkdir()
    (tmp_path / "9" / "saved_model.pb").write_bytes(b"damaged")
    assert Export(tmp_path).num_classes == 10


def test_a_run_of_any_precision_draws_in_float32(sources, tmp_path):
    copy = shutil.copytree(sources["run_dir"], tmp_path / "copy")
    commands.change(copy, precision="mixed_bfloat16")
    found = restore.load(copy)
    assert found.config.precision == "float32" and {of.compute_dtype for of in found.generator.layers} == {"float32"}
    np.testing.assert_array_equal(Local(found).images([1, 2], [3, 4]), sources["run"].images([1, 2], [3, 4]))


@pytest.mark.parametrize(
    "file", ["saved_model.pb", "variables/variables.index", "assets/model_card.json", "SHA256SUMS"]
)
def test_a_changed_export_is_named_and_not_loaded(sources, tmp_path, file):
    copy = shutil.copytree(sources["run_dir"].parent / "export", tmp_path / "export") / "1"
    changed = bytearray((copy / file).read_bytes())
    changed[len(changed) // 2] ^= 1
    (copy / file).write_bytes(changed)
    name = f"{copy / file} is damaged: it is not as SHA256SUMS says. Put" if file != "SHA256SUMS" else "Put the folder"
    for load in (Export, SavedModelBundle):
        with pytest.raises(Failure, match=name):
            load(copy)


def test_what_is_no_export_is_one_line(tmp_path):
    with pytest.raises(UsageError, match="Expected an export in --export, found none"):
        Export(tmp_path)
    servables.line(tmp_path / "7", slope=1.0, intercept=0.0)
    with pytest.raises(UsageError, match="what tfdfm.export writes"):
        Export(tmp_path)


def test_an_endpoint_is_asked_without_the_training_stack():
    code = (
        "import sys; from tfdfm import cli, sample\n"
        "try:\n    sample.main(cli.parse(['', '--endpoint=http://127.0.0.1:9', '--num=1'], sample.define, ''))\n"
        "except Exception as error: print(type(error).__name__)\n"
        "print(sorted(name for name in sys.modules if name.startswith(('tfdfm.training', 'tfdfm.runs', 'keras'))))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[0] == "EndpointError" and "tfdfm" not in out.splitlines()[1]
