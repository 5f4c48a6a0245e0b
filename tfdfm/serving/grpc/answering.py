"""How calls by gRPC are answered, of whichever service."""

import logging
import time
from collections.abc import Awaitable, Callable

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message

from tfdfm.serving.prometheus import ServingMetrics
from tfdfm.serving.status import StatusError

Work = Callable[[Message], Awaitable[Message]]


class Answering:
    """What answers calls: `methods` has the name in the metrics and a coroutine, request to response, for each RPC."""

    methods: dict[str, tuple[str, Work]]

    def __init__(self, metrics: ServingMetrics, model: Callable[[Message], str]):
        """`model`: the name by which a request is counted, if by any."""
        self._metrics, self._model = metrics, model

    async def answer(self, method: str, work: Work, request: Message, context: grpc.aio.ServicerContext) -> Message:
        """Answers a call: a StatusError becomes its status, what breaks becomes INTERNAL and a line in the log."""
        start, code, message = time.perf_counter(), grpc.StatusCode.OK, ""
        try:
            return await work(request)
        except StatusError as error:
            code, message = error.code, error.short
        except Exception as error:
            logging.exception("A %s request failed", method)
            code, message = grpc.StatusCode.INTERNAL, f"{type(error).__name__} in the server; see its log."
        finally:
            self._metrics.request(self._model(request), method, "GRPC", code.name, time.perf_counter() - start)
        await context.abort(code, message)


def handler(services: Answering, rpc: MethodDescriptor) -> grpc.RpcMethodHandler:
    method, work = services.methods[rpc.name]
    return guarded(rpc, lambda request, context: services.answer(method, work, request, context))


def guarded(rpc: MethodDescriptor, work: Callable[[Message, grpc.aio.ServicerContext], Awaitable]):
    """Refuses bytes that are no message like any other mistake; gRPC would answer UNKNOWN and log a traceback."""
    message_class = message_factory.GetMessageClass(rpc.input_type)
    kind = grpc.unary_stream_rpc_method_handler if rpc.server_streaming else grpc.unary_unary_rpc_method_handler

    def decode(sent: bytes) -> Message | None:
        try:
            return message_class.FromString(sent)
        except DecodeError:
            return None

    async def answer(request: Message | None, context: grpc.aio.ServicerContext):
        if request is None:
            name = f"/{rpc.containing_service.full_name}/{rpc.name}"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Expected a message of {name}.")
        return await work(request, context)

    return kind(answer, decode, lambda response: response.SerializeToString())
