"""Clients that send what they should not, over real sockets, beside one that asks properly and must not notice."""

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import exports
import grpc
import numpy as np
import psutil
import pytest
from asking import Asking, error
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running import WAIT, arrays, config, request, serving
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import predict_pb2

from tfdfm.sampling import saved_model
from tfdfm.serving.server import ANY, GRPC

CLASSES, WIDTH = 3, 8
PATH, METHOD = "/v1/models/m:predict", "/tensorflow.serving.PredictionService/Predict"
REFUSED = {"INVALID_ARGUMENT", "FAILED_PRECONDITION"}
MUCH = bytes(100 << 20)
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # how a connection of gRPC begins
searching = settings(
    deadline=None,
    max_examples=3000 if os.environ.get("TFDFM_TEST_ALL") else 200,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    saved_model.write(exports.trained(classes=CLASSES), folder)
    with serving(config(m=folder), rest_port=ANY) as running:
        running.ask = Asking(running.server.ports["REST"])
        yield running
        running.ask.session.close()


@pytest.fixture(autouse=True)
def neighbour(server):
    """Asks without a pause while a test does its worst: every answer must be there, and right."""
    good = {"seed": np.arange(2), "labels": np.arange(2)}
    right, found, done = server.predict(**good)["images"], [], threading.Event()

    def ask():
        while not done.is_set():
            found.append(server.predict(**good)["images"])

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        yield
        done.set()
        asking.result(WAIT)
    np.testing.assert_allclose(found, np.broadcast_to(right, [len(found), *right.shape]), atol=1e-5)
    status, answer = server.ask("POST", PATH, {"inputs": {name: value.tolist() for name, value in good.items()}})
    np.testing.assert_allclose(answer["outputs"], right, atol=1e-5)


def answer(call, *args) -> tuple[str, str]:
    """The name of the code and the message."""
    try:
        call(*args, timeout=WAIT)
    except grpc.RpcError as refused:
        return refused.code().name, refused.details()
    return "OK", ""


def ints(*values) -> np.ndarray:
    return np.array(values, np.int64)


LATENTS = np.zeros([2, WIDTH], np.float32)
WRONG = {
    "a label too high": ("", {"seed": ints(1, 2), "labels": ints(0, 3)}, "Expected labels in [0, 3), given 3"),
    "a label below zero": ("png", {"seed": ints(1, 2), "labels": ints(-1, 0)}, "Expected labels in [0, 3), given -1"),
    "NaN": ("from_latents", {"latents": LATENTS * np.nan, "labels": ints(0, 0)}, "finite latents, given nan"),
    "infinity": ("from_latents", {"latents": LATENTS + np.inf, "labels": ints(0, 0)}, "finite latents, given inf"),
    "narrow latents": ("from_latents", {"latents": LATENTS[:, 1:], "labels": ints(0, 0)}, "shape"),
    "float seeds": ("", {"seed": np.float32([1]), "labels": ints(0)}, "int64"),
    "text for numbers": ("", {"seed": np.array([b"1"]), "labels": ints(0)}, "int64"),
    "seeds without labels": ("", {"seed": ints(1)}, "Missing but required: {labels}"),
    "a scalar": ("", {"seed": np.int64(1), "labels": np.int64(0)}, "shape"),
    "a matrix": ("", {"seed": ints([1]), "labels": ints([0])}, "shape"),
    "more seeds than labels": ("", {"seed": ints(1, 2), "labels": ints(0)}, ""),
    "a huge batch": ("", {"seed": np.arange(10**6), "labels": np.zeros(10**6, np.int64)}, "at most 1024 rows"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_requests(server, case):
    name, inputs, said = WRONG[case]
    code, message = answer(server.prediction.Predict, request("m", name, **inputs))
    assert code == "INVALID_ARGUMENT" and said in message
    if case == "a scalar":
        return  # not in JSON, where a scalar is one too
    values = {key: value.astype(str).tolist() if "S" in value.dtype.str else value for key, value in inputs.items()}
    body = {"signature_name": name, "inputs": {key: np.asarray(value).tolist() for key, value in values.items()}}
    status, answered = server.ask("POST", PATH, body)
    assert status == 400 and answered["error"]


def test_wrong_requests_harm_none_that_are_merged_with_them(server):
    expected = arrays(server.prediction.Predict(request("m", seed=np.arange(40), labels=np.arange(40) % 3)))["images"]
    futures = []
    for seed in range(40):
        futures.append(server.future(seed=ints(seed), labels=ints(seed % CLASSES)))
        for name, inputs, _ in WRONG.values():
            if len(inputs.get("seed", LATENTS).reshape(-1)) < 1000:
                server.prediction.Predict.future(request("m", name, **inputs), WAIT)
    found = [arrays(future.result())["images"][0] for future in futures]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_empty_batch(server):
    empty = np.zeros([0], np.int64)
    assert server.predict(seed=empty, labels=empty)["images"].shape == (0, 16, 16, 3)
    assert server.ask("POST", PATH, {"inputs": {"seed": [], "labels": []}}) == (200, {"outputs": []})


def test_much_is_refused_before_it_is_read(server):
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{server.server.ports['gRPC']}", options) as channel:
        code, message = answer(channel.unary_unary(METHOD), MUCH)
    assert code == "RESOURCE_EXHAUSTED" and "larger than max" in message
    assert server.ask("POST", PATH, MUCH) == error("bytes", 413)
    assert server.ask("POST", PATH, iter([MUCH])) == error("bytes", 413)


def test_small_messages_cannot_claim_the_memory(server):
    """A shape may be written in ten bytes: 64 tensors of 256 MiB are 16 GiB in a message of two kilobytes."""
    big = tensor_pb2.TensorProto(dtype=types_pb2.DT_INT64, int64_val=[1])
    big.tensor_shape.dim.add(size=1 << 25)
    before, done = psutil.Process().memory_info().rss, threading.Event()
    most = [before]

    def watch():
        while not done.wait(0.002):
            most.append(psutil.Process().memory_info().rss)

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        made = request("m", **{f"extra{i}": big for i in range(64)}, seed=big, labels=big)
        code, _ = answer(server.prediction.Predict, made)
        done.set()
        watching.result(WAIT)
    assert code == "INVALID_ARGUMENT"
    assert max(most) - before < 1 << 30


@pytest.mark.parametrize("port", ["gRPC", "REST"])
@searching
@given(sent=st.binary(max_size=200), prefix=st.sampled_from([b"", HTTP2, b"POST " + PATH.encode() + b" HTTP/1.1\r\n"]))
def test_random_bytes(server, port, sent, prefix):
    with socket.create_connection(("127.0.0.1", server.server.ports[port]), timeout=WAIT) as peer:
        try:
            peer.sendall(prefix + sent)
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(1 << 16):
                pass  # until the server hangs up
        except ConnectionError:
            pass  # it hung up before all was sent


@pytest.mark.parametrize("port", ["gRPC", "REST"])
def test_slow_and_cut_connections(server, port):
    whole = (
        HTTP2 if port == "gRPC" else b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
    )
    peers = [socket.create_connection(("127.0.0.1", server.server.ports[port]), timeout=WAIT) for _ in range(200)]
    for byte in range(len(whole)):
        for peer in peers:
            peer.send(whole[byte : byte + 1])
    assert server.predict(seed=ints(1), labels=ints(1))["images"].shape == (1, 16, 16, 3)
    assert server.ask("POST", PATH, {"inputs": {"seed": [1], "labels": [1]}})[0] == 200
    for peer in peers:
        peer.close()


def test_clients_that_leave_before_the_answer(server):
    for _ in range(50):
        server.future(seed=np.arange(64), labels=np.arange(64) % 3).cancel()
        with socket.create_connection(("127.0.0.1", server.server.ports["REST"])) as peer:
            body = b'{"inputs": {"seed": [1], "labels": [1]}}'
            peer.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def heard(server, sent):
    """What the REST port says, until it hangs up, to who says this and no more."""
    with socket.create_connection(("127.0.0.1", server.server.ports["REST"]), timeout=WAIT) as peer:
        peer.sendall(sent)
        peer.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: peer.recv(1 << 16), b""))


def test_a_client_that_closes_its_half_is_answered_if_its_request_is_whole(server):
    body = b'{"inputs": {"seed": [1], "labels": [1]}}'
    request = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    said = heard(server, request)
    assert said.startswith(b"HTTP/1.1 200 ") and b"outputs" in said
    assert heard(server, b"nonsense\r\n\r\n").startswith(b"HTTP/1.0 400 ")
    assert heard(server, request[:-1]) == heard(server, request[:50]) == b""


def test_grpc_takes_so_many_connections_and_none_that_does_not_begin(server, tmp_path, monkeypatch):
    monkeypatch.setitem(GRPC, "grpc.max_allowed_incoming_connections", 3)
    monkeypatch.setitem(GRPC, "grpc.server_handshake_timeout_ms", 200)
    saved_model.write(exports.trained(classes=CLASSES), tmp_path)
    with serving(config(m=tmp_path)) as limited:
        port = limited.server.ports["gRPC"]

        def taken():
            peer = socket.create_connection(("127.0.0.1", port), timeout=WAIT)
            peer.sendall(HTTP2 + b"\0\0\0\4\0\0\0\0\0")  # SETTINGS
            return peer if peer.recv(9) else peer.close()

        peers = [taken() for _ in range(4)]
        assert all(peers[:3]) and not peers[3]
        peers[0].close()
        peers[0] = next(peer for peer in iter(taken, 0) if peer)  # once its place is free
        peers[1].close()
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as silent:
            while silent.recv(100):
                pass  # until the server hangs up
        for peer in peers[:3]:
            peer.close()


@searching
@given(sent=st.binary(max_size=100))
def test_random_messages(server, sent):
    code, message = answer(server.channel.unary_unary(METHOD), sent)
    try:
        predict_pb2.PredictRequest.FromString(sent)
    except Exception:
        assert (code, message) == ("INVALID_ARGUMENT", f"Expected a message of {METHOD}.")
    else:
        assert code in REFUSED | {"NOT_FOUND"} and message


@pytest.mark.parametrize("shape", [[0, 2**62], [2**40, 2**40, 0], [-1], [2**63 - 1], [2**33, 2**33]], ids=str)
def test_shapes_that_no_array_has(server, shape):
    made = tensor_pb2.TensorProto(dtype=types_pb2.DT_INT64)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    code, message = answer(server.prediction.Predict, request("m", "latents", seed=made))
    assert code == "INVALID_ARGUMENT" and f"given shape {shape} of int64" in message


SIZES = st.sampled_from([-(2**63), -1, 0, 1, 2, 3, 64, 1025, 2**31, 2**33, 2**62, 2**63 - 1])


@st.composite
def tensors(draw) -> tensor_pb2.TensorProto:
    """Of any type, shape and content, that may or may not go together."""
    made = tensor_pb2.TensorProto(dtype=draw(st.sampled_from(list(types_pb2.DataType.values()))))
    if draw(st.booleans()):
        made.dtype = types_pb2.DT_INT64
    made.tensor_shape.unknown_rank = draw(st.integers(0, 9)) == 9
    for size in draw(st.lists(SIZES, max_size=3)):
        made.tensor_shape.dim.add(size=size)
    made.tensor_content = draw(st.binary(max_size=32) | st.just(bytes(8)) | st.just(bytes(512)))
    made.int64_val.extend(draw(st.lists(st.integers(-1, 3) | st.integers(-(2**63), 2**63 - 1), max_size=3)))
    made.float_val.extend(draw(st.lists(st.floats(width=32), max_size=3)))
    made.string_val.extend(draw(st.lists(st.binary(max_size=3), max_size=2)))
    made.half_val.extend(draw(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=2)))
    return made


@searching
@given(
    name=st.sampled_from(["", "png", "unconditional", "from_latents", "latents", "nothing"]),
    inputs=st.dictionaries(st.sampled_from(["seed", "labels", "latents", "more"]), tensors(), max_size=3),
    filter=st.lists(st.sampled_from(["images", "image_bytes", ""]), max_size=2),
)
def test_random_tensors(server, name, inputs, filter):
    code, message = answer(server.prediction.Predict, request("m", name, filter=filter, **inputs))
    assert (code, message) == ("OK", "") or (code in REFUSED and message)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just({"b64": "AA=="}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["b64", "seed", "x"]), inner),
    max_leaves=8,
)
BODIES = st.dictionaries(
    st.sampled_from(["inputs", "instances", "signature_name", "more"]),
    VALUES | st.fixed_dictionaries({"seed": VALUES, "labels": VALUES}) | st.sampled_from(["png", "from_latents"]),
)


@searching
@given(body=BODIES | VALUES.map(lambda value: {"inputs": {"seed": value, "labels": value}}))
def test_random_json(server, body):
    status, answered = server.ask("POST", PATH, body)
    assert (status, set(answered)) in [(200, {"outputs"}), (200, {"predictions"}), (400, {"error"})]


@pytest.mark.parametrize(
    "body", [b"{", b"[" * 10**6, b'{"inputs": {"seed": [1', b"\xff", b"", b"null", b'{"inputs": 1e999}']
)
def test_broken_json(server, body):
    assert server.ask("POST", PATH, body) == error("")


def test_examples_that_are_none(server):
    for body in ({"examples": [{"x": 1}]}, {"examples": 3}, {}):
        assert server.ask("POST", "/v1/models/m:classify", body)[0] == 400
