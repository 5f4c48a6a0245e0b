"""Peers of the REST port that are too slow, too large, cut off or no HTTP at all; and a core that fails."""

import asyncio
import contextlib
import gzip
import select
import socket
import threading
import time
from types import SimpleNamespace

import grpc
import numpy as np
import pytest
import servables
from aiohttp import web
from asking import Asking, error
from running import config, serving
from tensorflow.core.protobuf import meta_graph_pb2

from tfdfm.errors import UsageError
from tfdfm.serving import server
from tfdfm.serving.http import bodies, request_json, response_json, router
from tfdfm.serving.status import StatusError

LIMIT = 1 << 20  # bytes of a body
PATH, BODY, GOOD = "/v1/models/line:predict", b'{"instances": [1]}', (200, {"predictions": [3.0]})


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    base = tmp_path_factory.mktemp("line")
    servables.line(base / "1")
    with serving(config(line=base), rest_port=server.ANY, max_bytes=LIMIT) as running:
        with (made := Asking(running.server.ports["REST"])).session:
            yield made


def test_bodies_too_large(ask):
    large, said = b"[" * (100 << 20), error(f"{LIMIT} bytes", 413)
    assert ask("POST", PATH, large) == said
    assert ask("POST", PATH, iter([large[: LIMIT + 1]])) == said
    squeezed = gzip.compress(large, 1)
    assert len(squeezed) < LIMIT
    assert ask("POST", PATH, squeezed, headers={"Content-Encoding": "gzip"}) == said
    whole = BODY.ljust(LIMIT)
    assert ask("POST", PATH, whole) == GOOD


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff\x16\x03\x01" * 1000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /v1/models/line HTTP/1.1\r\nBad Header\x01\r\n\r\n",
        b"POST /v1/models/\xff\xfe:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /v1/models/line:predict HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/models/line:predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\nabc",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_http(ask, sent):
    with socket.create_connection(("127.0.0.1", ask.port), timeout=30) as peer:
        peer.sendall(sent)
        assert peer.makefile("rb").readline().split()[1] == b"400"
    assert ask("POST", PATH, BODY) == GOOD


def test_connections_that_stop_anywhere_and_are_cut(ask):
    whole = b'POST /v1/models/line:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\n{"instances": [1]}'
    with contextlib.ExitStack() as stack:
        for length in range(0, len(whole) + 1, 3):
            peer = stack.enter_context(socket.create_connection(("127.0.0.1", ask.port)))
            peer.sendall(whole[:length])
        assert ask("POST", PATH, BODY) == GOOD
    assert ask("POST", PATH, BODY) == GOOD


class Call:
    """Does what the name of the model says."""

    definition = meta_graph_pb2.SignatureDef(inputs={"x": {"dtype": 1}})

    def __init__(self, model):
        self.model = model

    async def predict(self, inputs):
        if self.model == "never":
            await asyncio.Event().wait()
        if self.model == "broken":
            raise KeyError("a secret")
        if self.model in grpc.StatusCode.__members__:
            raise StatusError(grpc.StatusCode[self.model], 'a "reason" \ud800' * 1000)
        if self.model == "uneven":
            return {"y": inputs["x"], "z": np.zeros(5, np.float32)}
        return {"y": np.repeat(inputs["x"], 10_000 if self.model == "large" else 1)}


class ServerCore:
    @contextlib.contextmanager
    def call(self, model, signature="", **_):
        yield Call(model)

    def models(self):
        return []


class Metrics(list):
    def request(self, *what):
        self.append(what[:-1])

    def text(self):
        return b"made_up 1\n"


@pytest.fixture
def faked():
    """A function that starts the REST port of a ServerCore with options, to be asked."""
    loop, runners = asyncio.new_event_loop(), []
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start(**options) -> Asking:
        options = {"timeout_ms": 60_000, "max_body": LIMIT, "metrics_path": "/metrics", "cors": False} | options
        metrics = Metrics()
        runner = web.AppRunner(router.application(ServerCore(), metrics, **options))
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made = Asking(runner.addresses[0][1])
        made.metrics, made.thread = metrics, thread
        return made

    yield lambda **options: asyncio.run_coroutine_threadsafe(start(**options), loop).result()
    for runner in runners:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_codes(faked):
    expected = {
        **dict.fromkeys(("INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"), 400),
        **{"UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "NOT_FOUND": 404, "ALREADY_EXISTS": 409, "ABORTED": 409},
        **{"RESOURCE_EXHAUSTED": 429, "CANCELLED": 499, "INTERNAL": 500, "UNKNOWN": 500, "DATA_LOSS": 500},
        **{"UNIMPLEMENTED": 501, "UNAVAILABLE": 503, "DEADLINE_EXCEEDED": 504},
    }
    assert {*expected, "OK"} == {*grpc.StatusCode.__members__}
    ask = faked()
    for code, status in expected.items():
        assert ask("POST", f"/v1/models/{code}:predict", BODY) == error('a "reason" \ud800' * 1000, status)
        assert ask.metrics[-1] == (code, "predict", "REST", code)


def test_what_breaks_is_internal_and_says_nothing_of_the_inside(faked, caplog):
    ask = faked()
    assert ask("POST", "/v1/models/broken:predict", BODY) == error("KeyError in the server; see its log.", 500)
    assert "a secret" in caplog.text
    assert ask.metrics[-1] == ("broken", "predict", "REST", "INTERNAL")


def test_outputs_of_different_sizes_are_no_rows(faked):
    ask = faked()
    assert ask("POST", "/v1/models/uneven:predict", BODY) == error("inconsistent batch size")
    assert ask("POST", "/v1/models/uneven:predict", {"inputs": [1]}) == (200, {"outputs": {"y": [1.0], "z": [0.0] * 5}})


def test_an_answer_that_never_comes(faked):
    ask = faked(timeout_ms=50)
    assert ask("POST", "/v1/models/never:predict", BODY) == error("0.05 s", 504)
    assert ask.metrics[-1] == ("never", "predict", "REST", "DEADLINE_EXCEEDED")
    assert ask("POST", "/v1/models/line:predict", BODY) == (200, {"predictions": [1.0]})


def test_a_body_that_never_comes(faked):
    ask = faked(timeout_ms=50)
    with socket.create_connection(("127.0.0.1", ask.port), timeout=30) as peer:
        peer.sendall(b"POST /v1/models/line:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\n{")
        assert peer.makefile("rb").readline().split()[1] == b"504"


@pytest.mark.parametrize("headers", [{"Content-Encoding": "gzip"}, {}])
def test_the_rest_of_a_bomb_is_not_decompressed(headers):
    """Nothing more is read; what is too large as it is, is: the client takes the answer when it has sent all."""
    paused = []
    transport = SimpleNamespace(pause_reading=lambda: paused.append(True))

    async def readany():
        return bytes(6)

    request = SimpleNamespace(
        content_length=3, content=SimpleNamespace(readany=readany), transport=transport, headers=headers
    )
    with pytest.raises(web.HTTPRequestEntityTooLarge):
        asyncio.run(bodies.Bodies(5).read(request))
    assert bool(paused) == bool(headers)


def test_a_client_that_has_left_is_no_error_of_ours():
    async def gone():
        raise RuntimeError("Connection closed.")

    request = SimpleNamespace(content_length=3, content=SimpleNamespace(readany=gone), transport=None)
    with pytest.raises(ConnectionError):
        asyncio.run(bodies.Bodies(5).read(request))
    request.transport = object()
    with pytest.raises(RuntimeError):
        asyncio.run(bodies.Bodies(5).read(request))


def test_bodies_of_all_have_their_limit_too(ask):
    """Of clients who are slow to send: one too many is refused, and there is room again when they have left."""
    half = b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % LIMIT
    with contextlib.ExitStack() as stack:
        addresses = [("127.0.0.1", ask.port)] * (bodies.TOGETHER + 1)
        waiting = [stack.enter_context(socket.create_connection(address)) for address in addresses]
        for client in waiting:
            client.sendall(half.ljust(LIMIT))
        (refused,) = select.select(waiting, [], [], 30)[0]
        assert refused.makefile("rb").readline().split()[1] == b"503"
        assert ask("POST", PATH, BODY) == GOOD  # there are bytes left for small ones
    for _ in range(200):  # until the server has seen that they left
        if (answer := ask("POST", PATH, BODY.ljust(LIMIT))) == GOOD:
            return
        assert answer == error("ask again later", 503)
        time.sleep(0.05)
    raise AssertionError("no room within ten seconds")


def test_much_json_is_read_and_written_apart_from_the_event_loop(faked, monkeypatch):
    ask, threads = faked(), []

    def noted(function):
        return lambda *args: (threads.append(threading.current_thread() is ask.thread), function(*args))[1]

    for module, name in ((request_json, "parse"), (request_json, "tensors"), (response_json, "predictions")):
        monkeypatch.setattr(module, name, noted(getattr(module, name)))
    ask("POST", "/v1/models/small:predict", BODY)
    ask("POST", "/v1/models/small:predict", BODY.ljust(100_000))
    ask("POST", "/v1/models/large:predict", BODY)
    assert threads == [True, True, True, False, False, True, True, True, False]


def test_other_sites_are_allowed_only_when_asked_for(faked):
    allowed = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "POST, GET",
               "Access-Control-Allow-Headers": "Content-Type, Authorization"}  # fmt: skip
    for cors, headers in ((False, {}), (True, allowed)):
        ask = faked(cors=cors)
        for method, path, status in (
            ("POST", "/v1/models/line:predict", 200),
            ("POST", "/v1/models/NOT_FOUND:predict", 404),
            ("OPTIONS", "/v1/models/line:predict", 200 if cors else 400),
            ("GET", "/elsewhere", 404),
        ):
            answer = ask.session.request(method, ask.address + path, data=BODY)
            found = {name: value for name, value in answer.headers.items() if name.startswith("Access-Control")}
            assert (answer.status_code, found) == (status, headers)


def test_where_the_metrics_are(faked):
    ask = faked(metrics_path="/somewhere/else")
    assert ask.session.get(f"{ask.address}/somewhere/else").text == "made_up 1\n"
    ask = faked(metrics_path=None)
    assert ask.session.get(f"{ask.address}/monitoring/prometheus/metrics").status_code == 404
    for wrong in ("metrics", "/", "/a b", "/{x}", "/a/"):
        with pytest.raises(UsageError, match="for Prometheus, given"):
            faked(metrics_path=wrong)
