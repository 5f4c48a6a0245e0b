"""Models that several tests of the server copy."""

import pytest
import servables


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    """A line and a gated model, to be copied: y = 0 x + the number in the name."""
    folder = tmp_path_factory.mktemp("made")
    for number in (1, 2, 3, 4):
        servables.line(folder / f"line{number}", slope=0.0, intercept=float(number))
        servables.gated(folder / f"gated{number}", add=float(number))
    return folder
