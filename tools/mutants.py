"""Would the tests see a fault? Puts small faults into a copy of the package, one at a time, and runs the tests on each.

    python tools/mutants.py --num=200 --seed=0 --json=mutants.json
    python tools/mutants.py --num=200 --seed=0 --json=mutants.json --again

A mutant has one operator, constant, argument, slice, statement or value changed; annotations, decorators and messages
are left alone. Each room gives as many. The tests of its file run first, then those of the room that name the file,
then the others, until one fails: at most --seconds, later half of that. A mutant that outlives all lives. Where the
first of these do not end it may be a hang or a slow machine: the report has them apart. The file keeps what is known,
and the same command goes on from there; --again tries what was not killed anew, on new tests. Each runs in a fork of
one process that has imported --warm.
At the end the tests that killed run without a mutant: one that fails there killed nothing.
"""

import argparse
import ast
import contextlib
import copy
import hashlib
import importlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

MORE = {"training": ["tests/test_train.py"], "sampling": ["tests/test_sample.py"]}  # tests of a room outside it
OPERATORS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
WARM = "pytest,hypothesis.stateful,tensorflow,keras,selenium.webdriver,scipy.stats,ml_collections,aiohttp.web,requests"
WARM += ",tensorflow_serving.apis.prediction_service_pb2_grpc,tensorflow_datasets,optuna,matplotlib.pyplot,PIL.Image"
KINDS = ("killed", "lived", "ended not")
FAILED, NO_TESTS = 1, 5  # of pytest
LEFT = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis")
ALONE = (ast.Raise, ast.JoinedStr, ast.Assert, ast.Import, ast.ImportFrom)
FIELDS = {"annotation", "returns", "decorator_list"}


def changed(node: ast.AST, **fields) -> ast.AST:
    made = copy.copy(node)
    vars(made).update(fields)
    return made


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in its place."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in OPERATORS:
            yield changed(node, ops=[OPERATORS[type(op)]()])
        case ast.BinOp(op=ast.Div(), right=ast.JoinedStr() | ast.Constant(value=str())):
            pass  # of paths
        case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op) if type(op) in OPERATORS:
            yield changed(node, op=OPERATORS[type(op)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
        case ast.Expr(value=ast.Call()) if "logging." not in ast.unparse(node):
            yield ast.Pass()
        case ast.Return(value=ast.AST()):
            yield ast.Return(ast.Constant(None))
        case ast.IfExp(body=body, orelse=orelse):
            yield changed(node, body=orelse, orelse=body)
        case ast.If(test=test) if not isinstance(test, ast.Compare | ast.UnaryOp):
            yield changed(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.Slice(lower=lower, upper=upper):
            yield changed(node, lower=upper, upper=lower)
        case ast.Call(args=[one, two, *rest]) if not isinstance(two, ast.Starred):
            yield changed(node, args=[two, one, *rest])
        case ast.Call(keywords=[*keywords, ast.keyword(arg=str())]):
            yield changed(node, keywords=keywords)


def places(tree: ast.AST) -> Iterator[tuple[dict | list, str | int]]:
    """(container, key) of each node that may change."""
    if isinstance(tree, ast.Assign) and ast.unparse(tree.targets[0]) == "__all__":
        return
    for field, value in ast.iter_fields(tree):
        holder = value if isinstance(value, list) else vars(tree)
        for key in range(len(value)) if isinstance(value, list) else [field]:
            if isinstance(holder[key], ast.AST) and not isinstance(holder[key], ALONE) and field not in FIELDS:
                yield holder, key
                yield from places(holder[key])


def mutants(tree: ast.Module) -> Iterator[tuple[int, str, str, int]]:
    """(line, before, after, how many such changes are above), while the tree is that mutant."""
    seen = Counter()
    for holder, key in list(places(tree)):
        node = holder[key]
        for made in variants(node):
            before, after = (ast.unparse(ast.fix_missing_locations(each)).split("\n")[0] for each in (node, made))
            if before != after:
                holder[key] = made
                yield node.lineno, before, after, seen[before, after]
                holder[key] = node
                seen[before, after] += 1


def sample(root: Path, rooms: list[str], num: int, seed: int) -> dict[str, dict]:
    """{key: mutant}: of each room those whose keys have the least hashes, which few changes of the code leave so."""
    found = {}
    for place, room in enumerate(rooms):
        drawn = {}
        for path in sorted((root / "tfdfm" / room).rglob("*.py")):
            file = str(path.relative_to(root))
            for line, before, after, above in mutants(ast.parse(path.read_text())):
                key = json.dumps([file, before, after, above])
                drawn[key] = {"room": room, "file": file, "line": line, "before": before, "after": after}
        order = sorted(drawn, key=lambda key: hashlib.sha256(f"{seed} {key}".encode()).digest())
        found |= {key: drawn[key] for key in order[: num // len(rooms) + (place < num % len(rooms))]}
    return dict(sorted(found.items(), key=lambda item: hashlib.sha256(item[0].encode()).digest()))


def source(path: Path, key: str) -> str:
    """The file with that mutant in it."""
    tree = ast.parse(path.read_text())
    for _, *change in mutants(tree):
        if change == json.loads(key)[1:]:
            return ast.unparse(ast.fix_missing_locations(tree))
    raise SystemExit(f"Expected {key} in the code; it was changed since: give another --json.")


def stages(root: Path, mutant: dict) -> list[list[str]]:
    """Tests: of the file, of those of the room that name it, and the others; none is empty."""
    stem, room = Path(mutant["file"]).stem, mutant["room"]
    tests = [*sorted((root / "tests" / room).rglob("test_*.py")), *(root / name for name in MORE.get(room, []))]
    own = [path for path in tests if path.stem.startswith(f"test_{stem}")]
    named = [path for path in tests if path not in own and re.search(rf"\b{stem}\b", path.read_text())]
    found = own, named, [path for path in tests if path not in own + named]
    return [[str(path.relative_to(root)) for path in paths] for paths in found if paths]


def run(root: Path, seconds: float, *arguments: str) -> tuple[int | None, list[str]]:
    """pytest's code, None where it did not end, and the tests that failed: in a fork, which starts warm."""
    folder = root.parent / "temporary"
    folder.mkdir()
    if not (child := os.fork()):
        os.setsid()
        os.chdir(root)
        os.dup2(os.open(root.parent / "log", os.O_CREAT | os.O_TRUNC | os.O_WRONLY), 1)
        os.dup2(1, 2)
        os.environ |= {"TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        tempfile.tempdir, sys.dont_write_bytecode, code = None, True, 1
        try:
            code = importlib.import_module("pytest").main(["-q", "-rfE", "-p", "no:cacheprovider", *arguments])
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    end, code = time.monotonic() + seconds, None
    try:
        while code is None and time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            code = os.waitstatus_to_exitcode(status) if done else time.sleep(0.02)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # with what it started
    if code is None:
        os.waitpid(child, 0)
    shutil.rmtree(folder, ignore_errors=True)
    log = (root.parent / "log").read_text(errors="replace")
    if code == FAILED and "\nFAILED" not in log and "\nERROR" not in log:
        raise SystemExit(f"pytest itself failed: {log[-2000:]}")
    return code, re.findall(r"^(?:FAILED|ERROR) ([^\s:]+(?:::\w+)*)", log, re.MULTILINE)


def tried(root: Path, key: str, mutant: dict, seconds: float, most: int) -> dict:
    """{"is": killed, ended not or lived, "by": a test, "seconds": it took}."""
    path, start = root / mutant["file"], time.monotonic()
    kept, found = path.read_text(), {"is": "lived", "by": ""}
    path.write_text(source(path, key))
    try:
        for place, tests in enumerate(stages(root, mutant)[:most]):
            code, failed = run(root, seconds / (1 + bool(place)), "-x", *tests)
            if code not in (0, NO_TESTS, None) or code is None and not place:
                found = {"is": "ended not" if code is None else "killed", "by": (failed or tests)[0]}
                break
    finally:
        path.write_text(kept)
    return found | {"seconds": round(time.monotonic() - start, 1)}


def unsound(root: Path, known: dict[str, dict]) -> list[str]:
    """Of the tests that killed, those that fail without a mutant; of files that did, those that cannot be imported."""
    by = sorted({each["by"] for each in known.values() if each["is"] == "killed"})
    ways = [test for test in by if "::" in test], [test for test in by if "::" not in test]
    return [
        test
        for how, tests in zip(([], ["--co"]), ways, strict=True)
        if tests
        for test in run(root, 3600, *how, *tests)[1]
    ]


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num", type=int, default=200, help="mutants in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rooms", default="objectives,networks,training,sampling,serving,data")
    parser.add_argument("--seconds", type=float, default=120, help="of the first tests, twice those of the others")
    parser.add_argument("--stages", type=int, default=3, help="2: leave out those that do not name the file")
    parser.add_argument("--json", type=Path, default=Path("mutants.json"))
    parser.add_argument("--again", action="store_true", help="try what was not killed again")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="of the code and its tests")
    parser.add_argument("--warm", default=WARM)
    return parser.parse_args(arguments)


def main(values: argparse.Namespace):
    os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    for name in filter(None, values.warm.split(",")):
        importlib.import_module(name)
    known = json.loads(values.json.read_text()) if values.json.exists() else {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        root = Path(shutil.copytree(values.root, Path(folder) / "tree", ignore=LEFT))
        for key, mutant in sample(root, values.rooms.split(","), values.num, values.seed).items():
            if key not in known or values.again and known[key]["is"] != "killed":
                known[key] = mutant | tried(root, key, mutant, values.seconds, values.stages)
                values.json.write_text(json.dumps(known, indent=1))
                print(len(known), line(known[key]), flush=True)
        wrong = unsound(root, known)
    print(*report(known, wrong), sep="\n")


def line(mutant: dict) -> str:
    return "{file}:{line}: {before} -> {after}: {is} {by} ({seconds} s)".format_map(mutant)


def report(known: dict[str, dict], wrong: list[str]) -> Iterator[str]:
    for room in dict.fromkeys(each["room"] for each in known.values()):
        of = [each for each in known.values() if each["room"] == room]
        kinds = Counter(each["is"] for each in of)
        yield f"{room}: {len(of)} mutants, " + ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS)
        yield from (line(each) for each in of if each["is"] != "killed")
    yield from (f"It fails without a mutant, too: {line(each)}" for each in known.values() if each["by"] in wrong)


if __name__ == "__main__":
    main(parsed(None))
