import hashlib
import shutil
import subprocess

import pytest

from tfdfm import checksums
from tfdfm.errors import Failure


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep" / "down").mkdir(parents=True)
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "deep" / "down" / "b c").write_bytes(b"2")
    checksums.write(tmp_path)
    return tmp_path


def test_what_is_as_it_was_passes_with_whatever_lies_beside_it(folder):
    checksums.check(folder)
    (folder / "README.md").write_text("more")
    checksums.check(folder)
    assert f"{hashlib.sha256(b'2').hexdigest()}  deep/down/b c\n" in (folder / checksums.FILE).read_text()


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="no sha256sum")
def test_it_is_the_format_of_sha256sum(folder):
    subprocess.run(["sha256sum", "--check", "--strict", checksums.FILE], cwd=folder, check=True)


@pytest.mark.parametrize("damage", ["changed", "gone", "list", "bytes", "cut"])
def test_what_is_not_is_named(folder, damage):
    file, listed = folder / "deep" / "down" / "b c", folder / checksums.FILE
    if damage == "changed":
        file.write_bytes(b"3")
    elif damage == "gone":
        file.unlink()
    elif damage == "list":
        listed.write_text(listed.read_text().replace("deep", "dee\0p"))
    elif damage == "bytes":
        listed.write_bytes(b"\xff" + listed.read_bytes())
    else:
        listed.write_bytes(listed.read_bytes()[:-3])
    with pytest.raises(Failure, match="Put the folder there again"):
        checksums.check(folder)


def test_a_folder_without_a_list_passes(tmp_path):
    checksums.check(tmp_path)
