import json
import subprocess
import sys
import time

import pytest

from tfdfm.data import download, load
from tfdfm.errors import Failure

pytest.importorskip("tensorflow_datasets")

_WATCHED = """
import importlib.util, sys, threading, time
from pathlib import Path
spec = importlib.util.spec_from_file_location("download", sys.argv[5])
download = importlib.util.module_from_spec(spec)
spec.loader.exec_module(download)
download.QUIET_FIRST, download.QUIET_LATER = 2.5, float(sys.argv[2])
downloads = Path(sys.argv[1])
threading.Thread(target=download._watch, args=(downloads,), daemon=True).start()
for i in range(int(sys.argv[3])):
    (downloads / "name.tmp.1").mkdir(parents=True, exist_ok=True)
    with open(downloads / "name.tmp.1" / "file", "ab") as file: file.write(b"x")
    time.sleep(0.5)
time.sleep(float(sys.argv[4]))
print("done")
"""


def _watched(*arguments) -> str:
    command = [sys.executable, "-c", _WATCHED, *map(str, arguments), download.__file__]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


@pytest.mark.parametrize(
    ("later", "arrivals", "pause", "said"),
    [
        (300, 0, 30, "error nothing arrived within 2 s (no network?)"),
        (300, 8, 0, "done"),  # a slow download
        (300, 1, 4, "done"),  # once something came, a pause is allowed
        (3, 1, 30, "error nothing arrived within 3 s (no network?)"),
    ],
)
def test_the_watch_ends_what_shows_no_life_and_spares_what_does(tmp_path, later, arrivals, pause, said):
    assert _watched(tmp_path, later, arrivals, pause) == said


def test_it_looks_once_a_second(tmp_path):
    start, signs = time.monotonic(), download._signs_of_life(tmp_path)
    assert [arrived for _, arrived in (next(signs), next(signs))] == [0, 0] and time.monotonic() - start > 1.9


def test_without_a_network_one_line_within_twenty_seconds(tmp_path, monkeypatch):
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    start = time.monotonic()
    with pytest.raises(Failure) as error:
        load("stl10", data_dir=str(tmp_path / "tfds"), cache_dir=str(tmp_path / "cache"))
    assert time.monotonic() - start < 20
    text = str(error.value)
    assert "stl10_binary.tar.gz" in text
    assert f"{tmp_path}/tfds/downloads/manual" in text
    assert f"tfds build stl10 --data_dir {tmp_path}/tfds" in text
    assert "\n" not in text


def test_the_downloader_stands_alone():
    """It is run as a file, so it may import nothing of tfdfm."""
    code = "import sys, json; import runpy; runpy.run_path(sys.argv[1]); print(json.dumps(sorted(sys.modules)))"
    command = [sys.executable, "-P", "-c", code, download.__file__]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not [name for name in json.loads(done.stdout) if name.startswith("tfdfm")]
