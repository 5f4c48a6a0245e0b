"""The standard gRPC health service, whose streams end with the server."""

from __future__ import annotations

import asyncio

import grpc
from grpc_health.v1 import health, health_pb2

from tfdfm.serving.grpc.answering import guarded

_SERVICE = health_pb2.DESCRIPTOR.services_by_name["Health"]
_LAST = 0.2  # seconds for the last status to leave


class Health(health.aio.HealthServicer):
    """Says SERVING of the server and of `services` after `start`, NOT_SERVING after `enter_graceful_shutdown`."""

    def __init__(self, services: tuple[str, ...]):
        super().__init__()
        self._services = ("", *services)
        self.over = asyncio.Event()

    async def start(self) -> None:
        for name in self._services:
            await self.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def List(self, request: health_pb2.HealthListRequest, context) -> health_pb2.HealthListResponse:
        asked = [health_pb2.HealthCheckRequest(service=name) for name in self._services]
        return health_pb2.HealthListResponse(statuses={each.service: await self.Check(each, context) for each in asked})

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext) -> None:
        """Ends after `over`: a server that stops waits for its streams, and these would never end."""
        watch, over = asyncio.create_task(super().Watch(request, context)), asyncio.create_task(self.over.wait())
        try:
            await asyncio.wait([watch, over], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([watch], timeout=_LAST)
        finally:
            watch.cancel()
            over.cancel()


def add(server: grpc.aio.Server, servicer: Health) -> None:
    """Puts it on a server."""
    handlers = {rpc.name: guarded(rpc, getattr(servicer, rpc.name)) for rpc in _SERVICE.methods}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE.full_name, handlers),))
