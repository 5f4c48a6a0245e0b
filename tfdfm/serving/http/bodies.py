"""The bodies of requests by REST: so many bytes each, so many of all at once, whatever they are squeezed into."""

import grpc
from aiohttp import web

from tfdfm.serving.status import StatusError

TOGETHER = 16  # bodies of the largest size whose bytes may be held at once


class Bodies:
    """Reads bodies of at most `most` bytes after decompression; what is read counts until `free`."""

    def __init__(self, most: int):
        self.most, self.held = most, 0
        self._of: dict[int, int] = {}  # bytes of each request that is under way

    async def read(self, request: web.Request) -> bytes:
        """The whole of it.

        Raises:
            web.HTTPRequestEntityTooLarge: there are more bytes.
            web.RequestPayloadError: they are not what the headers say.
            ConnectionError: the client has left.
            StatusError: UNAVAILABLE, the bodies of others take all the room.
        """
        try:
            if (request.content_length or 0) > self.most:  # said before it is sent
                raise web.HTTPRequestEntityTooLarge(self.most)
            body = bytearray()
            while chunk := await request.content.readany():
                body += chunk
                self._take(request, len(chunk), len(body))
            return bytes(body)
        except (web.HTTPRequestEntityTooLarge, StatusError):
            if request.transport and "Content-Encoding" in request.headers:
                request.transport.pause_reading()  # aiohttp would decompress the rest of a bomb to throw it away
            raise
        except RuntimeError as error:  # aiohttp's word for it
            if request.transport:
                raise
            raise ConnectionResetError(str(error)) from None

    def free(self, request: web.Request) -> None:
        """The request is answered."""
        self.held -= self._of.pop(id(request), 0)

    def _take(self, request: web.Request, more: int, size: int) -> None:
        self.held += more
        self._of[id(request)] = size
        if size > self.most:
            raise web.HTTPRequestEntityTooLarge(self.most)
        if self.held > TOGETHER * self.most:
            message = f"The bodies under way hold {TOGETHER * self.most:,} bytes, all that they may: ask again later."
            raise StatusError(grpc.StatusCode.UNAVAILABLE, message)
