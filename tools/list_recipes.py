"""Prints docs/recipes.md: every recipe by its docstring, with what its source reports.

python tools/list_recipes.py > docs/recipes.md
"""

import ast
import re

from tfdfm import recipes

HEAD = """# Recipes

All of [configs/](../configs), by `tools/list_recipes.py` from their docstrings, which have the sources. Expected is
what the source reports, or what was measured here where it says so; [results](results.md) has the runs.

| recipe | what it is | expected |
|---|---|---|"""


def row(name: str, docstring: str) -> str:
    """A line of the table."""
    found = re.search(r"^Expected: (.*?)(?=^[A-Z][a-z]+: |^Figures |^Scored |\Z)", docstring, re.MULTILINE | re.DOTALL)
    expected = " ".join(found[1].split()) if found else "no published score."
    return f"| `{name}` | {docstring.splitlines()[0].strip()} | {expected} |"


def page() -> str:
    """Markdown."""
    paths = [path for path in sorted(recipes.folder().glob("*.py")) if path.stem != "__init__"]
    return "\n".join([HEAD, *(row(path.stem, ast.get_docstring(ast.parse(path.read_text()))) for path in paths)])


if __name__ == "__main__":
    print(page())
