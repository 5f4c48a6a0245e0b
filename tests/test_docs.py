"""README, docs and recipes say what is true: commands parse, links lead somewhere, papers are listed."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tfdfm import cli, recipes

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "serving" / "README.md"]
PAGES += [ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md")]
RECIPES = sorted(recipes.folder().glob("*.py")) + sorted((ROOT / "examples").glob("*.py"))
COMMAND = re.compile(r"python -m tfdfm\.([a-z]+)((?: \S+)*)")


def commands(path: Path) -> list[tuple[str, str]]:
    """(module, flags) of each command in a file; a line's comment and prose after it are left out."""
    text = path.read_text().replace("\\\n", " ")
    return [(name, rest.split("   ")[0]) for name, rest in COMMAND.findall(text)]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= 12 * 1024


@pytest.mark.parametrize("path", [*PAGES, *RECIPES], ids=lambda path: path.name)
def test_commands_parse_and_their_keys_exist(path):
    for name, rest in commands(path):
        module = importlib.import_module(f"tfdfm.{name}")
        given = [word.strip("`),.;:") for word in rest.split("#")[0].split()]
        given = [word for word in given if word.startswith("--") and "$" not in word and "<" not in word]
        values = cli.parse([name, *(word for word in given if word != "--help")], module.define, "")
        if values.overrides and name in ("train", "search") and values["config"].value not in (None, "NAME"):
            assignments = dict(pair.partition("=")[::2] for pair in values.overrides)
            config = values["config"].value
            place = ROOT / config if config.startswith("examples/") else config
            recipes.override(recipes.recipe(str(place)), {k: v for k, v in assignments.items() if v not in ("", "N")})


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_and_pictures_lead_somewhere(path):
    text = path.read_text()
    for link in re.findall(r"\]\(([^)#\s]+)\)|src=\"([^\"]+)\"", text):
        target = next(filter(None, link))
        if "://" not in target:
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("folder", ["tfdfm", "configs", "docs", "tests", "tools", "serving", "examples", "."])
def test_files_that_are_named_are_there(folder):
    """tests/test_digits.py, say: from the root, whoever names it. gap.py stands for the reader's own."""
    for path in (ROOT / folder).glob("*" if folder == "." else "**/*"):
        if path.suffix in (".py", ".md", ".sh"):
            for name in re.findall(r"(?<![\w./-])(?:tfdfm|tests|tools|configs|docs)/[\w/]+\.\w+", path.read_text()):
                assert (ROOT / name).exists() or name.endswith("/gap.py"), f"{path.name} names {name}"


def test_every_short_name_of_a_paper_is_explained():
    listed = (ROOT / "docs" / "references.md").read_text()
    for name in ("slides", "thesis", "dfm", "ebgan"):
        assert re.search(rf"^\| {name}\b", listed, re.MULTILINE)
    cited = re.compile(
        r"[(; ]([A-Z][\w-]+(?:, [A-Z][\w-]+)*(?: et al\.| & [A-Z][\w-]+)), (?:ICLR |ICML )?(?:19|20)\d\d"
    )
    for path in [*(ROOT / "tfdfm").rglob("*.py"), *RECIPES[: len(recipes.names())]]:
        for authors in cited.findall(path.read_text()):
            last = re.split(r" et al|,| &", authors)[0]
            assert last in listed, f"{path.name} cites {authors}"


def test_the_page_of_recipes_is_that_of_their_docstrings():
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / "list_recipes.py"], capture_output=True, text=True, check=True
    )
    assert (ROOT / "docs" / "recipes.md").read_text() == made.stdout, "python tools/list_recipes.py > docs/recipes.md"
