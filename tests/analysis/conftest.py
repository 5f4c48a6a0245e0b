import json
import os

import commands
import numpy as np
import pytest
from PIL import Image

from tfdfm import analyse, cli, train


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Runs of four steps on digits, made once for each set of changes."""
    folder, done = tmp_path_factory.mktemp("runs"), {}

    def make(name: str, **changes):
        if name not in done:
            done[name] = folder / name
            flags = commands.flags(**{"steps": 4, "jit": "off"} | changes)
            train.main(cli.parse(["", *flags, f"--run_dir={done[name]}"], train.define, ""))
        return done[name]

    return make


@pytest.fixture
def view(tmp_path):
    """The command, in this process: the picture [H, W, 3] and what its numbers say was found."""

    def run(*arguments):
        out = tmp_path / "view.png"
        analyse.main(cli.parse(["", *map(os.fspath, arguments), f"--out={out}"], analyse.define, ""))
        return np.asarray(Image.open(out)), json.loads(out.with_suffix(".json").read_text())

    return run
