"""Terms and networks from outside the package: trained, resumed, sampled and exported by the commands."""

import sys
from importlib.metadata import EntryPoint

import commands
import pytest

from tfdfm import networks, objectives, plugins, recipes
from tfdfm.errors import UsageError
from tfdfm.networks.layers import Network

GAP = """
import tensorflow as tf
from tfdfm.objectives.base import ADVERSARIAL, Objective

class Gap(Objective):
    primary, players = True, ADVERSARIAL

    def __init__(self, margin: float = 1.0):
        super().__init__()
        self.margin = margin
        self.updates = tf.Variable(0.0, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)

    def discriminator_loss(self, forward):
        real, fake = forward.real.score, forward.fake.score
        return {"data": tf.nn.relu(self.margin - real), "samples": tf.nn.relu(self.margin + fake)}

    def generator_loss(self, forward):
        return {"gap": -forward.fake.score}

    def after_step(self, networks, logs, *, moved):
        self.updates.assign_add(1.0)
        return {}
"""
NETWORKS = """
import tensorflow as tf
from tfdfm.networks.layers import Unlabelled

class LinearGenerator(Unlabelled):
    def __init__(self, image_size, channels, num_classes=0, *, gain=1.0, seed, **kwargs):
        super().__init__(num_classes, seed, **kwargs)
        self.shown, self.gain = (image_size, image_size, channels), gain
        self.project = self.dense(image_size**2 * channels)

    def call(self, latents, labels=None, statistics=None):
        return tf.tanh(tf.reshape(self.gain * self.project(latents), [-1, *self.shown]))
"""


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A package on Python's path, in this process and in those that it starts."""
    package = tmp_path / "outside"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "gap.py").write_text(GAP)
    (package / "nets.py").write_text(NETWORKS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{commands.os.environ['PYTHONPATH']}")
    yield package
    for name in [name for name in sys.modules if name.split(".")[0] == "outside"]:
        del sys.modules[name]


def config(*assignments: str):
    changed = recipes.override(recipes.recipe("digits"), dict(pair.split("=", 1) for pair in assignments))
    return recipes.check(changed)


def test_keys_of_a_term_are_the_recipes_whatever_comes_first(outside):
    for order in (
        ("gap.margin=2", "terms=outside.gap:Gap,dfm"),
        ("terms=outside.gap:Gap,dfm", "gap.margin=2"),
    ):
        found = config(*order)
        assert found.gap.margin == 2.0 and found.terms == ("outside.gap:Gap", "dfm")
    assert config("terms=outside.gap:Gap").gap.margin == 1.0
    with pytest.raises(UsageError, match="Unknown key 'gap.slope'"):
        config("terms=outside.gap:Gap", "gap.slope=2")


def test_a_network_brings_its_own_keys_and_loses_those_of_the_one_before(outside):
    found = config("generator.gain=0.5", "generator.network=outside.nets:LinearGenerator")
    assert found.generator.to_dict() == {"network": "outside.nets:LinearGenerator", "gain": 0.5}
    assert networks.find("generator", "outside.nets:LinearGenerator").__name__ == "LinearGenerator"


def test_it_trains_resumes_samples_and_exports_like_the_packages_own(outside, tmp_path):
    terms, network = "--config.terms=outside.gap:Gap,dfm", "--config.generator.network=outside.nets:LinearGenerator"
    flags = [flag for flag in commands.flags(jit="off") if "generator.width" not in flag]
    start = [sys.executable, "-m", "tfdfm.train", *flags, terms, network, "--config.gap.margin=2"]
    commands.run([*start, f"--run_dir={tmp_path / 'whole'}", "--steps=4"])
    commands.run([*start, f"--run_dir={tmp_path / 'parts'}", "--steps=2"])
    commands.run([*start, f"--run_dir={tmp_path / 'parts'}", "--steps=4"])
    commands.assert_same(tmp_path / "whole", tmp_path / "parts")
    state = commands.state(commands.checkpoints(tmp_path / "whole")[-1])
    assert {name.split("/")[0] for name in state} >= {"gap", "dfm"} - {"dfm"}
    for command in ("sample", "export"):
        commands.run([sys.executable, "-m", f"tfdfm.{command}", f"--run_dir={tmp_path / 'whole'}"])
    assert (tmp_path / "whole" / "sample-seed0.png").exists() and (tmp_path / "whole" / "export" / "1").is_dir()


def test_files_beside_a_recipe_are_found_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "gap.py").write_text(GAP)
    (tmp_path / "nets.py").write_text(NETWORKS)
    (tmp_path / "mine.py").write_text(
        "from tfdfm.recipes import recipe\n"
        "def get_config():\n"
        "    config = recipe('digits')\n"
        "    config.terms = ('gap', 'dfm')\n"
        "    config.generator = dict(network='nets.py:LinearGenerator', gain=2.0)\n"
        "    return config\n"
    )
    found = recipes.check(recipes.recipe(str(tmp_path / "mine.py")))
    assert found.terms == (f"{tmp_path / 'gap.py'}:Gap", "dfm") and found.gap.margin == 1.0
    assert found.generator.to_dict() == {"network": f"{tmp_path / 'nets.py'}:LinearGenerator", "gain": 2.0}
    monkeypatch.chdir("/")
    assert objectives.find(found.terms[0]).__name__ == "Gap"


def test_installed_packages_offer_theirs_by_entry_points(outside, monkeypatch):
    offered = {
        "tfdfm.objectives": [EntryPoint("outside_gap", "outside.gap:Gap", "tfdfm.objectives")],
        "tfdfm.networks": [EntryPoint("Linear", "outside.nets:LinearGenerator", "tfdfm.networks")],
    }
    monkeypatch.setattr(plugins, "entry_points", lambda group: offered[group])
    monkeypatch.setattr(plugins, "offered", plugins.offered.__wrapped__)  # which remembers
    assert objectives.find("outside_gap").__name__ == "Gap" and "outside_gap" in objectives.primaries()
    found = config("terms=outside_gap,dfm", "outside_gap.margin=3", "generator.network=Linear")
    assert found.outside_gap.margin == 3.0 and found.generator.gain == 1.0
    with pytest.raises(UsageError, match="Unknown encoder 'Linear'"):
        networks.find("encoder", "Linear")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "nowhere.gap:Gap",
            "Cannot import 'nowhere.gap' .*No module named 'nowhere'.*such as mypackage.gap:Gap",
        ),
        ("nowhere/gap.py:Gap", "Cannot import 'nowhere/gap.py'"),
        ("outside.gap:Hing", "Expected in 'outside.gap' a class 'Hing' of Objective"),
        ("outside.nets:LinearGenerator", "of Objective, as in"),
        ("gap", "Unknown term 'gap'.*Or mypackage.gap:Gap"),
    ],
)
def test_what_cannot_be_found_is_one_line(outside, name, message):
    with pytest.raises(UsageError, match=message) as error:
        config(f"terms={name},dfm")
    assert "\n" not in str(error.value)


def test_a_class_named_like_another_key_is_refused(outside):
    (outside / "steps.py").write_text(GAP.replace("class Gap", "class Steps"))
    with pytest.raises(UsageError, match="under 'steps', which is taken"):
        config("terms=outside.steps:Steps")


def test_a_file_that_fails_is_named_and_can_be_mended(tmp_path):
    path = tmp_path / "own.py"
    path.write_text("1 / 0")
    with pytest.raises(UsageError, match="ZeroDivisionError"):
        plugins.load(f"{path}:LinearGenerator", Network, "x")
    path.write_text(NETWORKS)
    assert plugins.load(f"{path}:LinearGenerator", Network, "x").__name__ == "LinearGenerator"
