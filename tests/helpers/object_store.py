"""A real S3 server on this machine: rclone, of a folder whose subfolders are the buckets."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

KEY, SECRET = "a-key", "a-secret"


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[dict[str, str]]:
    """Yields the variables of the environment by which its clients reach it."""
    port = free_port()
    rclone = Path(sys.executable).with_name("rclone")
    program = str(rclone) if rclone.exists() else shutil.which("rclone")
    (folder / "bucket").mkdir(parents=True)
    command = [program, "serve", "s3", "--auth-key", f"{KEY},{SECRET}", "--addr", f"127.0.0.1:{port}", str(folder)]
    with open(folder.with_suffix(".log"), "wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            wait(port, server)
            yield {
                "AWS_ACCESS_KEY_ID": KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",  # it sends a whole object's with each part of it
                "PATH": os.environ["PATH"],
            }
        finally:
            server.kill()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait(port: int, server: subprocess.Popen) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert server.poll() is None, "the server ended"
        time.sleep(0.05)
    raise AssertionError("it did not answer within ten seconds")
