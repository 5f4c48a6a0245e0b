"""The REST port: TF Serving's /v1/models/..., the Open Inference Protocol's /v2, Prometheus's metrics, a page at /."""

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

import grpc
from aiohttp import web
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from tensorflow_serving.apis import get_model_status_pb2, model_pb2

from tfdfm.errors import UsageError
from tfdfm.serving import open_inference as protocol
from tfdfm.serving.core import ServerCore
from tfdfm.serving.http import bodies, open_inference, page, request_json, response_json
from tfdfm.serving.prometheus import ServingMetrics
from tfdfm.serving.status import StatusError, invalid
from tfdfm.version import __version__

_HTTP_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}  # any other: 500
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type, Authorization",
}
_CHOICE = r"(?:/versions/0*([0-9]+)|/labels/([^/:]+))?"
_PATHS = {
    "POST": re.compile(rf"/v1/models/([^/:]+){_CHOICE}:(classify|regress|predict)", re.IGNORECASE),
    "GET": re.compile(rf"/v1/models(?:/([^/:]+))?{_CHOICE}(?:/(metadata))?", re.IGNORECASE),
}
LARGE_BODY = 2**16  # bytes; above it JSON is read in a thread
LARGE_ANSWER = 2**13  # numbers; above it JSON is written in a thread


class Target(NamedTuple):
    """What a path names."""

    model: str
    version: int | None
    label: str
    method: str  # predict, classify, regress, metadata, status


def application(
    core: ServerCore,
    metrics: ServingMetrics,
    *,
    timeout_ms: int,
    max_body: int,
    metrics_path: str | None,
    cors: bool,
    middlewares: Sequence[Callable] = (),
) -> web.Application:
    """The REST port, on the event loop of `core`.

    Args:
        timeout_ms: after which a request is answered with DEADLINE_EXCEEDED.
        max_body: bytes, after decompression.
        metrics_path: where Prometheus finds the metrics, if anywhere.
        cors: lets the scripts of other sites ask.
        middlewares: of aiohttp, around all of it.

    Raises:
        UsageError: metrics_path is no path.
    """
    if metrics_path and not re.fullmatch(r"(/[\w.~-]+)+", metrics_path):
        raise UsageError(f"Expected a path such as /monitoring/metrics for Prometheus, given {metrics_path!r}.")
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # it logs the mistakes of peers, with tracebacks
    rest = HttpRestApiHandler(core, metrics, timeout_ms / 1000, max_body)
    app = web.Application(client_max_size=max_body + 1, middlewares=middlewares)
    if metrics_path:
        app.router.add_get(metrics_path, rest.metrics)
    app.router.add_get("/", page.show)
    app.router.add_get("/models.json", rest.models)
    if cors:
        app.router.add_options("/{path:.*}", _preflight)
        app.on_response_prepare.append(_allow)
    app.router.add_route("*", "/{path:.*}", rest.answer)
    return app


async def _allow(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(CORS)


async def _preflight(_: web.Request) -> web.Response:
    return web.Response()


class HttpRestApiHandler:
    """Answers what is below /v1/ and /v2, and what needs the core elsewhere."""

    def __init__(self, core: ServerCore, metrics: ServingMetrics, timeout: float, max_body: int):
        self._core, self._metrics, self._timeout, self._bodies = core, metrics, timeout, bodies.Bodies(max_body)

    async def answer(self, request: web.Request) -> web.Response:
        """JSON: what was asked for, or {"error": message}."""
        path, start = request.rel_url.raw_path, time.perf_counter()
        open_protocol = path == "/v2" or path.startswith("/v2/")
        if not open_protocol and not path.lower().startswith("/v1/"):
            raise web.HTTPNotFound
        target = None
        try:
            target = (open_inference.target if open_protocol else _target)(request.method, path)
            async with asyncio.timeout(self._timeout):
                code, response = grpc.StatusCode.OK, await self._answer(target, request)
        except Exception as error:
            status, code, message = _refusal(error, self._timeout, self._bodies.most)
            response = _json(json.dumps({"error": message}), status)
        finally:
            self._bodies.free(request)
        if target and target.model:
            self._metrics.request(target.model, target.method, "REST", code.name, time.perf_counter() - start)
        return response

    async def _answer(self, target: Target | open_inference.Target, request: web.Request) -> web.Response:
        if isinstance(target, Target):
            return _json(await self._text(target, request))
        if target.method == "infer":
            return await self._infer(target, request)
        return self._state(target)

    def _state(self, target: open_inference.Target) -> web.Response:
        """Health and metadata, by the Open Inference Protocol."""
        if target.method in ("live", "ready"):
            good = target.method == "live" or self._core.ready(target.model, target.version)
            named = {"name": target.model} if target.model else {}
            return _json(json.dumps(named | {target.method: good}), 200 if good else 404 if target.model else 503)
        if not target.model:
            about = {"name": protocol.NAME, "version": __version__, "extensions": protocol.EXTENSIONS}
            return _json(json.dumps(about))
        inputs, outputs, versions = self._core.described(target.model, target.version)
        about = {"name": target.model, "versions": versions, "platform": protocol.PLATFORM}
        return _json(json.dumps(about | {"inputs": inputs, "outputs": outputs}))

    async def _infer(self, target: open_inference.Target, request: web.Request) -> web.Response:
        body = await self._bodies.read(request)
        large = len(body) > LARGE_BODY
        asked = await _apart(large, open_inference.parse, body, request.headers.get(open_inference.HEADER))
        with self._core.call(target.model, asked.signature, version=target.version) as call:
            outputs = await call.predict(asked.inputs, list(asked.outputs))
        large = sum(array.size for array in outputs.values()) > LARGE_ANSWER
        text, headers = await _apart(large, open_inference.answer, target.model, call.version, asked, outputs)
        return web.Response(body=text, headers=headers)

    async def metrics(self, _: web.Request) -> web.Response:
        """For Prometheus."""
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=self._metrics.text(), headers=headers)

    async def models(self, _: web.Request) -> web.Response:
        """For the page."""
        return _json(json.dumps([page.entry(*model) for model in self._core.models().items()]))

    async def _text(self, target: Target, request: web.Request) -> str:
        spec = {"version": target.version, "label": target.label}
        if target.method == "status":
            found = self._core.status(target.model, target.version)
            return json.dumps(_dict(get_model_status_pb2.GetModelStatusResponse(model_version_status=found)))
        if target.method == "metadata":
            return _metadata(target.model, *self._core.metadata(target.model, **spec))
        body = await self._bodies.read(request)
        large = len(body) > LARGE_BODY
        asked = await _apart(large, request_json.parse, body)
        if target.method == "predict":
            return await self._predict(target.model, spec, asked, large)
        examples, name = await _apart(large, request_json.examples, asked), asked.get("signature_name", "")
        with self._core.call(target.model, name, **spec) as call:
            result = await call.infer(target.method, examples)
        return {"classify": response_json.classifications, "regress": response_json.regressions}[target.method](result)

    async def _predict(self, model: str, spec: dict, asked: dict, large: bool) -> str:
        with self._core.call(model, asked.get("signature_name", ""), **spec) as call:
            dtypes = {key: info.dtype for key, info in call.definition.inputs.items()}
            inputs, rows = await _apart(large, request_json.tensors, asked, dtypes)
            outputs = await call.predict(inputs)
        large = sum(array.size for array in outputs.values()) > LARGE_ANSWER
        return await _apart(large, response_json.predictions, outputs, rows)


async def _apart(large: bool, function: Callable[..., Any], *args: Any) -> Any:
    """Work on much JSON goes to a thread, so that the event loop answers others meanwhile."""
    return await asyncio.to_thread(function, *args) if large else function(*args)


def _target(method: str, path: str) -> Target:
    """Raises StatusError where the path names nothing."""
    match = method in _PATHS and _PATHS[method].fullmatch(path)
    if not match:
        raise invalid(f"Malformed request: {method} {path}")
    name, version, label, last = match.groups()
    if not name:
        raise invalid("Missing model name in request.")
    number = protocol.version(version or "")
    return Target(unquote(name), number, unquote(label or ""), (last or "status").lower())


def _refusal(error: Exception, timeout: float, max_body: int) -> tuple[int, grpc.StatusCode, str]:
    """HTTP's status, gRPC's code and a message."""
    if isinstance(error, StatusError):
        return _HTTP_STATUS.get(error.code, 500), error.code, error.message
    if isinstance(error, TimeoutError):
        return 504, grpc.StatusCode.DEADLINE_EXCEEDED, f"No answer within {timeout:g} s: the request was given up."
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        message = f"The body of a request may have {max_body} bytes, this one has more. Split it, or use gRPC."
        return 413, grpc.StatusCode.RESOURCE_EXHAUSTED, message
    if isinstance(error, web.RequestPayloadError | ConnectionError):
        return 400, grpc.StatusCode.INVALID_ARGUMENT, f"The body cannot be read: {error}"
    logging.getLogger(__name__).error("A request by REST failed.", exc_info=error)
    return 500, grpc.StatusCode.INTERNAL, f"{type(error).__name__} in the server; see its log."


def _dict(message: Message) -> dict:
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def _metadata(model: str, version: int, signatures: Message) -> str:
    spec = model_pb2.ModelSpec(name=model, version={"value": version})
    return json.dumps({"model_spec": _dict(spec), "metadata": {"signature_def": _dict(signatures)}})


def _json(text: str, status: int = 200) -> web.Response:
    return web.Response(body=text.encode(), status=status, headers={"Content-Type": "application/json"})
