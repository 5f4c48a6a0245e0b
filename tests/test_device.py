"""tools/device/measure.sh installs what was packed, measures, and goes on where it was."""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

MEASURE = Path(__file__).parents[1] / "tools" / "device" / "measure.sh"
WHEEL = {
    "tiny.py": "NUMBER = 7",
    "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
    "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "tiny-1.0.dist-info/RECORD": "",
}
BENCHMARK = """import json, sys, tiny
flags = dict(flag[2:].split("=", 1) for flag in sys.argv[1:])
if flags["config"] == "broken":
    sys.exit(3)
open(flags["json"], "w").write(json.dumps([flags["config"], tiny.NUMBER]))
print("measured", flags["config"])
"""


@pytest.fixture
def packed(tmp_path):
    """What pack.sh makes, of one small wheel, in two pieces."""
    wheel, packing = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as made:
        for name, text in WHEEL.items():
            made.writestr(name, text)
    with tarfile.open(fileobj=packing, mode="w") as tar:
        for name, content in (
            ("wheels/tiny-1.0-py3-none-any.whl", wheel.getvalue()),
            ("tools/benchmark.py", BENCHMARK.encode()),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    shutil.copy(MEASURE, tmp_path)
    (tmp_path / "pieces").mkdir()
    whole = packing.getvalue()
    for number, part in enumerate((whole[:3000], whole[3000:])):
        (tmp_path / "pieces" / f"{number:04d}").write_bytes(part)
    files = [*sorted((tmp_path / "pieces").iterdir()), tmp_path / "measure.sh"]
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(tmp_path)}\n" for path in files]
    (tmp_path / "SHA256SUMS").write_text("".join(sums))
    return tmp_path


def measure(folder: Path, *recipes: str) -> subprocess.CompletedProcess:
    command = ["env", f"PYTHON={sys.executable}", "bash", folder / "measure.sh", *recipes]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_it_measures_what_is_missing_alone(packed):
    lost = (packed / "pieces" / "0001").rename(packed / "elsewhere")
    done = measure(packed, "digits")
    assert done.returncode == 2 and "pieces/0001" in done.stdout and "copy them again" in done.stderr
    assert not (packed / "unpacked").exists()
    lost.rename(packed / "pieces" / "0001")
    done = measure(packed, "digits", "broken")
    assert done.returncode == 0 and "broken: not measured (3)" in done.stderr, done.stderr
    assert json.loads((packed / "results" / "digits.json").read_text()) == ["digits", 7]
    done = measure(packed, "digits", "cifar10")
    assert "measured cifar10" in done.stdout and "measured digits" not in done.stdout
    assert {path.name for path in (packed / "results").glob("*.json")} == {"digits.json", "cifar10.json"}
