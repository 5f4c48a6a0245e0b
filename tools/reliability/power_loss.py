"""Power losses: what a disk may keep of a command's writes between two fsyncs; the run must end as if nothing was.

    python tools/reliability/power_loss.py [--losses=100] [--seed=0] [--of=export]

strace records what a small training does to its files. A loss is a moment of that record and a lot: what was synced by
then is kept; of the rest each write is kept, torn or dropped and each change of a folder kept or dropped, in any order.
From what is left the same training goes on; of an export a version is there whole or not at all. Exit code 1 if that
failed, or ended otherwise than what lost nothing.
"""

import functools
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import kills
from absl import flags

from tfdfm import cli

CALLS = (
    "openat,write,pwrite64,lseek,ftruncate,copy_file_range,sendfile,"
    "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync"
)
SETTINGS = kills.DENOISER | {"steps": 60, "ema_decay": 0.9}
_CALL = re.compile(r"(\w+)\((.*)\)\s+= (\d+)")
# Of strace -y -xx: a path, perhaps after its folder's.
_TEXT = re.compile(r'(?:(?:AT_FDCWD|\d+)<((?:\\x\w\w)*)>, )?"((?:\\x\w\w)*)"')
_FILE = re.compile(r"(\d+)<((?:\\x\w\w)+)>")


class Data(NamedTuple):
    """Bytes written into a file, or with none its new size. Files and folders are numbered, as inodes are."""

    node: int
    offset: int
    data: bytes | None


class Entry(NamedTuple):
    """A name in a folder that stands for a node now, or for none; a renamed one was `before`."""

    node: int
    name: str
    of: int | None
    before: tuple[int, str] | None = None


class Sync(NamedTuple):
    """What was done to the node before is on the disk."""

    node: int


class Disk:
    """A folder and all below it, in memory: node -> its entries, or its bytes."""

    def __init__(self):
        self.nodes: dict[int, dict[str, int] | bytearray] = {0: {}}

    def apply(self, change: Data | Entry) -> None:
        """Does it, as far as it can be done here: another change that it needs may have been lost."""
        if isinstance(change, Data):
            content = self.nodes.setdefault(change.node, bytearray())
            end = change.offset + len(change.data or b"")
            content.extend(bytes(max(0, end - len(content))))
            if change.data is None:
                del content[end:]
            else:
                content[change.offset : end] = change.data
            return
        if change.before:
            self.nodes.setdefault(change.before[0], {}).pop(change.before[1], None)
        entries = self.nodes.setdefault(change.node, {})
        entries.pop(change.name, None)
        if change.of is not None:
            entries[change.name] = change.of

    def write(self, folder: Path, kinds: dict[int, type], node: int = 0) -> None:
        """Makes the folder as it is here; a node that nothing is known of is empty."""
        folder.mkdir()
        for name, of in self.nodes.get(node, {}).items():
            if kinds[of] is dict:
                self.write(folder / name, kinds, of)
            else:
                (folder / name).write_bytes(self.nodes.get(of, b""))


class Recorder:
    """Reads lines of strace: the changes below a folder, in their order."""

    def __init__(self, top: Path):
        self._top, self.disk, self.changes = str(top), Disk(), []
        self._places: dict[str, int | None] = {}  # of open files, None: at the end

    def read(self, lines: Iterator[str]) -> None:
        begun = {}
        for line in lines:
            thread, text = line.strip().split(maxsplit=1)
            if text.endswith("<unfinished ...>"):
                begun[thread] = text.removesuffix("<unfinished ...>")
                continue
            text = re.sub(r"^<\.\.\. \w+ resumed>", lambda _, thread=thread: begun.pop(thread, ""), text)
            if found := _CALL.match(text):
                name, arguments, result = found.groups()
                getattr(self, f"_{name}")(arguments, int(result))

    def _parts(self, path: str) -> list[str] | None:
        """Below the top; None: it is elsewhere."""
        if not f"{path}/".startswith(self._top + "/"):
            return None
        return [each for each in path[len(self._top) :].split("/") if each]

    def _node(self, parts: list[str]) -> int | None:
        node = 0
        for part in parts:
            node = self.disk.nodes[node].get(part)
            if node is None:
                return None
        return node

    def _do(self, change: Data | Entry) -> None:
        self.disk.apply(change)
        self.changes.append(change)

    def _paths(self, arguments: str) -> list[list[str] | None]:
        found = [(_text(folder), _text(path)) for folder, path in _TEXT.findall(arguments)]
        return [
            self._parts(path if path.startswith("/") or not folder else f"{folder}/{path}") for folder, path in found
        ]

    def _open_files(self, arguments: str) -> list[tuple[str, int]]:
        """(descriptor, node) of those in the arguments that lie below the top."""
        found = [(number, self._parts(_text(path))) for number, path in _FILE.findall(arguments)]
        return [
            (number, node) for number, parts in found if parts is not None and (node := self._node(parts)) is not None
        ]

    def _openat(self, arguments: str, result: int) -> None:
        (parts,) = self._paths(arguments)
        if parts is None or "O_RDONLY" in arguments:
            return
        node = self._node(parts)
        if node is None:
            node = self._new(parts, bytearray())
        elif "O_TRUNC" in arguments:
            self._do(Data(node, 0, None))
        self._places[str(result)] = None if "O_APPEND" in arguments else 0

    def _new(self, parts: list[str], content: dict | bytearray) -> int:
        node = len(self.disk.nodes)
        self.disk.nodes[node] = content
        self._do(Entry(self._node(parts[:-1]), parts[-1], node))
        return node

    def _put(self, number: str, node: int, data: bytes) -> None:
        place = self._places.get(number)
        self._do(Data(node, len(self.disk.nodes[node]) if place is None else place, data))
        if place is not None:
            self._places[number] += len(data)

    def _write(self, arguments: str, result: int) -> None:
        for number, node in self._open_files(arguments[:2000].partition(",")[0]):
            self._put(number, node, _bytes(arguments)[:result])

    def _pwrite64(self, arguments: str, result: int) -> None:
        for _, node in self._open_files(arguments[:2000].partition(",")[0]):
            self._do(Data(node, int(arguments.rpartition(", ")[2]), _bytes(arguments)[:result]))

    def _lseek(self, arguments: str, result: int) -> None:
        for number, _ in self._open_files(arguments):
            self._places[number] = result

    def _ftruncate(self, arguments: str, result: int) -> None:
        for _, node in self._open_files(arguments):
            self._do(Data(node, int(arguments.rpartition(", ")[2]), None))

    def _sendfile(self, arguments: str, result: int) -> None:
        """Of shutil: one file to another, from the beginning."""
        if result and len(found := self._open_files(arguments)) == 2:
            (number, to), (_, source) = found
            start = self._places[number]
            self._put(number, to, bytes(self.disk.nodes[source][start : start + result]))

    def _copy_file_range(self, arguments: str, result: int) -> None:
        source, to = (f"{number}<{path}>" for number, path in _FILE.findall(arguments))
        self._sendfile(f"{to}, {source}", result)

    def _rename(self, arguments: str, result: int) -> None:
        source, to = self._paths(arguments)
        if source is not None:
            self._do(Entry(self._node(to[:-1]), to[-1], self._node(source), (self._node(source[:-1]), source[-1])))

    def _unlink(self, arguments: str, result: int) -> None:
        (parts,) = self._paths(arguments)
        if parts:
            self._do(Entry(self._node(parts[:-1]), parts[-1], None))

    def _mkdir(self, arguments: str, result: int) -> None:
        (parts,) = self._paths(arguments)
        if parts:
            self._new(parts, {})

    def _fsync(self, arguments: str, result: int) -> None:
        self.changes.extend(Sync(node) for _, node in self._open_files(arguments))

    _fdatasync, _mkdirat, _unlinkat, _rmdir = _fsync, _mkdir, _unlink, _unlink
    _renameat = _renameat2 = _rename


def _bytes(text: str) -> bytes:
    """What strace -xx wrote as "\\x41\\x42", the first of the arguments."""
    return bytes.fromhex(text.split('"')[1].replace("\\x", ""))


def _text(hexadecimal: str) -> str:
    return bytes.fromhex(hexadecimal.replace("\\x", "")).decode()


def lost(changes: list, rng: Random) -> tuple[Disk, Counter]:
    """A disk after a loss of power at any moment; how many changes were synced by then, kept, torn and dropped."""
    until = rng.randrange(len(changes) + 1)
    synced, counts, kept = set(), Counter(), []
    share = rng.choice([0, 0.2, 0.5, 0.8, 1])  # of what is not synced
    for change in reversed(changes[:until]):
        if isinstance(change, Sync):
            synced.add(change.node)
            continue
        if change.node in synced:
            counts["synced"] += 1
        elif rng.random() >= share:
            counts["dropped"] += 1
            continue
        elif isinstance(change, Data) and change.data and rng.random() < 0.3:
            counts["torn"] += 1
            change = change._replace(data=change.data[: rng.randrange(len(change.data))])
        else:
            counts["kept"] += 1
        kept.append(change)
    disk = Disk()
    for change in reversed(kept):
        disk.apply(change)
    return disk, counts


def recorded(job, folder: Path) -> Recorder:
    """What the command does to the folder, to its end."""
    strace = "strace -f -y -xx -s 100000000 --seccomp-bpf -e".split()
    command = ["env", f"TMPDIR={folder}", *strace, f"trace={CALLS}"]
    trace = folder.parent / "trace"
    process = kills.start(job(folder), folder, [*command, "-o", str(trace)])
    if process.wait():
        raise RuntimeError((folder / "output").read_text()[-3000:])
    recorder = Recorder(folder)
    with open(trace) as lines:
        recorder.read(lines)
    return recorder


def _unlike(one: Path, two: Path) -> Iterator[str]:
    """Files of the second that are not so in the first, but for the output, which its parent opened."""
    for path in two.rglob("*"):
        other = one / path.relative_to(two)
        if (
            path.is_file()
            and path.name != "output"
            and not (other.exists() and other.read_bytes() == path.read_bytes())
        ):
            yield str(path.relative_to(two))


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_integer("losses", 100, "How many.", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Of the moments and lots.", flag_values=values)
    flags.DEFINE_enum("of", "training", ["training", "export"], "Of which command.", flag_values=values)


def _went_on(job: kills.Job, expected: dict, folder: Path) -> list[str]:
    """What is not so once the command has gone on from what is left."""
    try:
        return kills.differences(expected, kills.finished(job, folder)[0])
    except RuntimeError as error:
        return [str(error)]


def _versions(whole: Path, folder: Path) -> list[str]:
    """What is not so in the version that is there, if one is."""
    return sorted(_unlike(folder / "export" / "1", whole)) if (folder / "export" / "1").exists() else []


def main(parsed: flags.FlagValues) -> int:
    job, rng, wrong, counts = kills.training("digits", SETTINGS), Random(parsed.seed), 0, Counter()
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        expected, _ = kills.finished(job, top / "whole")
        check = functools.partial(_went_on, job, expected)
        if parsed.of == "export":
            job = kills.jobs(top / "whole" / "run")["export"]
            check = functools.partial(_versions, top / "recorded" / "export" / "1")
        recorder = recorded(job, top / "recorded")
        kinds = {node: type(content) for node, content in recorder.disk.nodes.items()}
        recorder.disk.write(top / "same", kinds)
        if differences := sorted(_unlike(top / "same", top / "recorded")):
            raise RuntimeError(f"what was recorded is not what was done: {differences}")
        print(f"{len(recorder.changes)} changes recorded, {sum(isinstance(c, Sync) for c in recorder.changes)} syncs")
        for number in range(parsed.losses):
            folder = top / str(number)
            disk, found = lost(recorder.changes, rng)
            disk.write(folder, kinds)
            counts += found
            differences = check(folder)
            print(f"loss {number}: {dict(found)}", *differences, flush=True)
            wrong += bool(differences)
    print(f"{parsed.losses} losses, {wrong} wrong; of all changes {dict(counts)}")
    return int(bool(wrong))


if __name__ == "__main__":
    cli.run(main, define, __doc__)
