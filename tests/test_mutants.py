"""tools/mutants.py tells strong tests from weak ones."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "mutants.py"
CODE, TESTS = "tfdfm", "tests"
FILES = {
    f"{CODE}/__init__.py": "",
    f"{CODE}/room/strong.py": '"""1 + 1"""\n\ndef larger(a: int, b: int) -> bool:\n    return a > b\n',
    f"{CODE}/room/weak.py": "def half(number):\n    return number // 2\n",
    f"{CODE}/endless/spin.py": "def spin(turns):\n    while turns:\n        turns -= 1\n",
    f"{TESTS}/conftest.py": "import os, sys\n\nsys.path.insert(0, os.getcwd())\n",
    f"{TESTS}/room/test_strong.py": "from tfdfm.room.strong import larger\n\n"
    "def test_it():\n    assert larger(2, 1) is True and larger(1, 1) is False\n",
    f"{TESTS}/room/test_weak.py": "from tfdfm.room.weak import half\n\ndef test_it():\n    half(7)\n",
    f"{TESTS}/endless/test_spin.py": "from tfdfm.endless.spin import spin\n\ndef test_it():\n    spin(3)\n",
}


@pytest.fixture
def run(tmp_path):
    """run(*flags) -> {(file, before, after): what became of it}, and what was said."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def of(*more):
        flags = [f"--root={tmp_path}", f"--json={tmp_path / 'json'}", "--num=9", "--warm=pytest", *more]
        said = subprocess.run([sys.executable, TOOL, *flags], check=True, capture_output=True, text=True).stdout
        kept = json.loads((tmp_path / "json").read_text()).values()
        assert {name: (tmp_path / name).read_text() for name in FILES if name.startswith(CODE)}.items() <= FILES.items()
        return {(Path(each["file"]).stem, each["before"], each["after"]): each["is"] for each in kept}, said

    return of


def test_what_a_weak_test_lets_live_a_better_one_kills(run, tmp_path):
    kinds, said = run("--rooms=room")
    assert kinds == {
        ("strong", "a > b", "a >= b"): "killed",
        ("strong", "return a > b", "return None"): "killed",
        ("weak", "number // 2", "number * 2"): "lived",
        ("weak", "return number // 2", "return None"): "lived",
        ("weak", "2", "3"): "lived",
    }
    assert "room: 5 mutants, 2 killed, 3 lived, 0 ended not" in said and "without a mutant" not in said
    with (tmp_path / f"{TESTS}/room/test_weak.py").open("a") as file:
        file.write("    assert half(7) == 3\n")
    kinds, said = run("--rooms=room", "--again")
    assert set(kinds.values()) == {"killed"} and "5 killed, 0 lived" in said


def test_a_test_that_fails_anyway_kills_nothing(run, tmp_path):
    (tmp_path / f"{TESTS}/room/test_weak.py").write_text("def test_it():\n    assert False\n")
    assert run("--rooms=room")[1].count(f"It fails without a mutant, too: {CODE}/room/weak.py:2") == 3


@pytest.mark.whole
def test_what_does_not_end_is_told(run):
    kinds, _ = run("--rooms=endless", "--seconds=5")
    assert kinds["spin", "turns -= 1", "turns += 1"] == "ended not"
