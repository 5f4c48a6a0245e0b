"""Connections that are slow, cut, crossed or many: HTTP smuggling, raw bytes, slow headers and bodies, half-open."""

import asyncio
import re
import socket
import struct
import time
from typing import NamedTuple

import numpy as np
from draws import one
from fuzz_rest import PREDICT

ANSWER = re.compile(rb"HTTP/1\.[01] (\d{3})")
INNER = b"GET /v1/models/default HTTP/1.1\r\nHost: here\r\n\r\n"
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
QUIET = 0.3  # seconds after an answer in which a second one would have come


class Limits(NamedTuple):
    """Seconds that the server was told to allow, and that a busy machine may add."""

    headers: float
    request: float
    slack: float = 15.0  # ten of them: a server reads what is left of a body before it closes


class Seen(NamedTuple):
    """What came of a connection: HTTP's statuses, seconds until it was over, whether the server ended it."""

    answers: list[int]
    seconds: float
    ended: bool


async def exchange(port: int, parts, pause: float = 0.0, limit: float = 60.0, eof: bool = False) -> Seen:
    """Sends the parts, one after each pause; reads until the server closes, or is quiet after an answer."""
    start, found, ended = time.monotonic(), bytearray(), False
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return Seen([], time.monotonic() - start, True)
    sending = asyncio.create_task(_send(writer, parts, pause, eof))
    try:
        async with asyncio.timeout(limit):
            while not ended:
                wait = QUIET if found and sending.done() else limit
                part = await asyncio.wait_for(reader.read(1 << 16), wait)
                found += part
                ended = not part
    except TimeoutError:
        pass
    except OSError:
        ended = True
    seconds = time.monotonic() - start - (0 if ended or not found else QUIET)
    sending.cancel()
    writer.transport.abort()
    return Seen([int(status) for status in ANSWER.findall(found)], seconds, ended)


async def _send(writer: asyncio.StreamWriter, parts, pause: float, eof: bool) -> None:
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)
        if eof:
            writer.write_eof()
    except OSError:
        pass


def crossed(rng: np.random.Generator) -> tuple[str, bytes]:
    """Requests whose length two readers would see differently, with another request in what is left."""
    chunk = b"0\r\n\r\n"
    heads = [
        b"Content-Length: %d\r\nTransfer-Encoding: chunked" % (len(chunk) + len(INNER)),
        b"Transfer-Encoding: chunked\r\nContent-Length: 4",
        b"Content-Length: 0\r\nContent-Length: %d" % len(INNER),
        b"Content-Length: 0, %d" % len(INNER),
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding:\x0bchunked",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: %d" % len(INNER),
        b"Content-Length: -1",
        b"Content-Length: 0x10",
        b"Content-Length : 0",
        b"X: a\nContent-Length: 0",
        b"X: a\rContent-Length: 0",
        b"Transfer-Encoding: chunked\x00",
    ]
    bodies = [
        chunk,
        b"5;a=\nb\r\nhello\r\n0\r\n\r\n",
        b"-1\r\n",
        b"0x0\r\n\r\n",
        b"ffffffffffffffff1\r\n",
        b"0\n\n",
        b"0 \r\n\r\n",
    ]
    head = b"POST " + PREDICT.encode() + b" HTTP/1.1\r\nHost: here\r\n" + one(rng, heads) + b"\r\n\r\n"
    return "HTTP smuggling", head + one(rng, bodies) + INNER


def noise(rng: np.random.Generator) -> tuple[str, bytes]:
    start = one(rng, [b"", HTTP2, b"POST " + PREDICT.encode() + b" HTTP/1.1\r\n", b"\x16\x03\x01"])
    return "raw bytes", start + rng.bytes(int(rng.integers(0, 2000)))


def slow(rng: np.random.Generator, limits: Limits) -> tuple[str, list[bytes], float]:
    """Kind, parts of which one is sent in each 0.2 s, seconds until the server has to end it."""
    head = b"POST " + PREDICT.encode() + b" HTTP/1.1\r\nHost: here\r\n"
    drip = [b"x"] * 600
    if rng.random() < 0.5:
        return "slow headers", [head + b"X: ", *drip], limits.headers
    body = one(rng, [b"Content-Length: 1000\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n{"])
    return "slow bodies", [head + body, *one(rng, [drip, []])], limits.request


async def cut(rng: np.random.Generator, port: int) -> None:
    """A connection that stops anywhere: closed, reset, or left open for a while."""
    whole = one(
        rng, [HTTP2 + bytes(9), b"POST " + PREDICT.encode() + b" HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n{"]
    )
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return
    writer.write(whole[: rng.integers(len(whole) + 1)])
    way = rng.integers(3)
    if way == 0:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif way == 1:
        await asyncio.sleep(rng.uniform(0, 3))
    writer.close()


async def flood(rng: np.random.Generator, ports: dict[str, int], number: int, seconds: float) -> dict[str, int]:
    """So many half-open connections at once, for so long; how many were taken, refused and closed by the server."""
    taken, seen = [], {"taken": 0, "refused": 0, "closed by the server": 0}

    async def connect(port: int, start: bytes) -> None:
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 30)
            writer.write(start)
            taken.append((reader, writer))
        except (OSError, TimeoutError):
            seen["refused"] += 1

    starts = [("gRPC", HTTP2[:20]), ("REST", b"GET /v1/models/default HTTP/1.1\r\nX: "), ("gRPC", HTTP2), ("REST", b"")]
    await asyncio.gather(*(connect(ports[way], start) for way, start in (starts[i % 4] for i in range(number))))
    seen["taken"] = len(taken)
    await asyncio.sleep(seconds)
    for reader, writer in taken:
        seen["closed by the server"] += reader.at_eof() or reader.exception() is not None
        writer.transport.abort()
    return seen
