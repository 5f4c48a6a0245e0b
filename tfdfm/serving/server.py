"""The embedded server: one process, one event loop for gRPC and REST, TensorFlow in threads."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import grpc
import tensorflow as tf
from aiohttp import web
from google.protobuf.message import Message
from tensorflow_serving.config import model_server_config_pb2

from tfdfm.errors import Failure, UsageError
from tfdfm.serving import config_messages, security
from tfdfm.serving.core import ServerCore
from tfdfm.serving.grpc import health, services
from tfdfm.serving.models import batching
from tfdfm.serving.models.manager import ModelManager
from tfdfm.serving.models.saved_model import DEFAULTS, LoadOptions
from tfdfm.serving.prometheus import PATH, ServingMetrics
from tfdfm.serving.status import StatusError

OFF, ANY = 0, -1  # ports
GRPC = {  # a flag, --grpc_channel_arguments, sets others
    "grpc.so_reuseport": 0,
    "grpc.max_allowed_incoming_connections": 1000,
    "grpc.server_handshake_timeout_ms": 10_000,  # in which a connection has to say that it speaks HTTP/2
}
_THREADS = 32
_GRACE = 5.0  # seconds for answers to leave after the last request is done
_PATIENCE = 25.0  # seconds from a signal to stop until what is still under way is given up: Kubernetes kills after 30


@dataclass(frozen=True)
class Options:
    """Of one server; the flags of tfdfm.serve say what each means."""

    config: model_server_config_pb2.ModelServerConfig
    host: str = "127.0.0.1"
    port: int = 8500
    socket_path: str = ""
    rest_port: int = 8501
    rest_timeout_ms: int = 30_000
    rest_header_ms: int = 10_000
    rest_connections: int = 1000
    cors: bool = False
    max_bytes: int = 64 << 20
    queue_options: batching.QueueOptions = field(default_factory=batching.QueueOptions)
    poll_seconds: float = 1.0
    config_file: str = ""
    config_poll_seconds: float = 0.0
    early_labels: bool = False
    health: bool = True
    metrics_path: str | None = PATH
    channel_arguments: tuple[tuple[str, str | int], ...] = ()
    ssl: Message | None = None  # SSLConfig
    rest_tls: bool = False
    token_file: str = ""
    load: LoadOptions = DEFAULTS
    as_content: bool = False


class Server:
    """`start`, then `line` says where; `stop` answers what is under way."""

    def __init__(self, options: Options):
        self._options, self._config = options, options.config
        self.metrics = ServingMetrics(lambda name: name in self.manager.models)
        self.manager = ModelManager(self.metrics.run, options.early_labels, options.load)
        self._executor = ThreadPoolExecutor(_THREADS, "run")
        self.core = ServerCore(self.manager, options.queue_options, self._executor)
        self._tokens = security.Tokens(options.token_file) if options.token_file else None
        self._tasks: list[asyncio.Task] = []
        self._health = health.Health(services.SERVICES)
        self._rest: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self.ports: dict[str, int] = {}

    async def start(self) -> None:
        """Loads the models, then opens the ports. Raises UsageError, Failure."""
        try:
            await self.manager.configure(self._options.config)
        except StatusError as error:
            kind = UsageError if error.code == grpc.StatusCode.INVALID_ARGUMENT else Failure
            raise kind(error.message) from None
        self._grpc = self._make_grpc()
        await self._grpc.start()
        await self._start_rest()
        await self._health.start()
        polled = [(self._options.poll_seconds, self.manager.look)]
        if self._options.config_file:
            polled.append((self._options.config_poll_seconds, self._reread))
        self._tasks = [asyncio.create_task(_poll(seconds, work)) for seconds, work in polled if seconds > 0]

    def _make_grpc(self) -> grpc.aio.Server:
        options = self._options
        arguments = GRPC | {"grpc.max_receive_message_length": options.max_bytes} | dict(options.channel_arguments)
        checks = [security.Interceptor(self._tokens)] if self._tokens else []
        server = grpc.aio.server(interceptors=checks, options=list(arguments.items()))
        services.add(server, self.core, self.manager, self.metrics, as_content=options.as_content)
        if options.health:
            health.add(server, self._health)
        if options.port != OFF:
            self.ports["gRPC"] = _bind(server, _address(options.host, options.port), options.ssl)
        if options.socket_path:
            _bind(server, f"unix:{os.path.abspath(options.socket_path)}", options.ssl)
        return server

    async def _start_rest(self) -> None:
        options = self._options
        if options.rest_port == OFF:
            return
        from tfdfm.serving.http import connections, router

        limits = connections.Connections(options.rest_connections, options.rest_header_ms / 1000)
        app = router.application(
            self.core,
            self.metrics,
            timeout_ms=options.rest_timeout_ms,
            max_body=options.max_bytes,
            metrics_path=options.metrics_path,
            cors=options.cors,
            middlewares=[limits.middleware(), *([security.middleware(self._tokens)] if self._tokens else [])],
        )
        how = {"shutdown_timeout": _GRACE, "keepalive_timeout": connections.KEEP_ALIVE}
        self._rest = web.AppRunner(app, access_log=None, **how)
        await self._rest.setup()
        port, tls = max(options.rest_port, 0), security.context(options.ssl) if options.rest_tls else None
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                lambda: limits.protocol(self._rest.server), options.host, port, ssl=tls, backlog=128
            )
        except OSError as error:
            raise Failure(f"Cannot listen on port {port} for REST: {error.strerror}.") from None
        self.ports["REST"] = self._listener.sockets[0].getsockname()[1]

    async def _reread(self) -> None:
        config = await asyncio.to_thread(
            config_messages.read, self._options.config_file, config_messages.ModelServerConfig
        )
        if config != self._config:
            self._config = config
            await self.manager.configure(config)

    def line(self) -> str:
        """What is served and where."""
        models = self.manager.models.items()
        names = ", ".join(f"{name} version {max(stream.available())}" for name, stream in models)
        kinds = {"gRPC": "gRPC ", "REST": "REST https://" if self._options.rest_tls else "REST http://"}
        where = [kinds[kind] + _address(self._options.host, port) for kind, port in self.ports.items()]
        if self._options.socket_path:
            where.append(f"gRPC unix:{self._options.socket_path}")
        return f"Serving {names}: {', '.join(where)}"

    async def stop(self) -> None:
        """Health first, then no new requests, then the answers of those under way, then the ports."""
        await self._health.enter_graceful_shutdown()
        for task in self._tasks:
            task.cancel()
        await self.manager.drain()
        self._health.over.set()
        await self._grpc.stop(_GRACE)
        if self._listener:
            self._listener.close()
            await self._rest.cleanup()
        await self.manager.close()
        self._executor.shutdown()


async def _poll(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except (StatusError, UsageError, OSError) as error:
            logging.error("The models stay as they are: %s", error)
        except Exception:
            logging.exception("The models stay as they are")


def serve(options: Options) -> None:
    """Until SIGTERM or SIGINT and the answers to what is under way; a second signal or 25 seconds end it as it is, with
    exit code 1. Raises UsageError, Failure."""
    tf.get_logger().setLevel("ERROR")  # the loader says at every call that it is of TF1
    gc.freeze()  # what is imported stays: collections after it take 1 ms, not 300
    _run(_serve(Server(options)))


def _run(main: Coroutine) -> None:
    """On uvloop, or on asyncio's own loop where there is none (Windows)."""
    try:
        from uvloop import run
    except ImportError:
        from asyncio import run
    run(main)


def _on_signals(call: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for kind in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(kind, call)
        except NotImplementedError:  # Windows
            signal.signal(kind, lambda *_: loop.call_soon_threadsafe(call))


async def _serve(server: Server) -> None:
    stop = asyncio.Event()
    _on_signals(stop.set)
    await server.start()
    print(server.line(), flush=True)
    await stop.wait()
    logging.info("Stopping: requests under way are answered, new ones are not.")
    stop.clear()
    ways = [asyncio.create_task(server.stop()), asyncio.create_task(stop.wait())]
    await asyncio.wait(ways, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    if not ways[0].done():
        logging.error("Requests under way are given up.")
        os._exit(1)  # TensorFlow's threads would keep the process
    await ways[0]


def _address(host: str, port: int) -> str:
    return f"[{host}]:{max(port, 0)}" if ":" in host else f"{host}:{max(port, 0)}"


def _bind(server: grpc.aio.Server, address: str, ssl: Message | None) -> int:
    """The port. Raises Failure."""
    try:
        return server.add_secure_port(address, security.credentials(ssl)) if ssl else server.add_insecure_port(address)
    except RuntimeError:
        reason = "is the key or certificate damaged, or the port taken?" if ssl else "is the port taken?"
        raise Failure(f"Cannot listen on {address} for gRPC: {reason}") from None
