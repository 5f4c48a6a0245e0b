"""The standard gRPC health service, whose streams end with the server."""

import asyncio

import grpc
from grpc_health.v1 import health, health_pb2

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

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext) -> None:
        """Ends after `over`: a server that stops waits for its streams, and these would never end."""
        watch, over = asyncio.create_task(super().Watch(request, context)), asyncio.create_task(self.over.wait())
        try:
            await asyncio.wait([watch, over], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([watch], timeout=_LAST)
        finally:
            watch.cancel()
            over.cancel()
