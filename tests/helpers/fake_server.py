"""A server of one made-up generator in both protocols, whose next answers a test may spoil. No TensorFlow session."""

import base64
import io
import json
import ssl
import threading
import time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import any_pb2
from PIL import Image
from tensorflow.core.framework import tensor_shape_pb2, types_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

CLASSES, WIDTH = 3, 5
SHAPE = (2, 4, 3)
SEED, LABELS = {"seed": ("DT_INT64", [-1])}, {"labels": ("DT_INT64", [-1])}
IMAGES = {"images": ("DT_FLOAT", [-1, *SHAPE])}
SIGNATURES = {
    "serving_default": (SEED | LABELS, IMAGES),
    "png": (SEED | LABELS, {"image_bytes": ("DT_STRING", [-1])}),
    "unconditional": (SEED, IMAGES | LABELS),
    "from_latents": ({"latents": ("DT_FLOAT", [-1, WIDTH])} | LABELS, IMAGES),
    "latents": (
        SEED,
        {
            "latents": ("DT_FLOAT", [-1, WIDTH]),
            "prior": ("DT_STRING", [-1]),
            "num_classes": ("DT_INT64", [-1]),
        },
    ),
}


def latents(seed: np.ndarray) -> np.ndarray:
    """float32 [N, 5] in [-1, 1]."""
    return np.sin(seed[:, None] + np.arange(WIDTH)).astype(np.float32)


def images(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float32 [N, 2, 4, 3] in [0, 1]; NaN where the label is no class."""
    values = (np.cos(z.sum(1) + labels)[:, None] * np.linspace(-1, 1, 24) + 1) / 2
    values[(labels < 0) | (labels >= CLASSES)] = np.nan
    return values.reshape(-1, *SHAPE).astype(np.float32)


def png(image: np.ndarray) -> bytes:
    if np.isnan(image).any():
        return b""
    Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(file := io.BytesIO(), "png")
    return file.getvalue()


def predict(name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    z = inputs["latents"] if name == "from_latents" else latents(inputs["seed"])
    if name == "latents":
        return {"latents": z, "prior": np.full(len(z), b"uniform", object), "num_classes": np.full(len(z), CLASSES)}
    labels = inputs["seed"] % CLASSES if name == "unconditional" else inputs["labels"]
    made = images(z, labels)
    if name == "png":
        return {"image_bytes": np.asarray([png(image) for image in made], object)}
    return {"images": made} | ({"labels": labels} if name == "unconditional" else {})


class Fake:
    """`plan` holds what the next predictions meet: a gRPC code to refuse with, "cut", "hold" (until `close`) or
    "half" (half of the rows), "slow" (after a third of a second), "drip" (REST: a few bytes at a time). `rows` lists
    how many rows each prediction asked for, `asked` the model and version of each request."""

    def __init__(self, scheme: str, pair: tuple[Path, Path] | None = None):
        """`pair`: key and certificate of https and grpcs."""
        self.plan, self.rows, self.asked, self.released = [], [], [], threading.Event()
        self.drips = False
        self.port = (self._rest if scheme.startswith("http") else self._grpc)(pair)
        self.endpoint = f"{scheme}://127.0.0.1:{self.port}"

    def _rest(self, pair) -> int:
        self._server = _Http(("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": self}))
        if pair:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(pair[1], pair[0])
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self._server.server_address[1]

    def _grpc(self, pair) -> int:
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Servicer(self), self._server)
        credentials = grpc.ssl_server_credentials([tuple(path.read_bytes() for path in pair)]) if pair else None
        address = "127.0.0.1:0"
        port = self._server.add_secure_port(address, credentials) if pair else self._server.add_insecure_port(address)
        self._server.start()
        return port

    def close(self):
        self.released.set()
        if isinstance(self._server, ThreadingHTTPServer):
            self._server.shutdown()
            self._server.server_close()
        else:
            self._server.stop(None).wait()

    def answer(self, name: str, inputs: dict) -> dict | str:
        """The outputs, or what to do instead."""
        self.rows.append(len(next(iter(inputs.values()))))
        todo = self.plan.pop(0) if self.plan else None
        self.drips = todo == "drip"
        if todo == "hold":
            self.released.wait()
        if todo == "half":
            return {key: value[: len(value) // 2] for key, value in predict(name, inputs).items()}
        if todo == "slow":
            time.sleep(0.33)
        return predict(name, inputs) if todo in (None, "slow", "drip") else todo


class _Http(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that went away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: Fake

    def _asked(self):
        name, _, version = self.path.removeprefix("/v1/models/").split(":")[0].partition("/versions/")
        return name.removesuffix("/metadata"), int(version.removesuffix("/metadata")) if version else None

    def do_GET(self):
        self.fake.asked.append(self._asked())
        if self.path.startswith("/v1/models/default"):
            sides = {
                name: {
                    side: {
                        key: {"dtype": d, "tensor_shape": {"dim": [{"size": str(s)} for s in shape]}}
                        for key, (d, shape) in one.items()
                    }
                    for side, one in zip(("inputs", "outputs"), both, strict=True)
                }
                for name, both in SIGNATURES.items()
            }
            return self._send(200, {"metadata": {"signature_def": {"signature_def": sides}}})
        self._send(404, {"error": "Servable not found for request: Latest(other)"})

    def do_POST(self):
        self.fake.asked.append(self._asked())
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        inputs = {
            key: np.asarray(value, np.float32 if key == "latents" else np.int64)
            for key, value in body["inputs"].items()
        }
        answer = self.fake.answer(body["signature_name"], inputs)
        if answer == "cut":
            self.close_connection = True
        elif isinstance(answer, dict):
            outputs = {key: _json(key, value) for key, value in answer.items()}
            self._send(200, {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))})
        else:
            status = {"UNAVAILABLE": 503, "INVALID_ARGUMENT": 400, "RESOURCE_EXHAUSTED": 429}.get(answer, 500)
            self._send(status, {"error": "as planned"})

    def _send(self, status: int, answer: dict):
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        size = 20 if self.fake.drips else len(content)
        for start in range(0, len(content), size):
            self.wfile.write(content[start : start + size])
            if size < len(content):
                time.sleep(0.1)

    def log_message(self, *args):
        pass


def _json(key: str, value: np.ndarray) -> list:
    if key == "image_bytes":
        return [{"b64": base64.b64encode(one).decode()} for one in value]
    return [one.decode() for one in value] if value.dtype == object else value.tolist()


class _Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, fake: Fake):
        self.fake = fake

    def _note(self, spec):
        self.fake.asked.append((spec.name, spec.version.value if spec.HasField("version") else None))

    def GetModelMetadata(self, request, context):
        self._note(request.model_spec)
        if request.model_spec.name != "default":
            context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(other)")
        found = get_model_metadata_pb2.SignatureDefMap()
        for name, both in SIGNATURES.items():
            for side, one in zip(("inputs", "outputs"), both, strict=True):
                for key, (dtype, shape) in one.items():
                    info = getattr(found.signature_def[name], side)[key]
                    info.dtype = types_pb2.DataType.Value(dtype)
                    info.tensor_shape.dim.extend(tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in shape)
        packed = any_pb2.Any()
        packed.Pack(found)
        return get_model_metadata_pb2.GetModelMetadataResponse(metadata={"signature_def": packed})

    def Predict(self, request, context):
        self._note(request.model_spec)
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        answer = self.fake.answer(request.model_spec.signature_name, inputs)
        if not isinstance(answer, dict):
            code = grpc.StatusCode.UNAVAILABLE if answer == "cut" else grpc.StatusCode[answer]
            context.abort(code, "as planned")
        outputs = {key: tf.make_tensor_proto(list(v) if v.dtype == object else v) for key, v in answer.items()}
        return predict_pb2.PredictResponse(outputs=outputs)
