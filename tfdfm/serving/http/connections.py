"""The connections of the REST port: so many at once, and none that keeps us waiting for ever."""

import asyncio
from collections.abc import Callable

from aiohttp import web

KEEP_ALIVE = 75.0  # seconds between two requests of a connection
HALF_CLOSED = 0.1  # seconds after a client's last byte by which a request that is whole is under way


class Connections:
    """Closes a connection beyond the `most`, and one that takes longer than `seconds` for a request's headers.

    What a client is slow to send after them, or to be told, the time limit of a request is for; one that does not take
    an answer at all is closed, too. A client that closes its half after a whole request is answered, then closed.
    """

    def __init__(self, most: int, seconds: float):
        self.most, self.seconds = most, seconds
        self.open: dict[asyncio.BaseTransport, _Connection] = {}

    def protocol(self, server: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        """Of a new connection, whose bytes go to a protocol of the server's."""
        return _Connection(self, server())

    def middleware(self):
        """Tells when a request's headers have come, and when it is answered."""

        @web.middleware
        async def noted(request: web.Request, handler) -> web.StreamResponse:
            connection = self.open.get(request.transport)
            if connection:
                connection.wait(None)
                connection.request = request
            try:
                return await handler(request)
            finally:
                if connection:
                    connection.request, connection.unanswered = None, False
                    connection.wait(KEEP_ALIVE + self.seconds)

        return noted


class _Connection(asyncio.Protocol):
    """Passes everything on to `inner`."""

    def __init__(self, owner: Connections, inner: web.RequestHandler):
        self._owner, self._inner = owner, inner
        self.request: web.Request | None = None  # under way
        self.unanswered = False  # bytes
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unsent = 0  # bytes, when the time was last up
        self._late_once = False

    def wait(self, seconds: float | None) -> None:
        """Closes the connection unless it is told otherwise in these seconds; None: it may take any time."""
        if self._timer:
            self._timer.cancel()
        closed = self._transport is None or self._transport.is_closing()
        late = None if seconds is None or closed else asyncio.get_running_loop().call_later(seconds, self._late)
        self._timer, self._late_once = late, False

    def _late(self) -> None:
        unsent = self._transport.get_write_buffer_size()
        if unsent and unsent != self._unsent:  # the answer is on its way
            self._unsent = unsent
            self.wait(KEEP_ALIVE + self._owner.seconds)
        elif not self._late_once:  # if it was the event loop that was late, what has come is read first
            self._late_once = True
            self._timer = asyncio.get_running_loop().call_later(self._owner.seconds / 4, self._late)
        else:
            self._transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:
        if len(self._owner.open) >= self._owner.most:
            transport.abort()
            return
        self._transport = transport
        self._owner.open[transport] = self
        self.wait(self._owner.seconds)
        self._inner.connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport:
            del self._owner.open[self._transport]
            self.wait(None)
            self._inner.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        if self._transport:
            self.unanswered = True
            self._inner.data_received(data)

    def eof_received(self) -> bool:
        """Whether the connection stays open, to be answered: TLS has no half-closed ones."""
        if self._transport and self.unanswered and not self._transport.get_extra_info("sslcontext"):
            self._inner.close()  # once what is there is answered
            asyncio.get_running_loop().call_later(HALF_CLOSED, self._close_unless_whole)
            return True
        return False

    def _close_unless_whole(self) -> None:
        if self._transport and not (self.request and self.request.content.is_eof()):
            self._transport.close()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
