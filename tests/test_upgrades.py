"""What release 0.1.0 wrote is opened by this one: tests/golden/release_0_1, made by its own commands on toys."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import commands
import numpy as np
import pytest
import sklearn
import tensorflow as tf
from running import ANY, config, serving

from tfdfm import cli, recipes, sample, search, train
from tfdfm.client import connect
from tfdfm.data import cachefile
from tfdfm.sampling import restore
from tfdfm.sampling.sampler import Local
from tfdfm.sampling.sources import Export

GOLDEN = Path(__file__).parent / "golden" / "release_0_1"
OTHER = {"play", "optimizer.method", "optimizer.epsilon"}  # as the changelog says
RENEWED = {
    "custom",
    "digits",
    "digits_conditional",
    "digits_conditional_gan",
    "digits_gan",
}  # composed, not a paper's: better now
TOY = dict(
    generator__width=2, discriminator__width=2, denoiser__depth=1, denoiser__width=8, latent_size=4, ema_decay=0.0
)

THEN = """from tfdfm.recipes import recipe
def get_config():
    config = recipe("digits")
    config.dfm.update(gradient_ratio=0.0, sigma=1.0, weight=0.3)
    config.denoiser.whiten = False
    return config
"""  # what `digits` was in 0.1.0


@pytest.fixture
def golden(tmp_path):
    copy = Path(shutil.copytree(GOLDEN, tmp_path / "golden"))
    for path in copy.glob("*/config.json"):  # the digits are the same, whatever version of scikit-learn has them
        path.write_text(path.read_text().replace("scikit-learn 1.9.1", f"scikit-learn {sklearn.__version__}"))
    return copy


def test_every_recipe_is_read_as_todays_of_its_name(tmp_path):
    stored = json.loads((GOLDEN / "recipes.json").read_text())
    assert len(stored) > 60
    for name, text in stored.items():
        (tmp_path / "config.json").write_text(json.dumps(text))
        old, new = recipes.check(recipes.read(tmp_path / "config.json")), recipes.check(recipes.recipe(name))
        others = {line.split(":")[0] for line in recipes.differences(old, new)} - OTHER
        assert not others or name in RENEWED, name
        assert old.play == "simultaneous"


def test_a_run_goes_on_as_if_0_1_had_gone_on(golden):
    run = golden / "digits"
    arguments = [f"--config={run / 'config.json'}", f"--run_dir={run}", "--steps=8"]
    train.main(cli.parse(["", *arguments], train.define, ""))
    saved = tf.train.load_checkpoint(str(run / "checkpoints" / "0000008" / "state"))
    expected = {name.replace("|", "/"): value for name, value in np.load(GOLDEN / "digits_8.npz").items()}
    assert len(expected) == len(saved.get_variable_to_shape_map())
    for name, value in expected.items():
        found = saved.get_tensor(name.replace("average/", "ema_generator/"))
        np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-5, err_msg=name)
    assert [line["step"] for line in commands.lines(run)] == [1, 2, 4, 6, 8]
    assert "num_labelled" in (run / "config.json").read_text()


def test_its_samples_are_those_that_0_1_drew(golden, tmp_path):
    expected = np.load(GOLDEN / "labelled.npy").astype(float)
    for source in (f"--run_dir={golden / 'labelled'}", f"--export={golden / 'labelled' / 'export'}"):
        out = tmp_path / source.partition("=")[0][2:]
        sample.main(cli.parse(["", source, "--num=4", f"--out={out}"], sample.define, ""))
        images = [tf.io.decode_png(path.read_bytes())[..., 0] for path in sorted(out.glob("*.png"))]
        assert np.abs(np.stack(images) - expected).max() <= 1


def test_its_export_is_served(golden):
    seeds, labels = range(4), [0, 3, 3, 9]
    expected = Local(restore.load(golden / "labelled")).images(seeds, labels)
    base = golden / "labelled" / "export"
    np.testing.assert_allclose(Export(base).images(seeds, labels), expected, atol=1e-6)
    with serving(config(m=base), rest_port=ANY) as running:
        for kind, port in (("grpc", "gRPC"), ("http", "REST")):
            with connect(f"{kind}://127.0.0.1:{running.server.ports[port]}", model="m") as client:
                np.testing.assert_allclose(client.images(seeds, labels), expected, atol=1e-6)


def test_its_cache_is_read():
    contents = cachefile.read(GOLDEN / "twelve.tfdfm")
    pixels = [
        np.random.default_rng(i).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        for i in (*range(0, 12, 2), *range(1, 12, 2))
    ]
    np.testing.assert_array_equal(contents.pixels, pixels)
    assert contents.class_names == ("a", "b") and list(contents.labels) == [0] * 6 + [1] * 6


def test_its_search_is_imported_and_goes_on(golden, capsys):
    tool = Path(__file__).parents[1] / "tools" / "import_search.py"
    said = subprocess.run([sys.executable, tool, golden / "search"], check=True, capture_output=True, text=True).stdout
    assert "Imported 2 of 2 settings" in said
    flags = commands.flags(**TOY, steps=4, checkpoint_every=4)
    (golden / "then.py").write_text(THEN)
    arguments = [f"--config={golden / 'then.py'}", "--samples=64", "--metrics=ms_ssim", *flags]
    arguments.append(f"--search_dir={golden / 'search'}")
    search.main(cli.parse(["", *arguments, "--grid.dfm.sigma=0.5,1.0"], search.define, ""))
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert {line[-1] for line in table if line and line[0] == "1"} == {"0.5", "1.0"}
    assert not (golden / "search" / "69ed41f49b4b" / "checkpoints").exists()  # nothing was trained again
