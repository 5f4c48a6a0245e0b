"""The body of a request by REST: so many bytes and no more, whatever they are squeezed into."""

from aiohttp import web


async def read(request: web.Request, most: int) -> bytes:
    """At most `most` bytes, after decompression.

    Raises:
        web.HTTPRequestEntityTooLarge: there are more.
        web.RequestPayloadError: they are not what the headers say.
        ConnectionError: the client has left.
    """
    try:
        if (request.content_length or 0) > most:  # said before it is sent
            raise web.HTTPRequestEntityTooLarge(most)
        body = await request.read()
        if len(body) > most:  # aiohttp's own limit is one more, in some versions
            raise web.HTTPRequestEntityTooLarge(most)
        return body
    except web.HTTPRequestEntityTooLarge:
        if request.transport and "Content-Encoding" in request.headers:
            request.transport.pause_reading()  # aiohttp would decompress the rest of a bomb to throw it away
        raise
    except RuntimeError as error:  # aiohttp's word for it
        if request.transport:
            raise
        raise ConnectionResetError(str(error)) from None
