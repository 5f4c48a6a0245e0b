"""The examples run: the notebook's cells one after the other, and the recipe with an objective of its own."""

import json
import re
import sys
from pathlib import Path

import commands
import pytest

from tfdfm import recipes

EXAMPLES = Path(__file__).parents[1] / "examples"


def cells(name: str) -> list[str]:
    book = json.loads((EXAMPLES / name).read_text())
    assert book["nbformat"] == 4
    assert all(not cell["outputs"] for cell in book["cells"] if cell["cell_type"] == "code")
    return ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_runs_from_top_to_bottom(tmp_path):
    pytest.importorskip("matplotlib")
    code = "\n".join(
        ["import matplotlib", "matplotlib.use('Agg')", *cells("digits.ipynb"), "print(images.shape, run.step)"]
    )
    assert "STEPS = 500" in code
    out = commands.run([sys.executable, "-c", code.replace("STEPS = 500", "STEPS = 60")], cwd=tmp_path).stdout
    assert out.endswith("(64, 16, 16, 1) 60\n")


def test_the_recipe_beside_an_objective_trains(tmp_path):
    path = EXAMPLES / "digits_gap.py"
    assert recipes.check(recipes.recipe(str(path))).gap.margin == 1.0
    commands.run(commands.train(tmp_path / "run", f"--config={path}", "--config.gap.margin=0.5", steps=2, jit="off"))
    assert {"generator/gap", "generator/dfm"} <= commands.lines(tmp_path / "run")[-1].keys()


@pytest.mark.slow
def test_the_readmes_python_runs(tmp_path):
    text = (EXAMPLES.parent / "README.md").read_text()
    code = re.search(r"```python\n(import tfdfm.*?)```", text, re.DOTALL)[1]
    assert "steps=500" in code and "num=2000" in code
    code = code.replace("steps=500", "steps=20").replace("num=2000", "num=500")
    last = "print(images.shape, sorted(scores), lines[-1]['step'], path)"
    out = commands.run([sys.executable, "-c", f"{code}\n{last}"], cwd=tmp_path).stdout
    assert "(64, 16, 16, 1) ['coverage', 'density', 'frechet_distance', " in out and out.endswith(
        "20 runs/digits/export/1\n"
    )
