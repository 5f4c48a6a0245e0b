"""The protocol's gRPC services, on the core."""

import asyncio
import logging
import time
from collections.abc import Awaitable

import grpc
from google.protobuf.message import DecodeError, Message
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from tfdfm.serving.core import Core
from tfdfm.serving.models import inference, tensors
from tfdfm.serving.models.manager import Lifecycle
from tfdfm.serving.models.saved_model import DEFAULT
from tfdfm.serving.prometheus import Metrics
from tfdfm.serving.status import Refused, invalid

SERVICES = ("tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")
_SIGNATURES = "signature_def"


def _place(spec: model_pb2.ModelSpec) -> dict:
    """version or label, as the core takes them."""
    choice = spec.WhichOneof("version_choice")
    if choice == "version":
        return {"version": spec.version.value}
    return {"label": spec.version_label} if choice == "version_label" else {}


def _spec(request: Message) -> model_pb2.ModelSpec:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    return request.model_spec


def _answered(name: str, version: int, signature: str = "") -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=name, signature_name=signature)
    spec.version.value = version
    return spec


class Service:
    """Answers a call: what is refused becomes a status, what breaks becomes INTERNAL and a line in the log."""

    def __init__(self, core: Core, lifecycle: Lifecycle, metrics: Metrics):
        self._core, self._lifecycle, self._metrics = core, lifecycle, metrics

    async def _answer(self, method: str, model: str, work: Awaitable, context: grpc.aio.ServicerContext) -> Message:
        start, code, message = time.perf_counter(), grpc.StatusCode.OK, ""
        try:
            return await work
        except Refused as refused:
            code, message = refused.code, refused.short
        except Exception as error:
            logging.exception("A %s request failed", method)
            code, message = grpc.StatusCode.INTERNAL, f"{type(error).__name__} in the server; see its log."
        finally:
            self._metrics.request(model, method, "GRPC", code.name, time.perf_counter() - start)
        await context.abort(code, message)


class PredictionService(Service, prediction_service_pb2_grpc.PredictionServiceServicer):
    async def Predict(self, request: predict_pb2.PredictRequest, context) -> predict_pb2.PredictResponse:
        return await self._answer("predict", request.model_spec.name, self._predict(request), context)

    async def _predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        spec = _spec(request)
        inputs = tensors.arrays(request.inputs)
        answer = await self._core.predict(
            spec.name, inputs, signature=spec.signature_name, outputs=request.output_filter, **_place(spec)
        )
        response = predict_pb2.PredictResponse(model_spec=_answered(spec.name, answer.version, answer.signature))
        for name, values in answer.outputs.items():
            tensors.fill(response.outputs[name], values)
        return response

    async def Classify(self, request: classification_pb2.ClassificationRequest, context) -> Message:
        work = self._infer("classify", request, classification_pb2.ClassificationResponse())
        return await self._answer("classify", request.model_spec.name, work, context)

    async def Regress(self, request: regression_pb2.RegressionRequest, context) -> Message:
        work = self._infer("regress", request, regression_pb2.RegressionResponse())
        return await self._answer("regress", request.model_spec.name, work, context)

    async def _infer(self, method: str, request: Message, response: Message) -> Message:
        spec = _spec(request)
        examples = inference.examples(request.input)
        version, result = await self._core.infer(
            method, spec.name, examples, signature=spec.signature_name, **_place(spec)
        )
        response.model_spec.CopyFrom(_answered(spec.name, version.number, spec.signature_name or DEFAULT))
        response.result.CopyFrom(result)
        return response

    async def MultiInference(self, request: inference_pb2.MultiInferenceRequest, context) -> Message:
        name = request.tasks[0].model_spec.name if request.tasks else ""
        return await self._answer("multi_inference", name, self._multi(request), context)

    async def _multi(self, request: inference_pb2.MultiInferenceRequest) -> inference_pb2.MultiInferenceResponse:
        if not request.tasks:
            raise invalid("Inference request contains no tasks.")
        if len({task.model_spec.name for task in request.tasks}) > 1:
            raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        examples = inference.examples(request.input)
        response = inference_pb2.MultiInferenceResponse()
        for task in request.tasks:
            spec, method = _spec(task), inference.method(task.method_name)
            version, result = await self._core.infer(
                method, spec.name, examples, signature=spec.signature_name, **_place(spec)
            )
            made = response.results.add(model_spec=_answered(spec.name, version.number, spec.signature_name or DEFAULT))
            field = made.classification_result if method == "classify" else made.regression_result
            field.CopyFrom(result)
        return response

    async def GetModelMetadata(self, request: get_model_metadata_pb2.GetModelMetadataRequest, context) -> Message:
        return await self._answer("get_model_metadata", request.model_spec.name, self._metadata(request), context)

    async def _metadata(self, request: get_model_metadata_pb2.GetModelMetadataRequest) -> Message:
        spec = _spec(request)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        if wrong := [field for field in request.metadata_field if field != _SIGNATURES]:
            raise invalid(f"Metadata field {wrong[0]} is not supported")
        version, signatures = self._core.metadata(spec.name, **_place(spec))
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=_answered(spec.name, version))
        found = get_model_metadata_pb2.SignatureDefMap()
        for name, definition in signatures.items():
            found.signature_def[name].CopyFrom(definition)
        response.metadata[_SIGNATURES].Pack(found)
        return response


class ModelService(Service, model_service_pb2_grpc.ModelServiceServicer):
    async def GetModelStatus(self, request: get_model_status_pb2.GetModelStatusRequest, context) -> Message:
        return await self._answer("get_model_status", request.model_spec.name, self._status(request), context)

    async def _status(self, request: get_model_status_pb2.GetModelStatusRequest) -> Message:
        spec = _spec(request)
        found = self._core.status(spec.name, _place(spec).get("version"))  # of all versions when asked by label
        return get_model_status_pb2.GetModelStatusResponse(model_version_status=found)

    async def HandleReloadConfigRequest(self, request: model_management_pb2.ReloadConfigRequest, context) -> Message:
        return await self._answer("reload_config", "", self._reload(request), context)

    async def _reload(self, request: model_management_pb2.ReloadConfigRequest) -> Message:
        work = self._lifecycle.configure(request.config, client=True)
        await asyncio.shield(asyncio.create_task(work))  # goes on when the client's patience ends
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        return response


class _Decoding(grpc.GenericRpcHandler):
    """Finds the methods of the services added to it; they refuse bytes that are no message like any other mistake.

    gRPC itself would answer UNKNOWN and log a traceback. An interceptor could do the same, at a cost for every call.
    """

    def __init__(self):
        self._services: list[grpc.GenericRpcHandler] = []
        self._methods: dict[str, grpc.RpcMethodHandler] = {}

    def add_generic_rpc_handlers(self, services: tuple[grpc.GenericRpcHandler, ...]) -> None:
        self._services += services

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method not in self._methods:
            found = next((handler for one in self._services if (handler := one.service(details))), None)
            if found is None:
                return None
            self._methods[details.method] = _decoding(found, details.method)
        return self._methods[details.method]


def _decoding(handler: grpc.RpcMethodHandler, method: str) -> grpc.RpcMethodHandler:
    def decode(sent: bytes) -> Message | None:
        try:
            return handler.request_deserializer(sent)
        except DecodeError:
            return None

    async def answer(request: Message | None, context: grpc.aio.ServicerContext) -> Message:
        if request is None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Expected a message of {method}.")
        return await handler.unary_unary(request, context)

    return grpc.unary_unary_rpc_method_handler(answer, decode, handler.response_serializer)


def add(server: grpc.aio.Server, core: Core, lifecycle: Lifecycle, metrics: Metrics) -> None:
    """Puts both services on a server."""
    services = _Decoding()
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(core, lifecycle, metrics), services
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(core, lifecycle, metrics), services)
    server.add_generic_rpc_handlers((services,))
