"""SHA256SUMS in a folder: what its files are, as `sha256sum --check SHA256SUMS` reads it."""

import hashlib
from pathlib import Path

from tfdfm.errors import Failure

FILE = "SHA256SUMS"


def write(folder: Path) -> None:
    """Of every file there and below."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != FILE)
    (folder / FILE).write_text("".join(f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths))


def check(folder: Path) -> None:
    """Holds the files against the list; a folder without one passes. Raises Failure: names the first that differs."""
    try:
        lines = (folder / FILE).read_text().splitlines()
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"Cannot read {folder / FILE}: {error}. Put the folder there again.") from None
    for line in lines:
        digest, _, name = line.partition("  ")
        try:
            same = _digest(folder / name) == digest
        except (OSError, ValueError):
            same = False
        if not same:
            raise Failure(f"{folder / name} is damaged: it is not as {FILE} says. Put the folder there again.")


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
