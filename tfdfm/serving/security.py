"""Who may ask: TLS for both ports, and a bearer token (RFC 6750) for all but probes of health."""

import hmac
import json
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
from aiohttp import web
from google.protobuf.message import Message

from tfdfm.errors import Failure, UsageError

HEALTH = ("/v2/health/live", "/v2/health/ready")  # of REST
_HEALTH_SERVICE = "/grpc.health.v1.Health/"
_SAID = "Expected 'authorization: Bearer TOKEN' with a token of this server's."


def credentials(config: Message) -> grpc.ServerCredentials:
    """An SSLConfig's, for gRPC. Raises UsageError: it has no key or no certificate."""
    key, certificate = _pair(config)
    return grpc.ssl_server_credentials(
        [(key.encode(), certificate.encode())], config.custom_ca.encode() or None, config.client_verify
    )


def context(config: Message) -> ssl.SSLContext:
    """An SSLConfig's, for REST. Raises UsageError: it has no key or no certificate; Failure: they are damaged."""
    key, certificate = _pair(config)
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=config.custom_ca or None)
    with tempfile.TemporaryDirectory() as folder:  # its owner's alone; Python reads them from files only
        path = Path(folder) / "pair.pem"
        path.write_text(f"{key}\n{certificate}\n")
        try:
            made.load_cert_chain(path)
        except ssl.SSLError as error:
            raise Failure(f"The key or the certificate of --ssl_config_file is damaged: {error}.") from None
    if config.client_verify:
        made.verify_mode = ssl.CERT_REQUIRED
    return made


def _pair(config: Message) -> tuple[str, str]:
    if not (config.server_key and config.server_cert):
        raise UsageError("Expected server_key and server_cert as PEM text in the SSLConfig.")
    return config.server_key, config.server_cert


class Tokens:
    """The tokens of a file, one a line, any of which is good. The file is read again when it changes.

    Raises:
        UsageError: there is no token in it.
        Failure: it cannot be read.
    """

    def __init__(self, path: str):
        self._path, self._changed, self._good = Path(path), None, ()
        try:
            self._read()
        except OSError as error:
            raise Failure(f"Cannot read --token_file {path}: {error.strerror}.") from None
        if not self._good:
            raise UsageError(f"Expected a token a line in --token_file {path}, found none.")

    def _read(self) -> None:
        changed = self._path.stat().st_mtime_ns
        if changed != self._changed:
            lines = self._path.read_text().split()
            self._changed, self._good = changed, tuple(f"Bearer {line}".encode() for line in lines) or self._good

    def allow(self, authorization: str | None) -> bool:
        """Whether that header or metadata holds one of them. While the file is away, those that it last held count."""
        try:
            self._read()
        except OSError:
            pass
        given = (authorization or "").encode()
        return any([hmac.compare_digest(given, good) for good in self._good])  # all: it takes as long whichever it is


class Interceptor(grpc.aio.ServerInterceptor):
    """Refuses calls by gRPC without a token."""

    def __init__(self, tokens: Tokens):
        self._tokens = tokens

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        given = dict(handler_call_details.invocation_metadata).get("authorization")
        if handler_call_details.method.startswith(_HEALTH_SERVICE) or self._tokens.allow(given):
            return await continuation(handler_call_details)
        return grpc.unary_unary_rpc_method_handler(_refuse)


async def _refuse(request: bytes, context: grpc.aio.ServicerContext) -> None:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, _SAID)


def middleware(tokens: Tokens):
    """Refuses requests by REST without a token."""

    @web.middleware
    async def checked(request: web.Request, handler) -> web.StreamResponse:
        free = request.method == "OPTIONS" or request.rel_url.raw_path in HEALTH
        if free or tokens.allow(request.headers.get("Authorization")):
            return await handler(request)
        headers = {"Content-Type": "application/json", "WWW-Authenticate": "Bearer"}
        return web.Response(body=json.dumps({"error": _SAID}).encode(), status=401, headers=headers)

    return checked
