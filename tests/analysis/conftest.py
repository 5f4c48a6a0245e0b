import json
import os

import commands
import numpy as np
import pytest
from PIL import Image

from tfdfm import analyse, cli


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Runs of four steps on digits, made once for each set of changes."""
    return commands.maker(tmp_path_factory.mktemp("runs"), steps=4, jit="off")


@pytest.fixture
def view(tmp_path):
    """The command, in this process: the picture [H, W, 3] and what its numbers say was found."""

    def run(*arguments):
        out = tmp_path / "view.png"
        analyse.main(cli.parse(["", *map(os.fspath, arguments), f"--out={out}"], analyse.define, ""))
        return np.asarray(Image.open(out)), json.loads(out.with_suffix(".json").read_text())

    return run
