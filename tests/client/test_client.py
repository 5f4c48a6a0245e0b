"""The client against a server that can be made to fail, in both protocols."""

import os
import subprocess
import sys

import fake_server
import numpy as np
import pytest
from fake_server import Fake

from tfdfm.client import EndpointError, connect, endpoint
from tfdfm.client import client as clients
from tfdfm.client.grpc import GrpcEndpoint
from tfdfm.client.rest import RestEndpoint
from tfdfm.errors import UsageError

BIG = 2**63 - 1


@pytest.fixture(scope="module", params=["http", "grpc"])
def served(request):
    fake = Fake(request.param)
    yield fake
    fake.close()


@pytest.fixture
def fake(served):
    served.plan, served.rows, served.asked = [], [], []
    served.released.clear()
    return served


@pytest.fixture
def client(fake):
    with connect(fake.endpoint, timeout=10) as found:
        yield found


def expected(seeds, labels) -> np.ndarray:
    seeds = np.asarray(seeds)
    return fake_server.images(fake_server.latents(seeds), np.resize(labels, len(seeds)))


def test_facts_of_the_model(client):
    assert client.image_shape == (2, 4, 3)
    assert client.conditional and client.num_classes == 3
    assert client.latent_size == 5


def test_images(client):
    images = client.images(seeds=range(10), labels=[0, 1] * 5)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, expected(range(10), [0, 1] * 5))


def test_one_label_stands_for_all(client):
    for label in (2, np.int64(2)):
        np.testing.assert_array_equal(client.images([4, 5], label), expected([4, 5], 2))


def test_any_int64_is_a_seed(client, fake):
    seeds = [BIG, -BIG - 1, 2**53 + 1]
    np.testing.assert_array_equal(client.images(seeds, 0), expected(seeds, 0))


def test_without_labels_they_are_drawn_by_the_seeds(client):
    np.testing.assert_array_equal(client.images(range(7)), expected(range(7), np.arange(7) % 3))


def test_pngs_and_their_pixels(client):
    files = client.pngs([1, 2], [0, 1])
    assert all(file.startswith(b"\x89PNG") for file in files)
    pixels = client.uint8([1, 2], [0, 1])
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.rint(expected([1, 2], [0, 1]) * 255))


def test_latents_and_back(client):
    z, prior = client.latents(range(3))
    assert z.shape == (3, 5) and prior == "uniform"
    np.testing.assert_array_equal(client.from_latents(z, 1), client.images(range(3), 1))


def test_large_calls_are_split_in_order(client, fake):
    np.testing.assert_array_equal(client.images(range(150), 1), expected(range(150), 1))
    assert fake.rows == [64, 64, 22]


def test_requests_stay_below_the_message_limit(client):
    def rows(*shape):
        client.image_shape = shape
        return client._rows(endpoint.SignatureSpec({}, {"images": endpoint.TensorSpec("DT_FLOAT", (-1, *shape))}))

    assert rows(32, 32, 3) == 64 and rows(128, 128, 3) == 21 and rows(1024, 1024, 3) == 1
    png = endpoint.SignatureSpec({}, {"image_bytes": endpoint.TensorSpec("DT_STRING", (-1,))})
    client.image_shape = (256, 256, 3)
    assert client._rows(png) == 19


def test_unavailable_is_asked_again(client, fake):
    fake.plan = ["UNAVAILABLE", "cut"]
    np.testing.assert_array_equal(client.images([1], 0), expected([1], 0))
    assert len(fake.rows) == 3


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "INTERNAL"])
def test_nothing_else_is_asked_again(client, fake, code):
    fake.plan = [code]
    with pytest.raises(EndpointError, match=f"{code}: as planned") as caught:
        client.images([1], 0)
    assert caught.value.code == code and caught.value.message == "as planned"
    assert len(fake.rows) == 1


def test_asking_again_ends_with_the_timeout(fake, monkeypatch):
    pauses = []
    monkeypatch.setattr(clients.time, "sleep", pauses.append)
    with connect(fake.endpoint, timeout=1.5) as client:
        fake.plan = ["UNAVAILABLE"] * 100
        with pytest.raises(EndpointError, match="UNAVAILABLE"):
            client.images([1], 0)
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8] and max(pauses) < 1.5


def test_the_deadline_is_of_the_whole_call(fake):
    with connect(fake.endpoint, timeout=0.5) as client:
        fake.plan = [None, None, "hold"]
        with pytest.raises(EndpointError) as caught:
            client.images(range(200), 0)
    fake.released.set()
    assert caught.value.code == "DEADLINE_EXCEEDED"


def test_the_requests_of_a_call_share_its_deadline(fake):
    with connect(fake.endpoint, timeout=0.5) as client:
        fake.plan = ["slow"] * 4
        with pytest.raises(EndpointError) as caught:
            client.images(range(200), 0)
    assert caught.value.code == "DEADLINE_EXCEEDED" and len(fake.rows) <= 2


def test_an_answer_that_drips_does_not_outlast_the_deadline(fake):
    if fake.endpoint.startswith("http"):
        with connect(fake.endpoint, timeout=0.5) as client:
            fake.plan = ["drip"]
            with pytest.raises(EndpointError) as caught:
                client.images(range(4), 0)
        assert caught.value.code == "DEADLINE_EXCEEDED"


def test_a_version_may_be_asked_for(fake):
    with connect(fake.endpoint, version=2) as client:
        client.images([1], 0)
    assert fake.asked == [("default", 2)] * 2


def test_a_models_name_is_quoted(fake):
    with pytest.raises(EndpointError, match="Servable not found"):
        connect(fake.endpoint, "a/b c")
    assert fake.asked == [("a%2Fb%20c" if fake.endpoint.startswith("http") else "a/b c", None)]


def test_rows_that_have_no_image_are_named(client):
    for method in (client.images, client.pngs):
        with pytest.raises(EndpointError, match=r"2 of 4 rows, first in row 1 \(seed 6, labels 7\)") as caught:
            method([5, 6, 7, 8], [0, 7, 1, -1])
        assert caught.value.code == "INVALID_ARGUMENT"


def test_an_answer_of_another_size_is_refused(client, fake):
    fake.plan = ["half"]
    with pytest.raises(EndpointError, match="Expected 4 rows, given {'images': 2}"):
        client.images(range(4), 0)


def test_an_unknown_model(fake):
    with pytest.raises(EndpointError, match="Servable not found") as caught:
        connect(fake.endpoint, "other")
    assert caught.value.code == "NOT_FOUND"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda client: client.images([]), r"seeds to be one or more whole numbers of 64 bits, given \[\]"),
        (lambda client: client.images([0.5]), r"seeds .* given \[0.5\]"),
        (lambda client: client.images([2**63]), "seeds"),
        (lambda client: client.images(3), "seeds .* given 3"),
        (lambda client: client.images([1, 2], [0, 1, 2]), "as many labels as images or one, given 3 for 2"),
        (lambda client: client.images([1], ["cat"]), r"labels .* given \['cat'\]"),
        (lambda client: client.pngs([1]), "is conditional: give labels"),
        (lambda client: client.from_latents(np.zeros([2, 4]), 0), r"shape \[N, 5\], given \[2, 4\]"),
    ],
)
def test_what_cannot_be_asked(client, fake, call, said):
    with pytest.raises(UsageError, match=said):
        call(client)
    assert fake.rows == []


def test_an_unconditional_model_takes_no_labels(client):
    client.conditional = False
    with pytest.raises(UsageError, match="is unconditional: leave out labels"):
        client.images([1], 0)


@pytest.mark.parametrize("endpoint", ["localhost", "ftp://localhost:1", "localhost:many", "", "http://localhost"])
def test_wrong_addresses(endpoint):
    with pytest.raises(UsageError, match="Expected an endpoint like HOST:PORT"):
        connect(endpoint)


def test_a_port_without_a_scheme_is_asked_what_it_speaks(fake):
    with connect(f"127.0.0.1:{fake.port}") as client:
        kind = GrpcEndpoint if fake.endpoint.startswith("grpc") else RestEndpoint
        assert isinstance(client._endpoint, kind)
        np.testing.assert_array_equal(client.images([1], 0), expected([1], 0))


def test_nobody_there_is_said_at_once(served, monkeypatch):
    monkeypatch.setattr(clients.time, "sleep", lambda seconds: pytest.fail("waited"))
    gone = Fake(served.endpoint.partition("://")[0])
    gone.close()
    with pytest.raises(EndpointError, match="refused") as caught:
        connect(gone.endpoint)
    assert caught.value.code == "UNAVAILABLE"


def test_http_to_a_port_of_grpc_says_so():
    fake = Fake("grpc")
    try:
        with pytest.raises(EndpointError, match=r"is this its gRPC port \(grpc://HOST:PORT\)"):
            connect(f"http://127.0.0.1:{fake.port}")
    finally:
        fake.close()


def test_rest_needs_no_tensorflow():
    fake = Fake("http")
    code = f"""
import sys
sys.modules["tensorflow"] = sys.modules["grpc"] = None
from tfdfm.client import connect
with connect("127.0.0.1:{fake.port}") as client:
    print(client.images(range(2), 1).shape, len(client.pngs([1], 0)), client.uint8([1], 0).shape)
"""
    try:
        done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=600)
    finally:
        fake.close()
    assert (done.stdout, done.stderr) == ("(2, 2, 4, 3) 1 (1, 2, 4, 3)\n", "")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A key and a certificate that nobody has signed, for 127.0.0.1."""
    key, certificate = (tmp_path_factory.mktemp("pair") / name for name in ("key.pem", "certificate.pem"))
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    made += ["-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(made, check=True, capture_output=True)
    return key, certificate


@pytest.mark.parametrize(
    ("scheme", "variable"), [("https", "REQUESTS_CA_BUNDLE"), ("grpcs", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")]
)
def test_tls(pair, scheme, variable):
    fake = Fake(scheme, pair)
    code = f"from tfdfm.client import connect; print(connect({fake.endpoint!r}).images([1], 0).shape)"
    try:
        with pytest.raises(EndpointError) as caught:
            connect(fake.endpoint)
        environment = os.environ | {variable: str(pair[1])}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, env=environment
        )
    finally:
        fake.close()
    assert caught.value.code == "UNAVAILABLE"
    assert done.stdout == "(1, 2, 4, 3)\n", done.stderr
