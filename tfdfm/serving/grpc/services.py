"""TF Serving's services by gRPC, on the core."""

import asyncio
from collections import Counter

import grpc
from google.protobuf.message import Message
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2,
    predict_pb2,
    prediction_service_pb2,
    regression_pb2,
)
from tensorflow_serving.apis.model_pb2 import ModelSpec

from tfdfm.serving.core import ServerCore
from tfdfm.serving.grpc import open_inference
from tfdfm.serving.grpc.answering import Answering, handler
from tfdfm.serving.models import inference, tensors
from tfdfm.serving.models.manager import ModelManager
from tfdfm.serving.models.saved_model import DEFAULT
from tfdfm.serving.prometheus import ServingMetrics
from tfdfm.serving.status import invalid

_DESCRIPTORS = (
    prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"],
    model_service_pb2.DESCRIPTOR.services_by_name["ModelService"],
)
SERVICES = tuple(descriptor.full_name for descriptor in (*_DESCRIPTORS, open_inference.SERVICE))
_SIGNATURES = "signature_def"


def _place(spec: ModelSpec) -> dict:
    """version or label, as the core takes them."""
    return {"version": spec.version.value if spec.HasField("version") else None, "label": spec.version_label}


def _spec(request: Message) -> ModelSpec:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    return request.model_spec


def _answered(name: str, version: int, signature: str = "") -> ModelSpec:
    return ModelSpec(name=name, version={"value": version}, signature_name=signature)


class Services(Answering):
    """PredictionService and ModelService."""

    def __init__(self, core: ServerCore, manager: ModelManager, metrics: ServingMetrics, *, as_content: bool):
        super().__init__(metrics, _model)
        self._core, self._manager, self._as_content = core, manager, as_content
        self.methods = {
            "Predict": ("predict", self.predict),
            "Classify": ("classify", self.classify),
            "Regress": ("regress", self.regress),
            "MultiInference": ("multi_inference", self.multi_inference),
            "GetModelMetadata": ("get_model_metadata", self.get_model_metadata),
            "GetModelStatus": ("get_model_status", self.get_model_status),
            "HandleReloadConfigRequest": ("reload_config", self.reload_config),
        }

    async def predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        spec = _spec(request)
        inputs = tensors.arrays(request.inputs)
        with self._core.call(spec.name, spec.signature_name, **_place(spec)) as call:
            outputs = await call.predict(inputs, request.output_filter)
        response = predict_pb2.PredictResponse(model_spec=_answered(spec.name, call.version, call.name))
        for name, values in outputs.items():
            tensors.fill(response.outputs[name], values, as_content=self._as_content)
        return response

    async def classify(self, request: classification_pb2.ClassificationRequest) -> Message:
        spec, result = await self._infer("classify", _spec(request), inference.examples(request.input))
        return classification_pb2.ClassificationResponse(model_spec=spec, result=result)

    async def regress(self, request: regression_pb2.RegressionRequest) -> Message:
        spec, result = await self._infer("regress", _spec(request), inference.examples(request.input))
        return regression_pb2.RegressionResponse(model_spec=spec, result=result)

    async def _infer(self, method: str, spec: ModelSpec, examples: list[bytes]) -> tuple[ModelSpec, Message]:
        with self._core.call(spec.name, spec.signature_name, **_place(spec)) as call:
            result = await call.infer(method, examples)
        return _answered(spec.name, call.version, call.name), result

    async def multi_inference(self, request: inference_pb2.MultiInferenceRequest) -> Message:
        if not request.tasks:
            raise invalid("Inference request contains no tasks.")
        if len({task.model_spec.name for task in request.tasks}) > 1:
            raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        signatures = [task.model_spec.signature_name or DEFAULT for task in request.tasks]
        if len(set(signatures)) < len(signatures):  # a task is few bytes and a whole run
            raise invalid(f"Duplicate evaluation of signature: {Counter(signatures).most_common(1)[0][0]}")
        examples = inference.examples(request.input)
        response = inference_pb2.MultiInferenceResponse()
        for task in request.tasks:
            spec, method = _spec(task), inference.method(task.method_name)
            spec, result = await self._infer(method, spec, examples)
            field = {"classify": "classification_result", "regress": "regression_result"}[method]
            response.results.add(model_spec=spec, **{field: result})
        return response

    async def get_model_metadata(self, request: get_model_metadata_pb2.GetModelMetadataRequest) -> Message:
        spec = _spec(request)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        if wrong := [field for field in request.metadata_field if field != _SIGNATURES]:
            raise invalid(f"Metadata field {wrong[0]} is not supported")
        version, signatures = self._core.metadata(spec.name, **_place(spec))
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=_answered(spec.name, version))
        response.metadata[_SIGNATURES].Pack(signatures)
        return response

    async def get_model_status(self, request: get_model_status_pb2.GetModelStatusRequest) -> Message:
        spec = _spec(request)
        found = self._core.status(spec.name, _place(spec)["version"])  # of all versions when asked by label
        return get_model_status_pb2.GetModelStatusResponse(model_version_status=found)

    async def reload_config(self, request: model_management_pb2.ReloadConfigRequest) -> Message:
        work = self._manager.configure(request.config, client=True)
        await asyncio.shield(asyncio.create_task(work))  # goes on when the client's patience ends
        return model_management_pb2.ReloadConfigResponse(status={})


def _model(request: Message) -> str:
    """The name by which a request is counted."""
    if isinstance(request, inference_pb2.MultiInferenceRequest):
        return request.tasks[0].model_spec.name if request.tasks else ""
    return "" if isinstance(request, model_management_pb2.ReloadConfigRequest) else request.model_spec.name


def add(
    server: grpc.aio.Server,
    core: ServerCore,
    manager: ModelManager,
    metrics: ServingMetrics,
    *,
    as_content: bool = False,
) -> None:
    """Puts them and GRPCInferenceService on a server; tensors in the typed fields or, `as_content`, as bytes."""
    services = Services(core, manager, metrics, as_content=as_content)
    opened = open_inference.OpenInference(core, metrics)
    for service, answering in (*((one, services) for one in _DESCRIPTORS), (open_inference.SERVICE, opened)):
        handlers = {rpc.name: handler(answering, rpc) for rpc in service.methods}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
