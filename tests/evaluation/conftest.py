import commands
import pytest

from tfdfm import cli, evaluate, sample


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Runs of two steps on digits, made once for each set of changes."""
    return commands.maker(tmp_path_factory.mktemp("runs"), steps=2, jit="off")


@pytest.fixture
def score(classifier, monkeypatch):
    """The command, in this process, with the random classifier unless another is named."""

    def run(*arguments):
        given = (
            []
            if any("--classifier" in str(a) or "--compare" in str(a) for a in arguments)
            else [f"--classifier={classifier}"]
        )
        evaluate.main(cli.parse(["", *map(str, arguments), *given], evaluate.define, ""))

    return run


@pytest.fixture
def pngs(tmp_path):
    """The samples of a run as a folder of PNG files."""

    def write(run_dir, count, name="pngs", seed=0):
        out = tmp_path / name
        sample.main(
            cli.parse(
                ["", f"--run_dir={run_dir}", f"--num={count}", f"--seed={seed}", f"--out={out}"], sample.define, ""
            )
        )
        return out

    return write
