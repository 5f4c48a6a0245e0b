"""Damages to the files that the package keeps: whoever reads one must find and name it, or read what was written.

    python tools/reliability/damages.py [--num=1000] [--seed=0] [--only=checkpoint,...]

A small run, its caches, its export and a search are made once. Each damage is to one of their files: a bit, a cut, a
block of zeros or of noise, more at its end, nothing left, gone. Readers run in a process of their own, so that one that
takes it down is seen too. Exit code 1 for a wrong result, another exception than the package's, a dead or stuck reader.
"""

import hashlib
import multiprocessing
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import NamedTuple

import kills
import numpy as np
from absl import flags

from tfdfm import cli, data
from tfdfm.classifiers import features, lookup
from tfdfm.errors import Failure, UsageError
from tfdfm.runs import metrics_log
from tfdfm.sampling import restore
from tfdfm.sampling.sampler import Local
from tfdfm.sampling.sources import Export
from tfdfm.searching import results
from tfdfm.serving.models.saved_model import SavedModelBundle

PATIENCE = 300  # seconds, after which a reader is stuck
SEEDS = range(4)
SETTINGS = kills.DENOISER | {"steps": 40}
GOOD = ("as written", "named", "the one before")


class Case(NamedTuple):
    files: str  # a pattern below the folder
    read: Callable[[Path], object]
    checked: bool = True  # no checksum: numbers may change unseen, though nothing fails


def _run(folder: Path) -> tuple:
    trained = restore.load(folder / "run")
    return trained.step, Local(trained).images(SEEDS).tobytes()


def _served(folder: Path) -> list[bytes]:
    model = SavedModelBundle(folder / "export" / "1")
    found = model.signature("").run([np.array(SEEDS, np.int64)])
    model.close()
    return [array.tobytes() for array in found]


def _pixels() -> np.ndarray:
    return data.load("digits", image_size=16).pixels


def _classifier():
    return lookup.of_data("dataset", "digits", 16)


CASES = {
    "checkpoint": Case("run/checkpoints/0000040/*", _run),
    "config.json": Case("run/config.json", _run),
    "data cache": Case("cache/tfdfm/digits-*.tfdfm", lambda folder: _pixels().tobytes()),
    "classifier": Case(
        "cache/tfdfm/dataset-*.npz", lambda folder: [part.tobytes() for part in _classifier().run(_pixels()[:8])]
    ),
    "features": Case(
        "cache/tfdfm/features-*.npy",
        lambda folder: [np.asarray(part).tobytes() for part in features.cached(_pixels(), _classifier())],
    ),
    "export": Case("export/1/**/*", lambda folder: Export(folder / "export").images(SEEDS).tobytes()),
    "export, served": Case("export/1/**/*", _served),
    "metrics.jsonl": Case("run/metrics.jsonl", lambda folder: metrics_log.of_run(folder / "run"), False),
    "study.journal": Case("search/study.journal", lambda folder: results.read(folder / "search"), False),
}


def make(folder: Path) -> None:
    """All files that the cases read."""
    run = folder / "run"
    commands = [
        kills.training("digits", SETTINGS)(folder),
        ["export", f"--run_dir={run}", f"--out={folder / 'export'}"],
        ["evaluate", f"--run_dir={run}", "--num=500", "--metrics=frechet_distance"],
        ["search", f"--search_dir={folder / 'search'}", "--config=digits_gan", "--grid.seed=0,1", "--samples=500",
         *kills.flags_of({"steps": 20})],
    ]  # fmt: skip
    for command in commands:
        kills.finished(lambda _, command=command: command, folder)


def damaged(content: bytes, rng: Random) -> tuple[str, bytes | None]:
    """What was done, and what the file holds now; None: it is gone."""
    changed, place = bytearray(content), rng.randrange(max(len(content), 1))
    kind = rng.choice(["bit"] * 5 + ["cut"] * 2 + ["zeros", "noise", "more", "nothing", "gone"])
    end = place + rng.randrange(1, 4096)
    if kind == "bit" and content:
        changed[place] ^= 1 << rng.randrange(8)
    elif kind == "zeros":
        changed[place:end] = bytes(len(changed[place:end]))
    elif kind == "noise":
        changed[place:end] = rng.randbytes(len(changed[place:end]))
    elif kind == "cut":
        del changed[place:]
    elif kind == "more":
        changed += rng.randbytes(rng.randrange(1, 4096))
    return kind, None if kind == "gone" else b"" if kind == "nothing" else bytes(changed)


def reader(connection: Connection, folder: Path) -> None:
    """Reads a case for each name that comes: ("read", digest), or ("said" or "raised", type and message)."""
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    while name := connection.recv():
        try:
            answer = "read", hashlib.sha256(repr(CASES[name].read(folder)).encode()).hexdigest()
        except (UsageError, Failure) as error:
            answer = "said", str(error)
        except Exception as error:
            answer = "raised", f"{type(error).__name__}: {error}"
        connection.send(answer)


class Reader:
    """A process that reads, and another one where it died or got stuck."""

    def __init__(self, folder: Path):
        self._folder, self._process = folder, None

    def ask(self, name: str) -> tuple[str, str]:
        if self._process is None:
            spawn = multiprocessing.get_context("spawn")
            self._connection, theirs = spawn.Pipe()
            self._process = spawn.Process(target=reader, args=(theirs, self._folder), daemon=True)
            self._process.start()
            theirs.close()
        self._connection.send(name)
        try:
            if self._connection.poll(PATIENCE):
                return self._connection.recv()
            answer = "stuck", f"no answer in {PATIENCE} seconds"
        except EOFError:
            answer = "died", "no answer"
        self._process.kill()
        self._process = None
        return answer


def outcome(answer: tuple[str, str], whole: str, before: str, file: Path, folder: Path) -> str:
    """In a word: as written, the one before, named, or what is a fault."""
    kind, said = answer
    if kind == "read":
        return {whole: "as written", before: "the one before"}.get(said, "another result")
    kept = file.relative_to(folder)
    if kind == "said" and "\n" not in said and (kept.name in said or f"{folder / kept.parts[0]}" in said):
        return "named"
    return {"said": "not named"}.get(kind, kind)


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_integer("num", 1000, "Damages, in equal shares.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Of the damages.", flag_values=values)
    flags.DEFINE_list("only", None, "These cases alone.", flag_values=values)


def main(parsed: flags.FlagValues) -> int:
    rng, faults = Random(parsed.seed), 0
    names = [name for name in CASES if not parsed.only or name in parsed.only]
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top)
        make(folder)
        ask = Reader(folder).ask
        whole = {name: ask(name)[1] for name in names}
        shutil.move(folder / "run" / "checkpoints" / "0000040", folder / "aside")
        before = ask("checkpoint")[1]
        shutil.move(folder / "aside", folder / "run" / "checkpoints" / "0000040")
        found = {name: Counter() for name in names}
        for number in range(parsed.num):
            name = names[number % len(names)]
            files = sorted(path for path in folder.glob(CASES[name].files) if path.is_file())
            file = rng.choice(files)
            content = file.read_bytes()
            kind, after = damaged(content, rng)
            file.unlink() if after is None else file.write_bytes(after)
            answer = ask(name)
            ended = outcome(answer, whole[name], before if name == "checkpoint" else "", file, folder)
            found[name][ended] += 1
            if ended not in GOOD and (CASES[name].checked or ended != "another result"):
                faults += 1
                print(f"{name}: {kind} in {file.relative_to(folder)}: {ended}: {answer[1][:300]}", flush=True)
            file.write_bytes(content)
        for name in names:
            print(f"{name:16} {dict(found[name].most_common())}")
    print(f"{parsed.num} damages, {faults} faults")
    return int(bool(faults))


if __name__ == "__main__":
    cli.run(main, define, __doc__)
