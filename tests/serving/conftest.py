"""Models that several tests of the server copy, and the servers that several files ask."""

import pytest
import servables
from running import config, everything, serving


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    """A line and a gated model, to be copied: y = 0 x + the number in the name."""
    folder = tmp_path_factory.mktemp("made")
    for number in (1, 2, 3, 4):
        servables.line(folder / f"line{number}", slope=0.0, intercept=float(number))
        servables.gated(folder / f"gated{number}", add=float(number))
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with everything(tmp_path_factory.mktemp("models")) as running:
        yield running


@pytest.fixture(scope="module")
def reloadable(numbered, tmp_path_factory):
    """Serves nothing for long: each test reloads what it needs, below this base path. The disk is read when asked."""
    base = tmp_path_factory.mktemp("base")
    servables.publish(numbered / "line1", base, 1)
    with serving(config(m=base), poll_seconds=0) as running:
        running.base = base
        yield running


@pytest.fixture
def base(reloadable, tmp_path):
    return reloadable.base / tmp_path.name
