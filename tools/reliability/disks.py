"""Disks that fill up, run into a quota, die or are slow while a training writes to them, and healed.

    python tools/reliability/disks.py [--faults=40] [--seed=0] [--only=full,quota,dies,slow]

Each on a file system of its own in a file: as much space as a drawn share of what the training needs, as a full ext4 or
as a quota of btrfs; an ext4 that is shut down at a drawn moment, which loses what was not synced and answers all else
with an input/output error; syncs, renames and new folders that take a drawn time up to a second each. The training ends
by itself, in one line that says what failed, without a traceback; the disk is healed, and the same command must end,
bit for bit, as what met no fault. Prints what each command said; exit code 1 if anything was otherwise. Needs root,
loop devices, mkfs.ext4, btrfs-progs and strace.
"""

import fcntl
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from absl import flags
from kills import RECIPES, differences, finished, start, training, watched

from tfdfm import cli

KINDS = ("full", "quota", "dies", "slow")
SYSTEMS = {
    "ext4": (64 << 20, ["mkfs.ext4", "-q", "-m", "0"]),
    "btrfs": (256 << 20, ["mkfs.btrfs", "-q"]),
}
SHUT_DOWN = 0x8004587D, struct.pack("I", 2)  # FS_IOC_SHUTDOWN, without a last flush of the journal
JOB = training("digits", RECIPES["digits"] | {"steps": 80, "score_every": 40})
STUCK = 300  # seconds after which a command that met a fault does not end by itself


class Disk:
    """A file system in a file, mounted at a folder."""

    def __init__(self, top: Path, kind: str):
        self.image, self.folder, (size, make) = top / "image", top / "disk", SYSTEMS[kind]
        with open(self.image, "wb") as file:
            file.truncate(size)
        self.folder.mkdir()
        _run(*make, self.image)
        self.mount()

    def mount(self) -> None:
        _run("mount", "-o", "loop", self.image, self.folder)

    def unmount(self) -> None:
        _run("umount", self.folder)

    def shut_down(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, *SHUT_DOWN)
        finally:
            os.close(descriptor)


@contextmanager
def full(disk: Disk, space: int) -> Iterator[None]:
    """So many bytes are left."""
    ballast = disk.folder / "ballast"
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk.folder).free - space)
    yield
    ballast.unlink()


@contextmanager
def quota(disk: Disk, space: int) -> Iterator[None]:
    """So many bytes are allowed."""
    _run("btrfs", "quota", "enable", disk.folder)
    _run("btrfs", "qgroup", "limit", space, disk.folder)
    yield
    _run("btrfs", "qgroup", "limit", "none", disk.folder)


def meets(disk: Disk, kind: str, needed: int, changes: int, rng: random.Random) -> tuple[int | None, bool]:
    """Runs the training on a disk with the fault and heals the disk: its exit code, None if it had to be killed, and
    whether the fault was met."""
    work, output = disk.folder / "work", disk.image.with_name("output")
    if kind == "slow":
        delay = int(rng.uniform(0, 1e6))  # microseconds
        trace = f"strace -f --seccomp-bpf -o {os.devnull} -e trace=fsync,rename,mkdir"
        process = start(
            JOB(work), work, [*trace.split(), "-e", f"inject=fsync,rename,mkdir:delay_enter={delay}"], output
        )
        return _end(process), True
    if kind == "dies":
        process = start(JOB(work), work, output=output)
        watched(process, work, most=rng.randrange(1, changes + 1))
        lives = process.poll() is None
        disk.shut_down()
        code = _end(process)
        disk.unmount()
        disk.mount()
        return code, lives
    with {"full": full, "quota": quota}[kind](disk, int(rng.uniform(0, needed))):
        return _end(start(JOB(work), work, output=output)), True


def _end(process: subprocess.Popen) -> int | None:
    try:
        return process.wait(timeout=STUCK)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None


def fault(top: Path, kind: str, expected: dict, needed: int, changes: int, rng: random.Random) -> tuple[str, str]:
    """What was said, and what was wrong, if anything."""
    disk = Disk(top, "btrfs" if kind == "quota" else "ext4")
    try:
        code, met = meets(disk, kind, needed, changes, rng)
        said = (top / "output").read_text()
        last = said.strip().splitlines()[-1] if said.strip() else ""
        wrong = [f"exit code {code}"] if code not in ((0,) if kind == "slow" else (0, 1)) else []
        wrong += ["a traceback"] if "Traceback" in said else []
        wrong += ["did not say what failed"] if code == 1 and not re.search(r"Cannot \w+ .+: ", last) else []
        found, _ = finished(JOB, disk.folder / "work")
        wrong += differences(expected, found)
        about = re.sub(r"^.*Cannot", "Cannot", last.replace(str(disk.folder), "")) if code else "ended well"
        return about if met else "had ended", ", ".join(wrong)
    finally:
        subprocess.run(["umount", "-l", disk.folder], check=False)


def _run(*command) -> None:
    subprocess.run([*map(str, command)], check=True, capture_output=True)


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_integer("faults", 40, "How many.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Of the lots.", flag_values=values)
    flags.DEFINE_list("only", ",".join(KINDS), "These kinds alone.", flag_values=values)


def main(parsed: flags.FlagValues) -> int:
    wrong, said = 0, Counter()
    with tempfile.TemporaryDirectory() as name:
        expected, changes = finished(JOB, Path(name) / "whole")
        needed = sum(path.stat().st_size for path in (Path(name) / "whole").rglob("*"))
    for number in range(parsed.faults):
        kind = parsed.only[number % len(parsed.only)]
        with tempfile.TemporaryDirectory() as name:
            begun = time.monotonic()
            about, fault_found = fault(
                Path(name), kind, expected, needed, changes, random.Random(f"{parsed.seed} {number}")
            )
        print(
            f"{number} {kind} {time.monotonic() - begun:.0f} s: {about} {fault_found and 'WRONG: ' + fault_found}",
            flush=True,
        )
        said[kind, re.sub(r"\S*/\S+", "FILE", about)] += 1
        wrong += bool(fault_found)
    for (kind, about), count in sorted(said.items()):
        print(f"{kind}: {about}: {count}")
    print(f"{parsed.faults} faults, {wrong} wrong.")
    return int(bool(wrong))


if __name__ == "__main__":
    cli.run(main, define, __doc__)
