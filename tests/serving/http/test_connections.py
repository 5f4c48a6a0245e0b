"""Connections that ask for nothing, slowly, or for more than they take; beside them, others are answered."""

import base64
import json
import socket
import threading
import time
from contextlib import closing

import numpy as np
import pytest
import requests
import servables
import tensorflow as tf
from running import ANY, WAIT, config, serving

from tfdfm.serving.http import connections

SECONDS, MOST = 0.4, 4
WIDE = 400_000  # numbers of a row of an answer, each of about twenty bytes
v1 = servables.v1


def wide():
    x = v1.placeholder(tf.float32, [None])
    return {"serving_default": ({"x": x}, {"y": x[:, None] / tf.range(1.0, WIDE + 1.0)})}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    servables.line(folder / "line" / "1")
    servables.gated(folder / "gated" / "1")
    servables.save(folder / "wide" / "1", wide)
    bases = {name: folder / name for name in ("line", "gated", "wide")}
    limits = {"rest_header_ms": round(1000 * SECONDS), "rest_connections": MOST}
    with serving(config(**bases), rest_port=ANY, **limits) as running:
        running.port = running.server.ports["REST"]
        yield running


def opened(served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=WAIT)


def ended(client: socket.socket) -> float:
    """Seconds until the server closes it."""
    start = time.monotonic()
    try:
        while client.recv(1 << 16):
            pass
    except ConnectionError:
        pass
    return time.monotonic() - start


def alive(served) -> bool:
    """Whether it answers, once there is room for a connection."""
    for _ in range(100):
        try:
            return requests.get(f"http://127.0.0.1:{served.port}/v1/models/line", timeout=WAIT).status_code == 200
        except requests.ConnectionError:
            time.sleep(0.05)
    return False


@pytest.mark.parametrize("sent", [b"", b"GET /v1/models/line HTTP/1.1\r\nHost: here\r\nX-Long: "])
def test_headers_that_do_not_come(served, sent):
    with closing(opened(served)) as client:
        client.sendall(sent)
        assert SECONDS / 2 < ended(client) < WAIT / 2
    assert alive(served)


def test_headers_that_drip(served):
    with closing(opened(served)) as client:
        over = threading.Event()

        def drip():
            client.sendall(b"GET / HTTP/1.1\r\nX: ")
            while not over.wait(SECONDS / 20):
                try:
                    client.sendall(b"x")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        assert SECONDS / 2 < ended(client) < WAIT / 2
        over.set()
        dripping.join(WAIT)


def test_a_request_that_came_while_the_event_loop_was_busy(served):
    with closing(opened(served)) as client:
        time.sleep(SECONDS / 4)  # it is taken
        busy = threading.Event()
        served.loop.call_soon_threadsafe(lambda: (busy.set(), time.sleep(1.5 * SECONDS)))
        assert busy.wait(WAIT)
        client.sendall(b"GET /v1/models/line HTTP/1.1\r\nHost: here\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"


def test_so_many_at_once_and_no_more(served):
    held = [opened(served) for _ in range(MOST)]
    for client in held:
        client.sendall(b"GET /v1/models/line HTTP/1.1\r\nHost: here\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"  # and it is kept open
    with closing(opened(served)) as more:
        assert ended(more) < SECONDS  # at once
    held.pop().close()
    assert alive(served)
    for client in held:
        client.close()


def test_a_connection_is_kept_between_requests_and_while_one_is_answered(served, tmp_path):
    body = json.dumps(
        {"instances": [{"x": 5.0, "gate": {"b64": base64.b64encode(str(tmp_path / "open").encode()).decode()}}]}
    )
    threading.Timer(3 * SECONDS, (tmp_path / "open").touch).start()
    with requests.Session() as session:
        for _ in range(2):
            url = f"http://127.0.0.1:{served.port}/v1/models/gated:predict"
            assert session.post(url, body, timeout=WAIT).json() == {"predictions": [5.0]}
            time.sleep(2 * SECONDS)


def test_an_answer_that_is_not_taken(served, monkeypatch):
    monkeypatch.setattr(connections, "KEEP_ALIVE", 1.0)
    body = b'{"instances": [1.0]}'
    with closing(socket.socket()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(WAIT)
        client.connect(("127.0.0.1", served.port))
        head = f"POST /v1/models/wide:predict HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)
        start = client.recv(100)
        assert start.startswith(b"HTTP/1.1 200")
        time.sleep(2.5 * (1.0 + SECONDS))
        taken = 0
        try:
            while part := client.recv(1 << 20):
                taken += len(part)
        except ConnectionError:
            pass
        assert taken < 10 * WIDE
    assert alive(served)


def test_an_answer_that_is_taken_slowly_comes_whole(served, monkeypatch):
    monkeypatch.setattr(connections, "KEEP_ALIVE", 1.0)
    url = f"http://127.0.0.1:{served.port}/v1/models/wide:predict"
    with requests.post(url, '{"instances": [1.0]}', timeout=WAIT, stream=True) as answer:
        content = bytearray()
        for part in answer.iter_content(1 << 18):
            content += part
            time.sleep(SECONDS / 4)
    np.testing.assert_allclose(json.loads(content)["predictions"][0], 1 / np.arange(1, WIDE + 1), rtol=1e-5)
