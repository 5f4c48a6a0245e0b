"""The package as others get it: from a wheel, from an editable install, from a bare checkout."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import commands
import pytest

ROOT = Path(__file__).parents[1]
ALONE = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
WHERE = "import tfdfm, tfdfm.recipes as c; print(*tfdfm.__path__, c.folder(), *sorted(c.names()))"


def pip(*arguments):
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    commands.run([sys.executable, "-m", "pip", *arguments[:1], *options, *arguments[1:]], env=ALONE)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of what is in the repository: building leaves things behind."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    copy = tmp_path_factory.mktemp("source")
    for name in listed.stdout.split("\n"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--wheel-dir", folder, source)
    return next(folder.glob("tfdfm-*.whl"))


def modules(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")}


def test_every_folder_of_code_is_listed_as_a_package():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = set(setup["options"]["packages"].split())
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "tfdfm").rglob("*.py")}
    assert listed == {".".join(folder.parts) for folder in folders} | {"tfdfm.configs"}


def test_extras_that_are_named_exist_and_ask_for_the_same_tensorflow():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    (required,) = re.findall(r"^tensorflow (.*)$", setup["options"]["install_requires"], re.M)
    assert extras["gpu"].split() == ["tensorflow[and-cuda]", *required.split()]
    docs = [ROOT / "README.md", ROOT / "examples" / "kubernetes" / "Dockerfile", *(ROOT / "docs").glob("*.md")]
    named = {
        name
        for path in docs
        for of in re.findall(r"(?:\.|tfdfm)\[([\w,]+)\]'", path.read_text())
        for name in of.split(",")
    }
    assert {"gpu", "classifier"} <= named <= set(extras)


def test_the_wheel_holds_all_code_and_all_recipes(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")}
    expected = {f"tfdfm/{name}" for name in modules(ROOT / "tfdfm")}
    assert names == expected | {f"tfdfm/configs/{name}" for name in modules(ROOT / "configs")}
    files = set(zipfile.ZipFile(wheel).namelist())
    assert files >= {"tfdfm/serving/http/page.html", "tfdfm/serving/config_messages.textproto", "tfdfm/py.typed"}
    (scripts,) = (name for name in files if name.endswith("entry_points.txt"))
    assert b"tfdfm = tfdfm.__main__:main" in zipfile.ZipFile(wheel).read(scripts)


@pytest.mark.slow
def test_the_wheel_installed_elsewhere_trains(wheel, tmp_path):
    pip("install", "--target", tmp_path / "site", wheel)
    alone = ALONE | {"PYTHONPATH": str(tmp_path / "site")}
    out = commands.run([sys.executable, "-c", WHERE], cwd=tmp_path, env=alone).stdout.split()
    assert out[:2] == [str(tmp_path / "site" / "tfdfm"), str(tmp_path / "site" / "tfdfm" / "configs")]
    assert set(out[2:]) == {path.stem for path in (ROOT / "configs").glob("*.py")} - {"__init__"}
    commands.run(commands.train("run", steps=3), cwd=tmp_path, env=alone)
    assert commands.checkpoints(tmp_path / "run")[-1].name == "0000003"


@pytest.mark.slow
def test_a_bare_checkout_takes_the_recipes_beside_it(wheel, source, tmp_path):
    pip("install", "--target", tmp_path / "site", wheel)  # present, but further down the path
    paths = ALONE | {"PYTHONPATH": f"{source}{os.pathsep}{tmp_path / 'site'}"}
    (source / "configs" / "mine.py").write_text(
        "from tfdfm.recipes import recipe\nget_config = lambda: recipe('digits')\n"
    )
    out = commands.run([sys.executable, "-c", WHERE], cwd=tmp_path, env=paths).stdout.split()
    assert out[:2] == [str(source / "tfdfm"), str(source / "configs")] and "mine" in out
    commands.run(commands.train(tmp_path / "run", "--config=mine", steps=3), cwd=source, env=ALONE)


@pytest.mark.slow
def test_an_editable_install_takes_the_recipes_of_its_checkout(source, tmp_path):
    pip("install", "--ignore-installed", "--prefix", tmp_path / "prefix", "--editable", source)  # and spare our own
    site = next((tmp_path / "prefix").glob("lib*/python*/site-packages"))
    code = f"import site; site.addsitedir({str(site)!r}); {WHERE}; import tfdfm.configs.digits as d; print(d.__file__)"
    out = commands.run(
        [sys.executable, "-S", "-c", code],
        cwd=tmp_path,
        env=ALONE | {"PYTHONPATH": f"{site}{os.pathsep}{third_party()}"},
    )
    words = out.stdout.split()
    assert words[:2] == [str(source / "tfdfm"), str(source / "configs")]
    assert words[-1] == str(source / "configs" / "digits.py")


def third_party() -> str:
    """Where TensorFlow lies: -S keeps what else is installed there, such as this package, from being found."""
    import tensorflow as tf

    return str(Path(tf.__file__).parents[1])
