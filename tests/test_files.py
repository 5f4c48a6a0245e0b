"""A file is there whole or as it was."""

import errno
import os
from pathlib import Path

import pytest
import tensorflow as tf

from tfdfm import files
from tfdfm.errors import Failure


def test_folders_are_on_the_disk_before_what_is_in_them(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(files, "sync", lambda path: synced.append((path, sorted(each.name for each in path.iterdir()))))
    files.make_folder(tmp_path / "a" / "b")
    assert sorted(synced) == [(tmp_path, ["a"]), (tmp_path / "a", ["b"])]
    files.make_folder(tmp_path / "a" / "b")
    assert len(synced) == 2


def test_a_file_appears_at_the_end_and_over_what_a_killed_writer_left(tmp_path):
    path = tmp_path / "a.bin"
    (tmp_path / ".a.bin.writing").write_bytes(b"half of an older and longer file")
    with files.whole(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == b"new"


def test_a_file_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), files.whole(path) as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError("it needs 3 MB"), "it needs 3 MB"),
        (tf.errors.ResourceExhaustedError(None, None, "/a/b; Disk quota exceeded [Op:SaveV2]"), "Disk quota exceeded"),
    ],
)
def test_what_the_disk_refuses_is_one_line(error, cause):
    with pytest.raises(Failure, match=f"^Cannot write here: {cause}. Do this.$"), files.writing("here", "Do this."):
        raise error


def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    """Else a loss of power leaves a good name on an empty file."""
    events, sync, replace = [], os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: events.append(os.fstat(handle).st_ino) or sync(handle))
    monkeypatch.setattr(Path, "replace", lambda path, target: events.append("named") or replace(path, target))
    with files.whole(tmp_path / "file") as file:
        file.write(b"content")
    assert events == [(tmp_path / "file").stat().st_ino, "named", tmp_path.stat().st_ino]
