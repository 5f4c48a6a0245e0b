"""SIGKILLs at random moments of commands; what is left goes on and must end, bit for bit, as what was never killed.

    python tools/reliability/kills.py [--kills=100] [--seed=0] [--only=training of digits,...]

Trainings of five recipes that differ in their state, with caches of their own, so that the preparation of data and the
training of the classifier are hit too; scores, an export and a search. Each is killed and started again a few times,
then left to end. Prints where the kills fell; exit code 1 if anything ended otherwise.
"""

import hashlib
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from absl import flags

from tfdfm import cli

KILLS_A_CHAIN = 5
OF_A_RUN = "training of digits"  # the job whose run others read
SMALL = {
    "dataset": "digits",
    "image_size": 16,
    "generator.width": 4,
    "discriminator.width": 4,
    "latent_size": 8,
    "batch_size": 8,
    "steps": 400,
    "steps_per_execution": 1,
    "log_every": 10,
    "sample_every": 40,
    "checkpoint_every": 20,
    "score_every": 0,
}
Job = Callable[[Path], list[str]]  # the command that fills a folder
DENOISER = {"denoiser.depth": 2, "denoiser.width": 64}
RECIPES = {  # what is in the state beside weights and Adam's moments
    "digits": DENOISER | {"denoiser.whiten": "true", "dfm.gradient_ratio": 1, "ema_decay": 0.9, "score_every": 100},
    "cifar10_wgan": {"steps": 150},  # n_critic batches a step
    "cifar10_began": {},  # k_t
    "cifar10_sngan": {"batch_size": 16, "steps": 100},  # vectors of the power iteration
    "cifar10_quick_acgan_dfm": DENOISER,  # labels, augmentation, rates that fall
}


def training(name: str, more: dict) -> Job:
    return lambda folder: ["train", f"--config={name}", f"--run_dir={folder / 'run'}", *flags_of(more)]


def jobs(run: Path) -> dict[str, Job]:
    """All of them; some are on a finished run."""
    found = {f"training of {name}": training(name, more) for name, more in RECIPES.items()}
    found["scores"] = lambda folder: [
        "evaluate", f"--run_dir={run}", "--num=2000", f"--json={folder / 'scores.json'}"
    ]  # fmt: skip
    found["export"] = lambda folder: ["export", f"--run_dir={run}", f"--out={folder / 'export'}"]
    found["search"] = lambda folder: [
        "search", f"--search_dir={folder / 'search'}", "--config=digits_gan", "--grid.seed=0,1,2", "--samples=500",
        *flags_of({"steps": 100}),
    ]  # fmt: skip
    return found


def flags_of(more: dict) -> list[str]:
    """The small settings, and these."""
    return [f"--config.{key}={value}" for key, value in (SMALL | more).items()]


def outcome(folder: Path) -> dict[str, object]:
    """What commands promise of the folder's files: their bytes, but for times, rates and TensorBoard's."""
    found = {}
    for path in sorted(set(folder.rglob("*")) - set((folder / "cache").rglob("*"))):
        name = re.sub(r"export/\d+/", "export/newest/", str(path.relative_to(folder)))
        if path.name in ("metrics.jsonl", "warnings.jsonl"):
            rows = map(json.loads, path.read_text().splitlines())
            found[name] = [row | {"images_per_second": None} for row in rows]
        elif path.is_file() and re.search(r"checkpoints/\w|samples/|variables/|\.json$", name) and "/." not in name:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def differences(expected: dict[str, object], found: dict[str, object]) -> list[str]:
    """The names of files that are not so in both outcomes."""
    return sorted(name for name in expected | found if expected.get(name) != found.get(name))


def start(command: list[str], folder: Path, prefix: Sequence[str] = (), output: Path | None = None) -> subprocess.Popen:
    """The command in a process group of its own; its cache lies in the folder, its output, too, if not elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    with open(output or folder / "output", "a") as file:
        arguments = [*prefix, sys.executable, "-m", f"tfdfm.{command[0]}", *command[1:]]
        return subprocess.Popen(arguments, stdout=file, stderr=file, env=environment, start_new_session=True)


def watched(process: subprocess.Popen, folder: Path, most: float = math.inf, seconds: float = math.inf) -> int:
    """Waits for the end of the process, `most` changes of the folder's files or so many seconds; the changes seen."""
    seen, last, begun = 0, None, time.monotonic()
    while process.poll() is None and seen < most and time.monotonic() - begun < seconds:
        now = _state(folder)
        seen, last = seen + (now != last), now
        time.sleep(0.002)
    return seen


def _state(folder: Path) -> list[tuple]:
    found = []
    for directory, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it went meanwhile
                about = os.stat(f"{directory}/{name}")
                found.append((directory, name, about.st_size, about.st_mtime_ns))
    return found


def finished(job: Job, folder: Path) -> tuple[dict[str, object], int]:
    """Lets the command end: its outcome, and how often files changed. Raises RuntimeError: it did not end well."""
    process = start(job(folder), folder)
    changes = watched(process, folder)
    if process.wait():
        raise RuntimeError(f"exit code {process.returncode}: {(folder / 'output').read_text()[-3000:]}")
    return outcome(folder), changes


def phase(folder: Path) -> str:
    """Where the files say that the command was."""
    writing = [*folder.rglob(".writing"), *folder.rglob(".*.writing"), *folder.glob("export/.*")]
    if writing:
        return "in a checkpoint" if "checkpoints" in str(writing[0]) else "in another file"
    if any(path.stat().st_size for path in folder.rglob("metrics.jsonl")):
        return "in steps, samples and scores"
    if any((folder / "cache" / "tfdfm").glob("*.lock")):
        return "in data, classifier, first trace"
    return "at the start"


def chain(job: Job, folder: Path, seconds: float, changes: int, kills: int, rng: random.Random) -> Iterator[str]:
    """Starts and kills the command, by the clock or by changes of its files in turn; the phase of each kill."""
    for number in range(kills):
        process = start(job(folder), folder)
        limit = {"most": rng.randrange(1, changes + 1)} if number % 2 else {"seconds": rng.uniform(0, seconds)}
        watched(process, folder, **limit)
        if process.poll() is None:  # else it ended before
            os.killpg(process.pid, signal.SIGKILL)
            yield phase(folder)
        process.wait()


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_integer("kills", 100, "How many.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Of the moments.", flag_values=values)
    flags.DEFINE_list("only", None, "These jobs alone.", flag_values=values)


def main(parsed: flags.FlagValues) -> int:
    rng, wrong, done = random.Random(parsed.seed), 0, 0
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        every = jobs(top / "whole" / OF_A_RUN / "run")
        left = {kind: job for kind, job in every.items() if not parsed.only or kind in parsed.only}
        needed = {OF_A_RUN} if left.keys() & {"scores", "export"} else set()
        whole = {}
        for kind in sorted(left.keys() | needed, key=list(every).index):
            begun = time.monotonic()
            expected, changes = finished(every[kind], top / "whole" / kind)
            whole[kind] = expected, time.monotonic() - begun, changes
        fell = {kind: Counter() for kind in left}
        while done < parsed.kills:
            for kind, job in left.items():
                folder = top / "killed"
                expected, seconds, changes = whole[kind]
                count = min(KILLS_A_CHAIN, parsed.kills - done)
                fell[kind].update(chain(job, folder, seconds, changes, count, rng))
                found, _ = finished(job, folder)
                other = differences(expected, found)
                print(f"{kind}: {dict(fell[kind])}", *other, flush=True)
                wrong += bool(other)
                done = sum(map(Counter.total, fell.values()))
                shutil.rmtree(folder)
    print(f"{done} kills, {wrong} chains ended otherwise than what was never killed.")
    return int(bool(wrong))


if __name__ == "__main__":
    cli.run(main, define, __doc__)
