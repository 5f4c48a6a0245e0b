"""The gRPC form of an endpoint. It imports TensorFlow, which the protocol's official stubs need."""

from collections.abc import Mapping

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2, predict_pb2, prediction_service_pb2_grpc

from tfdfm.client.endpoint import EndpointError, SignatureSpec, TensorSpec


class GrpcEndpoint:
    """By gRPC: `address` is HOST:PORT. Root certificates: gRPC's own, or the file GRPC_DEFAULT_SSL_ROOTS_FILE_PATH."""

    def __init__(self, address: str, model: str, version: int | None, tls: bool = False, token: str = ""):
        options = [
            ("grpc.max_receive_message_length", -1),  # one image may be larger than the usual 4 MiB
            *(("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 2000)),
        ]
        self.address, self._metadata = address, (("authorization", f"Bearer {token}"),) if token else ()
        self._channel = (
            grpc.secure_channel(address, grpc.ssl_channel_credentials(), options)
            if tls
            else grpc.insecure_channel(address, options)
        )
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._spec = model_pb2.ModelSpec(name=model)
        if version is not None:
            self._spec.version.value = version

    def signatures(self, timeout: float) -> dict[str, SignatureSpec]:
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._spec, metadata_field=["signature_def"]
        )
        found = get_model_metadata_pb2.SignatureDefMap()
        self._ask(self._stub.GetModelMetadata, request, timeout).metadata["signature_def"].Unpack(found)
        return {
            name: SignatureSpec(*({k: _spec(v) for k, v in side.items()} for side in (one.inputs, one.outputs)))
            for name, one in found.signature_def.items()
        }

    def predict(
        self, name: str, signature: SignatureSpec, inputs: Mapping[str, np.ndarray], timeout: float
    ) -> dict[str, np.ndarray]:
        request = predict_pb2.PredictRequest(model_spec=self._spec)
        request.model_spec.signature_name = name
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        answer = self._ask(self._stub.Predict, request, timeout)
        return {key: tf.make_ndarray(value) for key, value in answer.outputs.items()}

    def close(self) -> None:
        self._channel.close()

    def _ask(self, method, request, timeout: float):
        try:
            return method(request, timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise EndpointError(self.address, error.code().name, error.details()) from None


def _spec(info: meta_graph_pb2.TensorInfo) -> TensorSpec:
    return TensorSpec(types_pb2.DataType.Name(info.dtype), tuple(one.size for one in info.tensor_shape.dim))
