"""TLS for both ports and bearer tokens, asked by the package's own client and by others."""

import os
import ssl
import urllib.error
import urllib.request

import grpc
import numpy as np
import pytest
import servables
from grpc_health.v1 import health_pb2, health_pb2_grpc
from running import ANY, WAIT, config, refused, request, serving

from tfdfm import cli, sample, serve
from tfdfm.client import EndpointError, connect
from tfdfm.errors import Failure, UsageError
from tfdfm.serving import config_messages, security

HEALTH = health_pb2.HealthCheckRequest(service="tensorflow.serving.PredictionService")


@pytest.fixture(scope="module")
def pair(certificates):
    """An SSLConfig."""
    texts = {
        key: certificates[f"server.{end}"].decode() for key, end in (("server_key", "key"), ("server_cert", "crt"))
    }
    return config_messages.SSLConfig(**texts)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server that asks for one of two tokens."""
    folder = tmp_path_factory.mktemp("guarded")
    servables.generator(folder / "m" / "1", classes=0)
    (folder / "tokens").write_text("first-token\nsecond-token\n")
    with serving(config(m=folder / "m"), rest_port=ANY, cors=True, token_file=str(folder / "tokens")) as running:
        running.tokens = folder / "tokens"
        yield running


def opened(running, path: str, method="GET", context=None, scheme="http", **headers):
    url = f"{scheme}://127.0.0.1:{running.server.ports['REST']}{path}"
    asked = urllib.request.Request(url, method=method, headers=headers, data=b"{}" if method == "POST" else None)
    try:
        with urllib.request.urlopen(asked, timeout=WAIT, context=context) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


@pytest.mark.parametrize(
    "path", ["/v1/models/m", "/v2/models/m", "/monitoring/prometheus/metrics", "/models.json", "/", "/no"]
)
def test_rest_without_a_token_says_what_is_missing_and_nothing_else(guarded, path):
    for headers in (
        {},
        {"Authorization": "Bearer other"},
        {"Authorization": "Bearer "},
        {"Authorization": "first-token"},
    ):
        status, found, body = opened(guarded, path, **headers)
        assert status == 401 and found["WWW-Authenticate"] == "Bearer" and found["Access-Control-Allow-Origin"] == "*"
        assert b"Expected 'authorization: Bearer TOKEN'" in body and b'token"' not in body
    for good in ("first-token", "second-token"):
        assert opened(guarded, path, Authorization=f"Bearer {good}")[0] == (404 if path == "/no" else 200)


def test_probes_and_preflights_need_none(guarded):
    assert [opened(guarded, f"/v2/health/{word}")[0] for word in ("live", "ready")] == [200, 200]
    status, headers, _ = opened(guarded, "/v1/models/m:predict", method="OPTIONS")
    assert status == 200 and "Authorization" in headers["Access-Control-Allow-Headers"]
    assert health_pb2_grpc.HealthStub(guarded.channel).Check(HEALTH, timeout=WAIT).status == 1


def test_grpc_without_a_token(guarded):
    predict = guarded.prediction.Predict
    asked = request("m", "serving_default", seed=np.array([3]))
    assert "Bearer TOKEN" in refused(predict, asked, grpc.StatusCode.UNAUTHENTICATED)
    with pytest.raises(grpc.RpcError) as caught:
        predict(asked, WAIT, metadata=[("authorization", "Bearer third-token")])
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert predict(asked, WAIT, metadata=[("authorization", "Bearer first-token")]).outputs["images"]


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_the_client_and_the_command_send_it(kind, guarded, tmp_path, monkeypatch):
    endpoint = f"{kind}://127.0.0.1:{guarded.server.ports[{'http': 'REST', 'grpc': 'gRPC'}[kind]]}"
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password other\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(EndpointError, match="UNAUTHENTICATED.*Bearer TOKEN"):
        connect(endpoint, model="m", timeout=WAIT)
    with connect(endpoint, model="m", timeout=WAIT, token="second-token") as client:
        np.testing.assert_allclose(client.images([3]), np.full([1, 2, 2, 1], 0.3), rtol=1e-6)
    (tmp_path / "token").write_text("first-token\n")
    arguments = [f"--endpoint={endpoint}", "--model_name=m", "--num=1", f"--out={tmp_path / 'a.png'}"]
    sample.main(cli.parse(["", *arguments, f"--token_file={tmp_path / 'token'}"], sample.define, ""))
    assert (tmp_path / "a.png").exists()
    for text in (None, ""):
        (tmp_path / "token").write_text(text) if text is not None else (tmp_path / "token").unlink()
        with pytest.raises(UsageError, match="Expected a file with a token in --token_file"):
            sample.main(cli.parse(["", *arguments, f"--token_file={tmp_path / 'token'}"], sample.define, ""))


def test_the_file_is_read_again_and_while_it_is_away_or_empty_the_old_ones_hold(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("a b\n")
    tokens = security.Tokens(str(path))

    def change(text):
        path.write_text(text)
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))

    assert [tokens.allow(f"Bearer {name}") for name in "abc"] == [True, True, False]
    change("c\n")
    assert [tokens.allow(f"Bearer {name}") for name in "abc"] == [False, False, True]
    change("\n")
    assert tokens.allow("Bearer c") and not tokens.allow("Bearer ") and not tokens.allow(None)
    path.unlink()
    assert tokens.allow("Bearer c") and not tokens.allow("Bearer é")
    for text, kind, message in ((None, Failure, "Cannot read"), (" \n", UsageError, "a token a line .* found none")):
        path.write_text(text) if text else None
        with pytest.raises(kind, match=message):
            security.Tokens(str(path))


def test_rest_by_tls(pair, certificates, tmp_path):
    servables.line(tmp_path / "m" / "1")
    authority = ssl.create_default_context(cadata=certificates["ca.crt"].decode())
    with serving(config(m=tmp_path / "m"), rest_port=ANY, ssl=pair, rest_tls=True) as running:
        assert f"REST https://127.0.0.1:{running.server.ports['REST']}" in running.server.line()
        assert opened(running, "/v1/models/m", context=authority, scheme="https")[0] == 200
        for context, scheme in ((ssl.create_default_context(), "https"), (None, "http")):
            with pytest.raises(OSError):  # it knows no such authority; it speaks no TLS
                opened(running, "/v1/models/m", context=context, scheme=scheme)


def test_rest_asks_for_a_certificate_where_grpc_does(pair, certificates, tmp_path):
    servables.line(tmp_path / "m" / "1")
    both = config_messages.SSLConfig(custom_ca=certificates["ca.crt"].decode(), client_verify=True)
    both.MergeFrom(pair)
    context = ssl.create_default_context(cadata=certificates["ca.crt"].decode())
    with serving(config(m=tmp_path / "m"), rest_port=ANY, ssl=both, rest_tls=True) as running:
        with pytest.raises(OSError):
            opened(running, "/v1/models/m", context=context, scheme="https")
        for name in ("client.crt", "client.key"):
            (tmp_path / name).write_bytes(certificates[name])
        context.load_cert_chain(tmp_path / "client.crt", tmp_path / "client.key")
        assert opened(running, "/v1/models/m", context=context, scheme="https")[0] == 200


def test_a_key_that_is_damaged_and_tls_without_one(tmp_path):
    with pytest.raises(Failure, match="key or the certificate of --ssl_config_file is damaged"):
        security.context(config_messages.SSLConfig(server_key="no", server_cert="no"))
    with pytest.raises(UsageError, match="Expected server_key and server_cert"):
        security.context(config_messages.SSLConfig())
    (tmp_path / "base").mkdir()
    flags = ["serve", f"--model_base_path={tmp_path / 'base'}", "--rest_api_tls"]
    with pytest.raises(UsageError, match="--rest_api_tls goes with --ssl_config_file"):
        serve.main(cli.parse(flags, serve.define, ""))
