"""Clients that ask properly, half by gRPC and half by REST, in a process of their own, and compare every image."""

import asyncio
import multiprocessing
import time
from typing import NamedTuple

import numpy as np


class Answer(NamedTuple):
    """One request: when it was sent, how long it took, and what was wrong, if anything."""

    start: float  # of time.monotonic, the same in every process of a machine
    seconds: float
    way: str  # gRPC or REST
    wrong: str  # "", "image" or the error


class Honest:
    """`start`, then `stop` gives every Answer."""

    def __init__(self, grpc: str, rest: str, model: str, right: np.ndarray, classes: int):
        self._given = (grpc, rest, model, right, classes)

    def start(self, clients: int, pause: float, seed: int) -> None:
        """Returns when every client was answered once."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(theirs, *self._given, clients, pause, seed), daemon=True)
        self._process.start()
        if (said := self._pipe.recv()) != "ready":
            raise RuntimeError(f"The honest clients did not start: {said}")

    def stop(self) -> list[Answer]:
        self._pipe.send("stop")
        answers = self._pipe.recv()
        self._process.join()
        return answers


def _main(pipe, *given) -> None:
    try:
        pipe.send(asyncio.run(_run(pipe, *given)))
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")


async def _run(pipe, grpc, rest, model, right, classes, clients, pause, seed) -> list[Answer]:
    answers, done, ready = [], asyncio.Event(), [asyncio.Event() for _ in range(clients)]
    asyncio.get_running_loop().add_reader(pipe.fileno(), done.set)
    given = (answers, done, grpc, rest, model, right, classes, pause)
    work = [asyncio.create_task(_client([seed, number], ready[number], *given)) for number in range(clients)]
    await asyncio.gather(*(one.wait() for one in ready))
    answers.clear()  # the first is slow: connections are made
    pipe.send("ready")
    await asyncio.gather(*work)
    return answers


async def _client(seed, ready, answers, done, grpc, rest, model, right, classes, pause) -> None:
    import served

    rng, way = np.random.default_rng(seed), ("gRPC", "REST")[seed[1] % 2]
    by, address = {"gRPC": (served.by_grpc, grpc), "REST": (served.by_rest, rest)}[way]
    async with by(address) as ask:
        while not done.is_set():
            seeds = rng.integers(0, len(right), rng.integers(1, 5))
            start = time.monotonic()
            try:
                _, images = await ask(model, served.given(seeds, classes))
                wrong = "image" if served.wrong(images, [right], seeds) else ""
            except Exception as error:
                wrong = f"{type(error).__name__}: {str(error)[:200]}"
            answers.append(Answer(start, time.monotonic() - start, way, wrong))
            ready.set()
            await asyncio.sleep(pause * rng.uniform(0.5, 1.5))
