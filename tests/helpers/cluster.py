"""Workers of one training on this machine."""

import json
import socket
from contextlib import ExitStack


def tasks(workers: int) -> list[dict[str, str]]:
    """The environment of each: TF_CONFIG, on free ports."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("localhost", 0))) for _ in range(workers)]
        cluster = {"worker": [f"localhost:{each.getsockname()[1]}" for each in sockets]}
    found = ({"cluster": cluster, "task": {"type": "worker", "index": index}} for index in range(workers))
    return [{"TF_CONFIG": json.dumps(task)} for task in found]
