"""A whole server in this process, on an event loop of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tensorflow_serving.config import model_server_config_pb2

from tfdfm.serving import server


def config(**models: Path) -> model_server_config_pb2.ModelServerConfig:
    """Of models by name and base path."""
    made = model_server_config_pb2.ModelServerConfig()
    for name, path in models.items():
        made.model_config_list.config.add(name=name, base_path=str(path), model_platform="tensorflow")
    return made


@contextmanager
def serving(options: server.Options) -> Iterator[server.Server]:
    """Ready when entered, ended when left."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    running = server.Server(options)
    try:
        asyncio.run_coroutine_threadsafe(running.start(), loop).result(60)
        yield running
    finally:
        asyncio.run_coroutine_threadsafe(running.stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
