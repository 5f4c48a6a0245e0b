"""One request to one model of a server in TF Serving's protocols, by REST or by gRPC; both forms answer alike.

This module imports no TensorFlow. The gRPC form does when it is made: the official stubs need it.
"""

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import BadStatusLine
from typing import NamedTuple, Protocol
from urllib.parse import quote

import numpy as np
import requests

from tfdfm.errors import Failure

_CODES = {  # of HTTP: TF Serving's
    **{400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED"},
    **{413: "RESOURCE_EXHAUSTED", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL"},
    **{501: "UNIMPLEMENTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"},
}
_DTYPES = {"DT_FLOAT": np.float32, "DT_DOUBLE": np.float64, "DT_INT32": np.int32, "DT_INT64": np.int64}
_CHUNK = 1 << 16  # bytes
_GRPC = "grpc://HOST:PORT"


class EndpointError(Failure):
    """What a server answers instead of a result, or that it does not answer. `code` is gRPC's name, as "NOT_FOUND"."""

    def __init__(self, address: str, code: str, message: str):
        super().__init__(f"{address} answered {code}: {message}")
        self.code, self.message = code, message


class Spec(NamedTuple):
    dtype: str  # as "DT_FLOAT"
    shape: tuple[int, ...]  # -1: unknown; () also where the rank is unknown


class Signature(NamedTuple):
    inputs: dict[str, Spec]
    outputs: dict[str, Spec]


class Endpoint(Protocol):
    """A model at a server. Every method raises EndpointError; `timeout` is in seconds."""

    address: str

    def signatures(self, timeout: float) -> dict[str, Signature]: ...

    def predict(
        self, name: str, signature: Signature, inputs: Mapping[str, np.ndarray], timeout: float
    ) -> dict[str, np.ndarray]: ...

    def close(self) -> None: ...


class Rest:
    """By HTTP: `address` is http://HOST:PORT or https://HOST:PORT."""

    def __init__(self, address: str, model: str, version: int | None):
        self.address, self.speaks_http = address, True
        self._url = f"{address}/v1/models/{quote(model, safe='')}" + (
            f"/versions/{version}" if version is not None else ""
        )
        self._session = requests.Session()

    def signatures(self, timeout: float) -> dict[str, Signature]:
        answer = self._ask("GET", "/metadata", None, timeout)
        with _understood(self.address):
            found = answer["metadata"]["signature_def"]["signature_def"]
            return {
                name: Signature(*({key: _spec(info) for key, info in one[side].items()} for side in Signature._fields))
                for name, one in found.items()
            }

    def predict(
        self, name: str, signature: Signature, inputs: Mapping[str, np.ndarray], timeout: float
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


class Grpc:
    """By gRPC: `address` is HOST:PORT. Root certificates: gRPC's own, or the file GRPC_DEFAULT_SSL_ROOTS_FILE_PATH."""

    def __init__(self, address: str, model: str, version: int | None, tls: bool = False):
        import grpc
        from tensorflow_serving.apis import model_pb2, prediction_service_pb2_grpc

        options = [
            ("grpc.max_receive_message_length", -1),  # one image may be larger than the usual 4 MiB
            *(("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 2000)),
        ]
        self.address = address
        self._channel = (
            grpc.secure_channel(address, grpc.ssl_channel_credentials(), options)
            if tls
            else grpc.insecure_channel(address, options)
        )
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._spec = model_pb2.ModelSpec(name=model)
        if version is not None:
            self._spec.version.value = version

    def signatures(self, timeout: float) -> dict[str, Signature]:
        from tensorflow_serving.apis import get_model_metadata_pb2 as metadata

        request = metadata.GetModelMetadataRequest(model_spec=self._spec, metadata_field=["signature_def"])
        found = metadata.SignatureDefMap()
        self._ask(self._stub.GetModelMetadata, request, timeout).metadata["signature_def"].Unpack(found)
        return {
            name: Signature(*({k: _tensor_spec(v) for k, v in side.items()} for side in (one.inputs, one.outputs)))
            for name, one in found.signature_def.items()
        }

    def predict(
        self, name: str, signature: Signature, inputs: Mapping[str, np.ndarray], timeout: float
    ) -> dict[str, np.ndarray]:
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest(model_spec=self._spec)
        request.model_spec.signature_name = name
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        answer = self._ask(self._stub.Predict, request, timeout)
        return {key: tf.make_ndarray(value) for key, value in answer.outputs.items()}

    def close(self) -> None:
        self._channel.close()

    def _ask(self, method, request, timeout: float):
        import grpc

        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            raise EndpointError(self.address, error.code().name, error.details()) from None


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


def _spec(info: dict) -> Spec:
    return Spec(info["dtype"], tuple(int(one["size"]) for one in info["tensor_shape"]["dim"]))


def _tensor_spec(info) -> Spec:
    from tensorflow.core.framework import types_pb2

    return Spec(types_pb2.DataType.Name(info.dtype), tuple(one.size for one in info.tensor_shape.dim))


def _array(values, dtype: str) -> np.ndarray:
    """JSON -> numbers, or bytes in an array of objects [B]."""
    if dtype != "DT_STRING":
        return np.asarray(values, _DTYPES[dtype])
    texts = [base64.b64decode(one["b64"]) if isinstance(one, dict) else one.encode() for one in values]
    return np.asarray(texts, object)
