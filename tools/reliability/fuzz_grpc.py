"""What a hostile client of the gRPC port sends: `case(rng)` makes one request, `send` gives the code of its answer."""

import asyncio
from typing import NamedTuple

import draws
import grpc
import numpy as np
from draws import one
from google.protobuf import message_factory
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    predict_pb2,
    regression_pb2,
)

from tfdfm.serving.grpc import open_inference
from tfdfm.serving.models import tensors

PREDICTION, MODELS = "/tensorflow.serving.PredictionService/", "/tensorflow.serving.ModelService/"
INFERENCE, HEALTH = "/inference.GRPCInferenceService/", "/grpc.health.v1.Health/"
METHODS = [PREDICTION + name for name in ("Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata")]
METHODS += [MODELS + "GetModelStatus", INFERENCE + "ModelInfer", INFERENCE + "ModelMetadata", HEALTH + "Check"]
SIGNATURES = ["", "serving_default", "png", "unconditional", "from_latents", "latents", "none", "\x00", "a" * 5000]
NAMES = ["default", "default", "default", "", "other", "../default", "\u202e", "x" * 10_000]
SIZES = [-(2**63), -1, 0, 1, 2, 3, 64, 1025, 2**31, 2**33, 2**62, 2**63 - 1]
REFUSED = {"OK", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND", "UNIMPLEMENTED", "RESOURCE_EXHAUSTED"}


class Case(NamedTuple):
    """A request and the codes that may answer it."""

    kind: str
    method: str
    message: bytes
    squeezed: bool = False
    deadline: float = 30.0
    allowed: frozenset[str] = frozenset(REFUSED)


def valid(rng: np.random.Generator) -> predict_pb2.PredictRequest:
    made = predict_pb2.PredictRequest(model_spec={"name": "default"})
    rows = int(rng.integers(1, 5))
    tensors.fill(made.inputs["seed"], rng.integers(0, 64, rows))
    tensors.fill(made.inputs["labels"], rng.integers(0, 3, rows))
    return made


def tensor(rng: np.random.Generator) -> tensor_pb2.TensorProto:
    """Of any type, shape and content."""
    made = tensor_pb2.TensorProto(dtype=one(rng, list(types_pb2.DataType.values())))
    made.tensor_shape.unknown_rank = bool(rng.random() < 0.05)
    for _ in range(rng.integers(0, one(rng, [3, 3, 3, 300]))):
        made.tensor_shape.dim.add(size=one(rng, SIZES))
    made.tensor_content = rng.bytes(one(rng, [0, 0, 8, 512, 5000]))
    count = int(rng.integers(0, 4))
    made.int64_val.extend([one(rng, SIZES) for _ in range(count)])
    made.float_val.extend(one(rng, [[], [np.nan, np.inf, -0.0], [1e38]]))
    made.string_val.extend([rng.bytes(5)] * count)
    made.half_val.extend([one(rng, [-1, 0, 70_000])] * count)
    made.bool_val.extend([True] * count)
    return made


def mutated(rng: np.random.Generator) -> Case:
    """One to three changes to a valid request."""
    made = valid(rng)
    for _ in range(rng.integers(1, 4)):
        name = one(rng, ["seed", "labels"])
        change = rng.integers(10)
        if change == 0:
            made.inputs[name].CopyFrom(tensor(rng))
        elif change == 1:
            made.inputs[one(rng, ["more", "", "latents", "s" * 3000])].CopyFrom(tensor(rng))
        elif change == 2:
            made.inputs.pop(name, None)
        elif change == 3:
            made.inputs[name].dtype = one(rng, list(types_pb2.DataType.values()))
        elif change == 4:
            made.inputs[name].tensor_shape.dim.add(size=one(rng, SIZES))
        elif change == 5:
            made.inputs[name].int64_val.extend([one(rng, SIZES)] * int(one(rng, [1, 2000])))
        elif change == 6:
            made.model_spec.name = one(rng, NAMES)
        elif change == 7:
            made.model_spec.signature_name = one(rng, SIGNATURES)
        elif change == 8:
            place(rng, made.model_spec)
        else:
            made.output_filter.extend([one(rng, ["images", "image_bytes", "", "labels"])] * int(rng.integers(1, 3)))
    return Case("Predict, mutated", METHODS[0], made.SerializeToString(deterministic=True))


def place(rng: np.random.Generator, spec) -> None:
    if rng.random() < 0.5:
        spec.version.value = one(rng, SIZES)
    else:
        spec.version_label = one(rng, ["stable", "", "\x00", "l" * 4000])


def torn(rng: np.random.Generator) -> Case:
    """Bytes of a valid request, some of them changed, cut, doubled."""
    return Case("Predict, torn bytes", METHODS[0], draws.torn(rng, valid(rng).SerializeToString(deterministic=True)))


def noise(rng: np.random.Generator) -> Case:
    return Case("random bytes", one(rng, METHODS), rng.bytes(int(rng.integers(0, 400))))


def nested(rng: np.random.Generator) -> Case:
    """Tensors of variants of tensors."""
    made = tensor_pb2.TensorProto(dtype=types_pb2.DT_VARIANT).SerializeToString(deterministic=True)
    for _ in range(int(one(rng, [5, 40, 60, 500]))):  # protobuf's own limit is 100 messages
        inner = b"\x1a" + size(made) + made  # VariantTensorDataProto.tensors
        made = b"\x7a" + size(inner) + inner  # TensorProto.variant_val
    entry = b"\x0a\x04seed\x12" + size(made) + made
    return Case("nested messages", METHODS[0], b"\x0a\x09\x0a\x07default\x12" + size(entry) + entry)


def size(of: bytes) -> bytes:
    """A varint."""
    left, made = len(of), b""
    while left > 127:
        made, left = made + bytes([left & 127 | 128]), left >> 7
    return made + bytes([left])


def examples(rng: np.random.Generator) -> Case:
    """Classify, Regress, MultiInference: contexts that are large, tasks that repeat."""
    given = input_pb2.Input()
    listed = one(rng, [given.example_list, given.example_list_with_context])
    for _ in range(int(one(rng, [0, 1, 3, 2000]))):
        listed.examples.add()
    if listed is given.example_list_with_context:
        big = one(rng, [1, 1000, 100_000])
        listed.context.features.feature["x"].float_list.value.extend([0.5] * big)
    spec = {"name": one(rng, NAMES), "signature_name": one(rng, SIGNATURES)}
    if rng.random() < 0.3:
        made = inference_pb2.MultiInferenceRequest(input=given)
        for _ in range(int(one(rng, [0, 1, 5000]))):
            method = one(rng, ["tensorflow/serving/classify", "tensorflow/serving/regress", "", "none"])
            made.tasks.add(model_spec=spec, method_name=method)
        return Case("MultiInference", METHODS[3], made.SerializeToString(deterministic=True))
    kind = rng.integers(2)
    message = (classification_pb2.ClassificationRequest, regression_pb2.RegressionRequest)[kind]
    return Case(
        "Classify, Regress",
        METHODS[1 + kind],
        message(model_spec=spec, input=given).SerializeToString(deterministic=True),
    )


def about(rng: np.random.Generator) -> Case:
    """Metadata, status, methods that there are not."""
    spec = {"name": one(rng, NAMES)}
    wanted = [one(rng, ["signature_def", "", "other"]) for _ in range(rng.integers(0, 3))]
    metadata = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=spec, metadata_field=wanted)
    status = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
    for made in (metadata, status):
        if rng.random() < 0.4:
            place(rng, made.model_spec)
    method, made = one(rng, [(METHODS[4], metadata), (METHODS[5], status), (PREDICTION + "Nothing", status)])
    return Case("metadata, status, no method", method, made.SerializeToString(deterministic=True))


def late(rng: np.random.Generator) -> Case:
    """A client that leaves before the answer."""
    message = valid(rng).SerializeToString(deterministic=True)
    allowed = frozenset({"OK", "DEADLINE_EXCEEDED", "CANCELLED"})
    return Case("Predict, deadline too near", METHODS[0], message, deadline=rng.uniform(0, 0.02), allowed=allowed)


def squeezed(rng: np.random.Generator) -> Case:
    """gzip: of good requests, and of a few bytes that become many."""
    if rng.random() < 0.7:
        return Case("Predict, gzip", METHODS[0], valid(rng).SerializeToString(deterministic=True), squeezed=True)
    return Case("Predict, a gzip bomb", METHODS[0], bytes(1 << one(rng, [20, 27, 28])), squeezed=True)


def large(rng: np.random.Generator) -> Case:
    return Case("Predict, too large", METHODS[0], bytes((64 << 20) + 1), allowed=frozenset({"RESOURCE_EXHAUSTED"}))


def inferring(rng: np.random.Generator) -> Case:
    """ModelInfer with one to three changes."""
    Infer = message_factory.GetMessageClass(open_inference.SERVICE.methods_by_name["ModelInfer"].input_type)
    made = Infer(model_name="default", id="1")
    for name in ("seed", "labels"):
        made.inputs.add(name=name, datatype="INT64", shape=[1], contents={"int64_contents": [1]})
    for _ in range(rng.integers(0, 4)):
        tensor, change = one(rng, list(made.inputs)), rng.integers(8)
        if change == 0:
            tensor.datatype = one(rng, [*open_inference.protocol.DATATYPES, "", "INT65"])
        elif change == 1:
            tensor.shape.extend([one(rng, SIZES)] * int(one(rng, [1, 40])))
        elif change == 2:
            tensor.contents.int64_contents.extend([one(rng, SIZES)])
        elif change == 3:
            tensor.contents.uint_contents.extend([300])
        elif change == 4:
            made.raw_input_contents.append(rng.bytes(int(one(rng, [0, 8, 4]))))
        elif change == 5:
            made.parameters["signature_name"].string_param = one(rng, SIGNATURES)
        elif change == 6:
            made.model_version = one(rng, ["1", "-1", "9" * 5000, "\u0661", "0" * 30])
        else:
            made.outputs.add(name=one(rng, ["images", "none"]))
    return Case("ModelInfer, mutated", INFERENCE + "ModelInfer", made.SerializeToString(deterministic=True))


WEIGHTS = {
    mutated: 30, torn: 20, noise: 10, nested: 3, examples: 8, about: 8, late: 6, squeezed: 3, inferring: 12, large: 0.2,
}  # fmt: skip


class Sender:
    """A few connections that all cases share."""

    def __init__(self, address: str, channels: int = 4):
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
        self._channels = [grpc.aio.insecure_channel(address, options) for _ in range(channels)]

    async def send(self, case: Case, number: int) -> tuple[str, bool]:
        """The code of the answer, and whether it is one that may be."""
        call = self._channels[number % len(self._channels)].unary_unary(case.method)
        how = grpc.Compression.Gzip if case.squeezed else grpc.Compression.NoCompression
        try:
            await call(case.message, timeout=case.deadline, compression=how)
            code = "OK"
        except grpc.aio.AioRpcError as refused:
            code = refused.code().name
        return code, code in case.allowed

    async def close(self) -> None:
        await asyncio.gather(*(channel.close() for channel in self._channels))
