import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tfdfm.data import Images, cachefile

ROOT = Path(__file__).parents[2]


@pytest.fixture
def numbered():
    """A factory of sets whose image i is filled with i mod 251 and whose label is i."""

    def make(count: int, labelled: bool = True) -> Images:
        pixels = np.broadcast_to(np.arange(count)[:, None, None, None] % 251, (count, 4, 4, 3)).astype(np.uint8)
        labels = np.arange(count, dtype=np.int32) if labelled else None
        return Images("numbered", "a test", pixels, labels, tuple(map(str, range(count))) if labelled else ())

    return make


@pytest.fixture
def python():
    """Runs a piece of Python in a fresh process and returns the JSON of its last line."""

    def run(code: str, *arguments: str, timeout: float = 120):
        command = [sys.executable, "-c", code, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=ROOT, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture
def cached(tmp_path):
    """A small labelled cache file: 100 images of 8 x 8 x 3, ten classes."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (100, 8, 8, 3), dtype=np.uint8)
    labels = rng.integers(0, 10, 100)
    target = tmp_path / "set-8-0.tfdfm"
    cachefile.write(target, "a test", pixels.shape, tuple("abcdefghij"), zip(pixels, labels, strict=True))
    return target, pixels, labels
