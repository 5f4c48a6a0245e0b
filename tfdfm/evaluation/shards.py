"""An evaluation by many machines: each draws and classifies a shard of a run's samples, then one merges and scores.

A shard is RUN/evaluation/shards/<step>-seed<seed>-num<num>-<classifier>-<i>of<n>.npz: the features, logits and keys of
whole batches, and a record of all that these depend on. The samples of all shards, and the batches in which they are
drawn and classified, are those of an evaluation by one machine, and so are the scores.
"""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np

from tfdfm import files
from tfdfm.classifiers.features import BATCH, Features, features, joined
from tfdfm.errors import Failure, UsageError
from tfdfm.evaluation.evaluation import Evaluation
from tfdfm.evaluation.requests import Request
from tfdfm.progress import progress


class Shard(NamedTuple):
    number: int  # from 0
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def rows(self, num: int) -> slice:
        """Those of `num` samples that are this shard's: whole batches, but for the last of all.

        Raises:
            UsageError: there are more shards than batches.
        """
        batches = -(-num // BATCH)
        if self.count > batches:
            raise UsageError(
                f"Expected --shard to be one of at most {batches:,}: {num:,} samples are as many batches of {BATCH}. "
                f"Given {self}."
            )
        start, stop = (number * batches // self.count * BATCH for number in (self.number, self.number + 1))
        return slice(start, min(stop, num))


def parse(text: str) -> Shard:
    """Raises UsageError: it is none."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or int(found[1]) >= int(found[2]):
        raise UsageError(
            f"Expected --shard=i/n with 0 <= i < n (0/8 is the first of eight, 7/8 the last), given {text}."
        )
    return Shard(int(found[1]), int(found[2]))


def write(request: Request, shard: Shard) -> Path:
    """Draws and classifies the shard. Raises UsageError: there is no such one; Failure: the disk refuses."""
    this = Evaluation(request.scored_images(), classifier=request.load_classifier())
    rows = shard.rows(len(this.scored.images))
    part = this.scored.images.part(rows)
    found = features(part, this.classifier, progress("Samples", len(part)))
    path = _folder(request) / _name(this, shard)
    with files.writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.whole(path) as file:
            np.savez(file, record=json.dumps(_record(this, shard)), **found._asdict())
    return path


def merged(request: Request) -> Evaluation:
    """The evaluation whose features are those of all shards.

    Raises:
        Failure: shards are missing, damaged or of another run, classifier or checkpoint.
    """
    this = request.evaluation()
    shards = [Shard(number, count) for count in [_count(request, this)] for number in range(count)]
    missing = [shard for shard in shards if not (_folder(request) / _name(this, shard)).exists()]
    if missing or not shards:
        raise Failure(_missing(request, this, missing))
    this.features = joined(len(this.scored.images), _parts(request, this, shards))
    return this


def _folder(request: Request) -> Path:
    return request.run_dir / "evaluation" / "shards"


def _name(this: Evaluation, shard: Shard | None) -> str:
    """Of a shard's file; a pattern for those of all shards where there is none given."""
    of = this.scored.of
    classifier = re.sub(r"[^\w.]+", "_", this.classifier.record["name"])
    which = "*" if shard is None else f"{shard.number}of{shard.count}"
    return f"{of['checkpoint']}-seed{of['seed']}-num{len(this.scored.images)}-{classifier}-{which}.npz"


def _count(request: Request, this: Evaluation) -> int:
    """How many shards there are, those that are missing included; 0: not one is here. Of several divisions the one of
    which the fewest are missing."""
    found = [path.stem.rpartition("of")[2] for path in _folder(request).glob(_name(this, None))]
    counts = [int(count) for count in found if count.isdecimal()]
    return min(counts, key=lambda count: count - counts.count(count), default=0)


def _missing(request: Request, this: Evaluation, missing: list[Shard]) -> str:
    if not missing:
        command = _command(request, "i/n")
        return f"Expected shards {_name(this, None)} in {_folder(request)}, found none. Make each of n: {command}."
    numbers = " ".join(str(shard.number) for shard in missing)
    loop = f"for i in {numbers}; do {_command(request, f'$i/{missing[0].count}')}; done"
    return f"{len(missing)} of {missing[0].count} shards are missing in {_folder(request)}. Make them: {loop}"


def _command(request: Request, shard: Shard | str) -> str:
    given = {field.name: getattr(request, field.name) for field in fields(request) if field.name != "splits"}
    defaults = {field.name: field.default for field in fields(request)}
    flags = [f"--{name}={value}" for name, value in given.items() if value not in (None, defaults[name])]
    return f"python -m tfdfm.evaluate {shlex.join(flags)} --shard={shard}"


def _record(this: Evaluation, shard: Shard) -> dict:
    """What the shard's features depend on, and whose they are."""
    about = {f"classifier's {key}": value for key, value in this.classifier.record.items()}
    return files.finite({**this.scored.of, "num": len(this.scored.images), "shard": str(shard), **about})


def _parts(request: Request, this: Evaluation, shards: list[Shard]) -> Iterator[Features]:
    for shard in shards:
        path, wanted = _folder(request) / _name(this, shard), _record(this, shard)
        again = f"Make it again: {_command(request, shard)}"
        try:
            with open(path, "rb") as file, np.load(file) as arrays:
                record = json.loads(str(arrays["record"]))
                part = Features(*(arrays[name] for name in Features._fields))
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, BadZipFile) as error:  # a zip file's
            raise Failure(f"{path} is damaged ({error}). {again}") from error
        record["run"] = wanted["run"]  # a copy under another name is as good: its checksum says so
        different = [key for key in record | wanted if record.get(key) != wanted.get(key)]
        if different:
            raise Failure(f"{path} differs from this run and classifier in {', '.join(different)}. {again}")
        yield part
