"""Hostile requests by gRPC and REST against a server, while honest clients ask beside them and compare every image.

    python tools/reliability/fuzz.py [--model=DIR] [--num=10000] [--seed=0] [--sockets=2000] [--clients=32] [--only=N]

Starts `python -m tfdfm.serve` on an export, by default a small one that it makes. Request N is a function of the seed
and N: --only=N sends that one alone. Faults: an answer 5xx, INTERNAL or UNKNOWN (or any other that its kind does not
allow), a slow connection that is not ended in time, a second answer to a smuggled request, an honest client's image
that is wrong or request that fails, a traceback in the server's log, a server that died. Any makes the exit code 1.
How late the honest clients were, alone and beside the others, is told, not judged: clients, fuzzer and server share
this machine's cores.
"""

import asyncio
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import fuzz_grpc
import fuzz_raw
import fuzz_rest
import numpy as np
import served
from absl import flags
from fuzz_report import report, split
from honest import Honest

from tfdfm import cli

AT_ONCE, SLOW_AT_ONCE = 16, 150
GROUPS = ("grpc", "rest", "raw")
SHARES = (0.45, 0.43, 0.12)


def define(values: flags.FlagValues):
    flags.DEFINE_string("model", None, "an export: the folder of its versions", flag_values=values)
    flags.DEFINE_integer("num", 10_000, "hostile requests", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "of the requests", lower_bound=0, flag_values=values)
    flags.DEFINE_integer("sockets", 2000, "half-open at once, after a third of the requests", flag_values=values)
    flags.DEFINE_integer("clients", 32, "that are honest", lower_bound=2, flag_values=values)
    flags.DEFINE_float("pause", 0.25, "seconds between an honest client's requests", flag_values=values)
    flags.DEFINE_float("alone", 20.0, "seconds of the honest clients alone, before and after", flag_values=values)
    flags.DEFINE_float("limit", 10.0, "seconds that a REST request may take, a third for headers", flag_values=values)
    flags.DEFINE_float("minutes", 60.0, "after which no more are sent", lower_bound=0, flag_values=values)
    flags.DEFINE_integer("only", None, "this request alone", flag_values=values)
    flags.DEFINE_string("json", None, "file for the results", flag_values=values)


def main(values: flags.FlagValues) -> int:
    with tempfile.TemporaryDirectory() as folder:
        version = _newest(Path(values.model)) if values.model else served.export(Path(folder) / "made")
        limits = fuzz_raw.Limits(values.limit / 3, values.limit)
        told = [f"--rest_api_header_timeout_in_ms={1000 * limits.headers:.0f}"]
        told.append(f"--rest_api_timeout_in_ms={1000 * limits.request:.0f}")
        with served.server(f"--model_base_path={version.parent}", *told) as server:
            fuzzer = Fuzzer(server, values.seed, limits)
            honest = Honest(server.grpc, server.rest, "default", served.images(version), served.classes(version))
            honest.start(values.clients, values.pause, values.seed)
            moments = [time.monotonic()]
            time.sleep(values.alone)
            moments.append(time.monotonic())
            numbers = range(values.num) if values.only is None else [values.only]
            asyncio.run(fuzzer.run(numbers, values.sockets, 60 * values.minutes))
            moments.append(time.monotonic())
            time.sleep(values.alone)
            answers = honest.stop()
            fuzzer.end()
    return report(fuzzer, split(answers, moments), values.json)


def _newest(model: Path) -> Path:
    return max((path for path in model.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name))


class Fuzzer:
    """`run`, then `end`: the codes that came of each kind, the worst seconds, the faults, the server's sizes."""

    def __init__(self, server: served.Process, seed: int, limits: fuzz_raw.Limits):
        self.server, self.seed, self._limits = server, seed, limits
        self.ports = {"gRPC": int(server.grpc.rpartition(":")[2]), "REST": int(server.rest.rpartition(":")[2])}
        self.codes, self.worst = defaultdict(Counter), defaultdict(float)
        self.faults, self.sizes, self.flood, self.flooded = Counter(), [server.size()], {}, False
        self.number, self.over = 0, False

    async def run(self, numbers, sockets: int, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.sender = fuzz_grpc.Sender(self.server.grpc)
        waiting = (number for number in numbers if time.monotonic() < end)
        self.slow: set[asyncio.Task] = set()
        watching = asyncio.create_task(self._watch())
        flooding = asyncio.create_task(self._flood(numbers, sockets))
        await asyncio.gather(*(self._work(waiting) for _ in range(AT_ONCE)))
        self.over = True
        await asyncio.gather(flooding, *self.slow)
        watching.cancel()
        await self.sender.close()

    async def _work(self, numbers) -> None:
        for number in numbers:
            self.number = number
            rng = np.random.default_rng([self.seed, number])
            group = rng.choice(GROUPS, p=SHARES)
            await getattr(self, f"_{group}")(rng, number)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            self.sizes.append(self.server.size())

    async def _flood(self, numbers, sockets: int) -> None:
        while self.number < numbers[len(numbers) // 3] and not self.over:
            await asyncio.sleep(0.05)
        if sockets:
            self.flooded = True
            self.flood = await fuzz_raw.flood(np.random.default_rng(self.seed), self.ports, sockets, 4.0)
            self.flooded = False

    async def _grpc(self, rng: np.random.Generator, number: int) -> None:
        case = _draw(rng, fuzz_grpc.WEIGHTS)(rng)
        start = time.monotonic()
        code, good = await self.sender.send(case, number)
        self._note(f"gRPC {case.kind}", code, time.monotonic() - start, good, number)

    async def _rest(self, rng: np.random.Generator, number: int) -> None:
        case = _draw(rng, fuzz_rest.WEIGHTS)(rng)
        eof = not case.good and rng.random() < 0.1  # aiohttp hangs up where a client says that it sends no more
        seen = await fuzz_raw.exchange(self.ports["REST"], case.parts, eof=eof)
        code = seen.answers[-1] if seen.answers else "closed" if seen.ended else "none"
        good = len(seen.answers) <= case.answers and code != "none" and not (isinstance(code, int) and code >= 500)
        if case.good and not self.flooded:
            good = code == 200
        self._note(f"REST {case.kind}", str(code), seen.seconds, good, number)

    async def _raw(self, rng: np.random.Generator, number: int) -> None:
        how, way = rng.integers(4), ("gRPC", "REST")[rng.integers(2)]
        if how < 2:
            kind, sent = (fuzz_raw.crossed, fuzz_raw.noise)[how](rng)
            way = "REST" if how == 0 else way
            seen = await fuzz_raw.exchange(self.ports[way], [sent], limit=30, eof=bool(how))
            good = not any(status >= 500 for status in seen.answers) and (how or len(seen.answers) <= 1)
            code = "closed" if not seen.answers else "+".join(map(str, seen.answers))
            self._note(f"{way} {kind}", code, seen.seconds, good, number)
        elif how == 2:
            self._later(self._cut(rng, way, number))
        else:
            self._later(self._slow(rng, number))
        while len(self.slow) >= SLOW_AT_ONCE:
            await asyncio.sleep(0.1)

    def _later(self, work) -> None:
        task = asyncio.create_task(work)
        self.slow.add(task)
        task.add_done_callback(self.slow.discard)

    async def _cut(self, rng: np.random.Generator, way: str, number: int) -> None:
        await fuzz_raw.cut(rng, self.ports[way])
        self._note(f"{way} half-open", "-", 0, True, number)

    async def _slow(self, rng: np.random.Generator, number: int) -> None:
        kind, parts, limit = fuzz_raw.slow(rng, self._limits)
        seen = await fuzz_raw.exchange(self.ports["REST"], parts, pause=0.2, limit=limit + self._limits.slack)
        good = (seen.ended or 504 in seen.answers) and all(status < 500 or status == 504 for status in seen.answers)
        self._note(f"REST {kind}", "+".join(map(str, seen.answers)) or "closed", seen.seconds, good, number)

    def _note(self, kind: str, code: str, seconds: float, good: bool, number: int) -> None:
        self.codes[kind][code] += 1
        self.worst[kind] = max(self.worst[kind], seconds)
        if not good:
            self.faults[f"{kind}: {code}"] += 1
            if self.faults[f"{kind}: {code}"] <= 3:
                print(f"request {number}, {kind}: {code} after {seconds:.1f} s", flush=True)

    def end(self) -> None:
        """Looks at the server once more: alive, its size, its log."""
        self.sizes.append(self.server.size() if self.server.alive() else (0.0, 0, 0))
        if not self.server.alive():
            self.faults["the server died"] += 1
        if "Traceback" in (log := self.server.log):
            self.faults["tracebacks in the log"] = log.count("Traceback")
            print(log[log.index("Traceback") :][:3000])


def _draw(rng: np.random.Generator, weights: dict):
    values = np.array(list(weights.values()), float)
    return list(weights)[rng.choice(len(weights), p=values / values.sum())]


if __name__ == "__main__":
    cli.run(main, define, __doc__)
