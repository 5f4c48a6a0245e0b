"""The REST form of an endpoint, without TensorFlow."""

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import BadStatusLine
from urllib.parse import quote

import numpy as np
import requests

from tfdfm.client.endpoint import EndpointError, SignatureSpec, TensorSpec

_CODES = {  # of HTTP: TF Serving's
    **{400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED"},
    **{413: "RESOURCE_EXHAUSTED", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL"},
    **{501: "UNIMPLEMENTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"},
}
_DTYPES = {"DT_FLOAT": np.float32, "DT_DOUBLE": np.float64, "DT_INT32": np.int32, "DT_INT64": np.int64}
_CHUNK = 1 << 16  # bytes
_GRPC = "grpc://HOST:PORT"


class RestEndpoint:
    """By HTTP: `address` is http://HOST:PORT or https://HOST:PORT."""

    def __init__(self, address: str, model: str, version: int | None, token: str = ""):
        self.address, self.speaks_http = address, True
        self._url = f"{address}/v1/models/{quote(model, safe='')}" + (
            f"/versions/{version}" if version is not None else ""
        )
        self._session = requests.Session()
        if token:
            self._session.auth = _bearer(token)

    def signatures(self, timeout: float) -> dict[str, SignatureSpec]:
        answer = self._ask("GET", "/metadata", None, timeout)
        with _understood(self.address):
            found = answer["metadata"]["signature_def"]["signature_def"]
            return {
                name: SignatureSpec(*({k: _spec(v) for k, v in one[side].items()} for side in SignatureSpec._fields))
                for name, one in found.items()
            }

    def predict(
        self, name: str, signature: SignatureSpec, inputs: Mapping[str, np.ndarray], timeout: float
    ) -> dict[str, np.ndarray]:
        body = {"signature_name": name, "inputs": {key: value.tolist() for key, value in inputs.items()}}
        answer = self._ask("POST", ":predict", json.dumps(body), timeout)
        with _understood(self.address):
            outputs = answer["outputs"]
            if len(signature.outputs) == 1:  # which has no name in the answer
                outputs = dict.fromkeys(signature.outputs, outputs)
            return {key: _array(outputs[key], spec.dtype) for key, spec in signature.outputs.items()}

    def close(self) -> None:
        self._session.close()

    def _ask(self, method: str, path: str, body: str | None, timeout: float):
        end = time.monotonic() + timeout
        content = bytearray()
        try:
            with self._session.request(method, self._url + path, data=body, timeout=timeout, stream=True) as response:
                for chunk in response.iter_content(_CHUNK):
                    content += chunk
                    if time.monotonic() >= end:
                        raise requests.Timeout
        except requests.RequestException as error:
            if isinstance(error, requests.Timeout) or time.monotonic() >= end:
                raise EndpointError(self.address, "DEADLINE_EXCEEDED", f"No answer within {timeout:.3g} s.") from None
            causes = list(_causes(error))
            self.speaks_http = not any(type(cause) is BadStatusLine for cause in causes)
            said = causes[-1] if self.speaks_http else f"It speaks no HTTP/1; is this its gRPC port ({_GRPC})?"
            raise EndpointError(self.address, "UNAVAILABLE", str(said)) from None
        return self._answer(response.status_code, bytes(content))

    def _answer(self, status: int, content: bytes):
        try:
            answer = json.loads(content)
        except ValueError:
            answer = {"error": f"Expected JSON, given {content[:80]!r} (HTTP status {status})."}
            status = status if status in _CODES else 500
        if status == 200:
            return answer
        message = answer.get("error", answer) if isinstance(answer, dict) else answer
        raise EndpointError(self.address, _CODES.get(status, "UNKNOWN"), str(message))


def _bearer(token: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """As a header it would give way to what the user's .netrc has for the host."""

    def add(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return add


@contextmanager
def _understood(address: str) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise EndpointError(address, "INTERNAL", f"The answer is not as the protocol has it ({error!r}).") from None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__context__


def _spec(info: dict) -> TensorSpec:
    return TensorSpec(info["dtype"], tuple(int(one["size"]) for one in info["tensor_shape"]["dim"]))


def _array(values, dtype: str) -> np.ndarray:
    """JSON -> numbers, or bytes in an array of objects [B]."""
    if dtype != "DT_STRING":
        return np.asarray(values, _DTYPES[dtype])
    texts = [base64.b64decode(one["b64"]) if isinstance(one, dict) else one.encode() for one in values]
    return np.asarray(texts, object)
