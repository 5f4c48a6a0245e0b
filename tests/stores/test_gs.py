"""A folder of Google Cloud Storage, as its emulator on this machine has it."""

import os
import subprocess
import sys
from pathlib import Path

import commands
import object_store
import pytest

pytestmark = pytest.mark.slow
THERE_AND_BACK = """
import shutil
from tfdfm import stores
folder = stores.local("gs://bucket/run")
assert not folder.exists()
for name in ("checkpoints/1/state.sha256", "checkpoints/1/state.index", "metrics.jsonl"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(name)
stores.send()
assert stores.versions("gs://bucket/run/checkpoints") == ["1"]
shared = stores.fetched("gs://bucket/run")
assert (shared / "metrics.jsonl").read_text() == "metrics.jsonl"
shutil.rmtree(folder / "checkpoints" / "1")
(folder / "metrics.jsonl").write_text("longer than before")
stores.send()
assert stores.versions("gs://bucket/run/checkpoints") == []
shared = stores.fetched("gs://bucket/run")
print([path.name for path in shared.iterdir()], (shared / "metrics.jsonl").read_text())
"""


def test_there_and_back():
    port = object_store.free_port()
    program = Path(sys.executable).with_name("gcp-storage-emulator")
    server = [sys.executable, str(program), "start", f"--port={port}", "--in-memory", "--default-bucket=bucket"]
    with subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as emulator:
        try:
            object_store.wait(port, emulator)
            reached = {
                "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
                "FSSPEC_GS_TOKEN": "anon",
                "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # which would ask by gRPC, and the emulator has none
            }
            told = commands.run([sys.executable, "-c", THERE_AND_BACK], env=os.environ | reached).stdout
        finally:
            emulator.kill()
    assert told == "['metrics.jsonl'] longer than before\n"
