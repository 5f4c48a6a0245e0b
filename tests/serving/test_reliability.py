"""tools/reliability: hostile requests beside honest ones, and load while what is served changes; in short."""

import importlib
import sys
from pathlib import Path

import pytest

from tfdfm import cli

FOLDER = Path(__file__).parents[2] / "tools" / "reliability"


@pytest.fixture
def run(monkeypatch):
    """A tool's exit code, by its flags."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def run(name: str, *arguments: str) -> int:
        tool = importlib.import_module(name)
        return tool.main(cli.parse([name, *arguments], tool.define, ""))

    before = set(sys.modules)
    yield run
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(FOLDER)):
            del sys.modules[name]


FUZZ = ("--clients=8", "--alone=1", "--limit=6")


def test_hostile_requests_harm_nobody(run, capsys):
    assert run("fuzz", "--num=200", "--sockets=100", *FUZZ) == 0
    told = capsys.readouterr().out
    assert "faults: none" in told and "gRPC Predict, mutated" in told and "REST slow bodies" in told


@pytest.mark.whole
def test_many_hostile_requests_harm_nobody(run):
    assert run("fuzz", "--num=2000", "--sockets=2000", "--seed=1", *FUZZ) == 0


def test_a_soak_of_seconds(run, capsys):
    assert run("soak", "--minutes=0.1", "--every=2", "--clients=4") == 0
    assert "faults: none" in capsys.readouterr().out


@pytest.mark.whole
def test_a_soak_of_minutes(run):
    assert run("soak", "--minutes=2", "--every=8") == 0


@pytest.mark.whole
def test_a_fault_is_told(run, monkeypatch, capsys):
    """A server that answers 500 fails the tool: its own judgement is tested."""
    raw = importlib.import_module("fuzz_raw")

    async def broken(*args, **options):
        return raw.Seen([500], 0.1, True)

    monkeypatch.setattr(raw, "exchange", broken)
    assert run("fuzz", "--num=20", "--sockets=0", *FUZZ) == 1
    assert "500" in capsys.readouterr().out
