"""The Open Inference Protocol by gRPC: GRPCInferenceService, its messages as in open_inference.textproto."""

from importlib.resources import files

import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.message import Message

from tfdfm.serving import open_inference as protocol
from tfdfm.serving.core import ServerCore
from tfdfm.serving.grpc.answering import Answering
from tfdfm.serving.models import tensors
from tfdfm.serving.prometheus import ServingMetrics
from tfdfm.serving.status import invalid
from tfdfm.version import __version__

_FIELDS = {  # the contents of each data type; 16 bits have none
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "INT64": "int64_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def _service():
    """In a pool of its own, so that a client's modules of the same messages do no harm."""
    pool = descriptor_pool.DescriptorPool()
    text = files("tfdfm.serving.grpc").joinpath("open_inference.textproto").read_text(encoding="utf-8")
    pool.Add(text_format.Parse(text, descriptor_pb2.FileDescriptorProto()))
    return pool.FindServiceByName("inference.GRPCInferenceService")


SERVICE = _service()


class OpenInference(Answering):
    """GRPCInferenceService."""

    def __init__(self, core: ServerCore, metrics: ServingMetrics):
        super().__init__(metrics, lambda request: getattr(request, "model_name", getattr(request, "name", "")))
        self._core = core
        work = {
            "ServerLive": self.server_live,
            "ServerReady": self.server_ready,
            "ModelReady": self.model_ready,
            "ServerMetadata": self.server_metadata,
            "ModelMetadata": self.model_metadata,
            "ModelInfer": self.model_infer,
        }
        made = {rpc.name: message_factory.GetMessageClass(rpc.output_type) for rpc in SERVICE.methods}
        self._made = made
        names = {"ModelInfer": "infer", "ModelMetadata": "metadata", "ModelReady": "ready"}
        self.methods = {name: (names.get(name, name), each) for name, each in work.items()}

    async def server_live(self, request: Message) -> Message:
        return self._made["ServerLive"](live=True)

    async def server_ready(self, request: Message) -> Message:
        return self._made["ServerReady"](ready=self._core.ready())

    async def model_ready(self, request: Message) -> Message:
        return self._made["ModelReady"](ready=self._core.ready(request.name, protocol.version(request.version)))

    async def server_metadata(self, request: Message) -> Message:
        return self._made["ServerMetadata"](name=protocol.NAME, version=__version__, extensions=protocol.EXTENSIONS)

    async def model_metadata(self, request: Message) -> Message:
        inputs, outputs, versions = self._core.described(request.name, protocol.version(request.version))
        tensors = {"inputs": inputs, "outputs": outputs}
        return self._made["ModelMetadata"](name=request.name, versions=versions, platform=protocol.PLATFORM, **tensors)

    async def model_infer(self, request: Message) -> Message:
        raw = list(request.raw_input_contents)
        if raw and (len(raw) != len(request.inputs) or any(each.HasField("contents") for each in request.inputs)):
            raise invalid("Expected raw_input_contents for every input, or contents in every input.")
        inputs = {
            each.name: protocol.decode(each.name, each.datatype, each.shape, raw[place]) if raw else _typed(each)
            for place, each in enumerate(request.inputs)
        }
        given = request.parameters
        signature = given[protocol.SIGNATURE].string_param if protocol.SIGNATURE in given else ""
        number = protocol.version(request.model_version)
        with self._core.call(request.model_name, signature, version=number) as call:
            outputs = await call.predict(inputs, [each.name for each in request.outputs])
        about = {"model_name": request.model_name, "model_version": str(call.version), "id": request.id}
        return self._answer(about, outputs, raw=bool(raw))

    def _answer(self, about: dict, outputs: dict[str, np.ndarray], *, raw: bool) -> Message:
        """As bytes where the request came so, or where a type has no field."""
        response = self._made["ModelInfer"](**about)
        kinds = {name: protocol.datatype(tf.as_dtype(values.dtype)) for name, values in outputs.items()}
        raw = raw or any(kind not in _FIELDS for kind in kinds.values())
        for name, values in outputs.items():
            made = response.outputs.add(name=name, datatype=kinds[name], shape=values.shape)
            if raw:
                response.raw_output_contents.append(protocol.encode(values))
            else:
                flat = tensors.strings(values) if values.dtype == object else values.ravel().tolist()
                getattr(made.contents, _FIELDS[kinds[name]]).extend(flat)
        return response


def _typed(sent: Message) -> np.ndarray:
    """An input from the field of its type. Raises StatusError (INVALID_ARGUMENT)."""
    dtype, count = protocol.checked(sent.name, sent.datatype, sent.shape)
    values = list(getattr(sent.contents, _FIELDS[sent.datatype])) if sent.datatype in _FIELDS else []
    if len(values) != count:
        raise invalid(
            f"Expected {count} values of {sent.datatype} in contents of input {sent.name!r}, given {len(values)}."
        )
    try:
        return np.array(values, dtype.as_numpy_dtype).reshape(sent.shape)
    except OverflowError:
        raise invalid(f"Expected values of {sent.datatype} in input {sent.name!r}, one is too large.") from None
