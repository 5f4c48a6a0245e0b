"""Models that several tests of the server copy, and the servers that several files ask."""

import subprocess

import pytest
import servables
from running import config, everything, serving


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    """A line and a gated model, to be copied: y = 0 x + the number in the name."""
    folder = tmp_path_factory.mktemp("made")
    for number in (1, 2, 3, 4):
        servables.line(folder / f"line{number}", slope=0.0, intercept=float(number))
        servables.gated(folder / f"gated{number}", add=float(number))
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with everything(tmp_path_factory.mktemp("models")) as running:
        yield running


@pytest.fixture(scope="module")
def reloadable(numbered, tmp_path_factory):
    """Serves nothing for long: each test reloads what it needs, below this base path. The disk is read when asked."""
    base = tmp_path_factory.mktemp("base")
    servables.publish(numbered / "line1", base, 1)
    with serving(config(m=base), poll_seconds=0) as running:
        running.base = base
        yield running


@pytest.fixture
def base(reloadable, tmp_path):
    return reloadable.base / tmp_path.name


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """An authority, and a server's and a client's key and certificate that it signed."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=folder)

    make = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(*make, "-x509", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca", "-days", 2)
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    for name in ("server", "client"):
        openssl(*make, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", 2, "-extfile", "names"]
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.crt", *signed)
    return {file.name: file.read_bytes() for file in folder.iterdir()}
