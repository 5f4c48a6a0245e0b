"""The import fence, what is forbidden, and how long files and functions may be."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tfdfm"
GROUND = {
    "errors",
    "files",
    "cache",
    "progress",
    "arrays",
    "random",
    "latents",
    "images",
    "plugins",
    "version",
    "checksums",
    "stores",
}
ALLOWED = {  # room: what it may import beside itself
    **{name: {"errors", "files", "random"} for name in GROUND},
    "stores": {"errors", "files", "cache"},
    "cli": {"errors", "stores"},
    "__main__": {"errors", "version"},
    "data": GROUND,
    "networks": GROUND | {"classifiers"},
    "objectives": GROUND,
    "metrics": GROUND,
    "recipes": {"errors", "files", "networks", "objectives", "plugins"},
    "classifiers": GROUND | {"data"},
    "training": GROUND | {"networks", "objectives", "recipes"},
    "client": {"errors"},
    "pretrained": {"errors"},
    "serving": {"errors", "version", "checksums", "stores"},
}
ALLOWED["runs"] = GROUND | {"classifiers", "data", "metrics", "networks", "objectives", "recipes", "training"}
ALLOWED["sampling"] = GROUND | {"networks", "recipes", "runs", "training"}
ALLOWED["evaluation"] = GROUND | {
    "classifiers",
    "data",
    "metrics",
    "networks",
    "recipes",
    "runs",
    "sampling",
    "training",
}
ALLOWED["analysis"] = ALLOWED["evaluation"] | {"evaluation"}
ALLOWED["reporting"] = ALLOWED["evaluation"] | {"evaluation"}
ALLOWED["searching"] = ALLOWED["evaluation"] | {"evaluation"}
COMMANDS = {"train", "search", "sample", "evaluate", "analyse", "report", "export", "serve"}
ALLOWED["api"] = ALLOWED.keys() - {"serving", "cli"}
for module in COMMANDS:
    ALLOWED[module] = ALLOWED.keys() - COMMANDS

FILES = sorted(PACKAGE.rglob("*.py"))
FORBIDDEN = re.compile(
    r"layers\.Dropout|SpatialDropout|GaussianNoise|GaussianDropout|SeedGenerator|RandomFlip|set_random_seed|set_seed|get_global_generator"
    r"|tf\.random\.(normal|uniform|truncated_normal|shuffle|Generator|categorical|gamma|poisson)\b"
    r"|keras\.random\.|np\.random\.(?!default_rng\()|default_rng\(\)|\.shuffle\(|^import random|^from random"
)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> set[str]:
    """Rooms of tfdfm that a file imports, at any depth."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in found if name.startswith("tfdfm.")}


def wrong(path: Path, source: str) -> set[str]:
    return imported(ast.parse(source)) - {room(path)} - ALLOWED[room(path)]


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name != "__init__.py" or room(path) != "__init__"], ids=str
)
def test_imports_go_one_way(path):
    assert wrong(path, path.read_text()) == set()


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("objectives/dfm.py", "from tfdfm.networks import layers"),
        ("objectives/dfm.py", "from tfdfm import networks"),
        ("networks/layers.py", "def f():\n    import tfdfm.runs.run"),
        ("data/cachefile.py", "from tfdfm import recipes"),
        ("recipes/checks.py", "from tfdfm import data"),
        ("runs/run.py", "from tfdfm import train"),
        ("train.py", "from tfdfm.sample import main"),
    ],
)
def test_a_wrong_arrow_is_seen(file, line):
    assert wrong(PACKAGE / file, line)


def test_no_file_of_its_own_room_is_missing_here():
    assert {room(path) for path in FILES} - {"__init__"} <= set(ALLOWED)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_nothing_random_is_hidden(path):
    assert [line for line in path.read_text().splitlines() if FORBIDDEN.search(line)] == []


@pytest.mark.parametrize(
    "line",
    ["keras.layers.Dropout(0.5)", "tf.random.normal([3])", "tf.random.Generator.from_seed(1)", "dataset.shuffle(8)"],
)
def test_what_is_forbidden_is_seen(line):
    assert FORBIDDEN.search(line)


POSIX = {"fcntl", "grp", "pwd", "resource", "termios", "uvloop"}  # modules that Windows lacks


def unguarded(source: str) -> set[str]:
    """Modules of POSIX that are imported outside the body of a `try` with `except ImportError`."""
    tree = ast.parse(source)
    tries = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Try) and any("ImportError" in ast.unparse(one.type) for one in node.handlers)
    ]
    guarded = {inner for node in tries for statement in node.body for inner in ast.walk(statement)}
    found = set()
    for node in set(ast.walk(tree)) - guarded:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.split(".")[0])
    return found & POSIX


@pytest.mark.parametrize("path", FILES, ids=str)
def test_nothing_is_imported_that_windows_lacks(path):
    assert unguarded(path.read_text()) == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os, fcntl", {"fcntl"}),
        ("def f():\n    from uvloop import run", {"uvloop"}),
        ("try:\n    import pwd\nexcept OSError:\n    pass", {"pwd"}),
        ("try:\n    import os\nexcept ImportError:\n    import resource", {"resource"}),
        ("try:\n    import resource\nexcept ImportError:\n    resource = None", set()),
    ],
)
def test_what_windows_lacks_is_seen(source, found):
    assert unguarded(source) == found


@pytest.mark.parametrize("path", FILES, ids=str)
def test_files_and_functions_are_short(path):
    text = path.read_text()
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    long = {node.name: node.end_lineno - node.lineno + 1 for node in functions if node.end_lineno - node.lineno >= 40}
    assert len(text.splitlines()) <= 250 and long == {}


@pytest.mark.parametrize("path", [path for path in FILES if room(path) == "metrics"], ids=str)
def test_metrics_are_mathematics_without_tensorflow(path):
    assert not re.search(r"^\s*(?:import|from) (?:tensorflow|keras)", path.read_text(), re.MULTILINE)
