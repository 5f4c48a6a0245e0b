"""A server under load for an hour, while what it serves changes: nothing may fail, nothing may grow.

    python tools/reliability/soak.py [--minutes=60] [--every=20] [--clients=8] [--pause=0.05] [--json=FILE]

Each round, `every` seconds, publishes a version of `moving` (latest), moves the labels of `labelled` to new versions
while the old ones go, adds or takes away `extra`, and publishes a version of `stuck`, on whose first version a request
hangs from the start to the end. The configuration changes by ReloadConfig and by the polled file, in turn. Clients,
half by gRPC and half by REST, compare every image with the model's own. A request that fails, an image that is wrong, a
version that is not served as told, a traceback in the server's log or growth is a fault: exit code 1.
"""

import asyncio
import contextlib
import json
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

import grpc
import numpy as np
import served
from absl import flags
from published import Made, Operator
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tfdfm import cli
from tfdfm.serving.models import tensors

WARM = 10.0  # minutes; a shorter soak has not warmed up and is not judged by its size
STUCK = 6.0  # seconds between versions of `stuck`: the server waits five for the memory of one that was retired
LATE = 30.0  # seconds until a change is served
MEMORY, DESCRIPTORS = 32.0, 16  # MiB and descriptors by which the end may be above the time after the first fifth
AVAILABLE = get_model_status_pb2.ModelVersionStatus.AVAILABLE


def define(values: flags.FlagValues):
    flags.DEFINE_float("minutes", 60.0, "of load", lower_bound=0.01, flag_values=values)
    flags.DEFINE_float("every", 20.0, "seconds from one version to the next", lower_bound=0.5, flag_values=values)
    flags.DEFINE_integer("clients", 8, "half by gRPC, half by REST", lower_bound=2, flag_values=values)
    flags.DEFINE_float("pause", 0.05, "seconds between a client's requests", lower_bound=0, flag_values=values)
    flags.DEFINE_string("json", None, "file for the results", flag_values=values)


def main(values: flags.FlagValues) -> int:
    with tempfile.TemporaryDirectory() as folder:
        made = Made(Path(folder))
        operator = Operator(made, Path(folder) / "models")
        flags = [f"--model_config_file={operator.file}", "--model_config_file_poll_wait_seconds=0.5"]
        with served.server(*flags, "--file_system_poll_wait_seconds=0.5") as server:
            soak = Soak(server, operator, values)
            asyncio.run(soak.run())
            log = server.log
    if "Traceback" in log:
        soak.faults["a traceback in the log"] += 1
        print(log[log.index("Traceback") :][:4000])
    return soak.report(values.json)


class Soak:
    """`run`, then `report`."""

    def __init__(self, server: served.Process, operator: Operator, values: flags.FlagValues):
        self.server, self.operator, self.values = server, operator, values
        self.faults, self.answers, self.seconds = Counter(), Counter(), []
        self.series: list[tuple[float, ...]] = []  # minute, MiB, descriptors, threads
        self.changes: dict[str, list[float]] = {}  # seconds until each was served
        self.lowest, self.stable, self.asking = 1, 1, 0  # the lowest versions that may answer; who asks `extra`
        self.done = asyncio.Event()
        self.extra = False  # whether `extra` may be asked

    def fault(self, what: str) -> None:
        self.faults[what] += 1
        if self.faults[what] <= 3:
            print(f"{self._minute():.2f} min: {what}", flush=True)

    def _minute(self) -> float:
        return (time.monotonic() - self.start) / 60

    async def run(self) -> None:
        self.start = time.monotonic()
        async with grpc.aio.insecure_channel(self.server.grpc) as channel:
            self.models = model_service_pb2_grpc.ModelServiceStub(channel)
            prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            gate = self.operator.root / "gate"
            stuck = asyncio.create_task(self._stuck(prediction, gate))
            clients = [asyncio.create_task(self._client(number)) for number in range(self.values.clients)]
            watching = asyncio.create_task(self._watch())
            await self._change()
            self.done.set()
            await asyncio.gather(*clients, watching)
            if stuck.done():
                self.fault("the stuck request did not stay so")
            gate.touch()
            await stuck

    async def _stuck(self, stub, gate: Path) -> None:
        request = predict_pb2.PredictRequest(model_spec={"name": "stuck"})
        tensors.fill(request.inputs["x"], np.float32([5]))
        tensors.fill(request.inputs["gate"], np.array([str(gate).encode()], object))
        answer = await stub.Predict(request, wait_for_ready=True)
        if answer.model_spec.version.value != 1 or tensors.array(answer.outputs["y"]) != [5]:
            self.fault("the stuck request was answered wrongly")

    async def _watch(self) -> None:
        while not self.done.is_set():
            self.series.append((self._minute(), *self.server.size()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.done.wait(), min(30, self.values.minutes * 2))
        self.series.append((self._minute(), *self.server.size()))

    async def _client(self, number: int) -> None:
        rng = np.random.default_rng(number)
        async with (served.by_grpc, served.by_rest)[number % 2](self.server) as ask:
            while not self.done.is_set():
                seeds = rng.integers(0, served.SEEDS, rng.integers(1, 5))
                model, label = [("moving", ""), ("labelled", "stable"), ("labelled", "canary"), ("extra", "")][
                    rng.integers(0, 4 if self.extra else 3)
                ]
                await self._ask(ask, model, label, seeds)
                await asyncio.sleep(self.values.pause)

    async def _ask(self, ask: served.Ask, model: str, label: str, seeds: np.ndarray) -> None:
        lowest, start = self._lowest(model, label), time.perf_counter()
        self.asking += model == "extra"
        try:
            version, images = await ask(model, served.given(seeds, served.CLASSES), label)
        except Exception as error:
            said = error.details() if isinstance(error, grpc.RpcError) else str(error)
            return self.fault(f"a request to {model} {label} failed: {type(error).__name__}: {said[:200]}")
        finally:
            self.asking -= model == "extra"
            self.seconds.append(time.perf_counter() - start)
        self.answers[model, label, "REST" if version is None else "gRPC"] += 1
        if served.wrong(images, self.operator.made.right(version), seeds):
            self.fault(f"an image of {model} {label} version {version} is wrong")
        if version is not None and not lowest <= version <= self._highest(model, label):
            self.fault(f"{model} {label} answered with version {version}, not from {lowest} on")

    def _lowest(self, model: str, label: str) -> int:
        return {"moving": self.lowest, "labelled": self.stable + (label == "canary")}.get(model, 1)

    def _highest(self, model: str, label: str) -> int:
        highest = {"moving": self.operator.moving, "labelled": self.operator.labels + (label == "canary")}
        return highest.get(model, 1)

    async def _change(self) -> None:
        end, number, stuck = self.start + 60 * self.values.minutes, 0, time.monotonic()
        while time.monotonic() < end:
            after, number = time.monotonic() + self.values.every, number + 1
            await self._move()
            await self._configure(number)
            if time.monotonic() - stuck > STUCK:
                stuck = time.monotonic()
                await self._beside_the_stuck()
            await asyncio.sleep(max(0, min(after, end) - time.monotonic()))

    async def _move(self) -> None:
        self.operator.moving += 1
        new = self.operator.moving
        self.operator.publish("moving", new)
        await self._until("moving", lambda: self._serves("moving", {new}))
        self.lowest = new

    async def _configure(self, number: int) -> None:
        """Labels go on by one version, `extra` comes or goes; by ReloadConfig or the file."""
        operator = self.operator
        operator.publish("labelled", operator.labels + 2)
        operator.labels, operator.extra, self.extra = operator.labels + 1, not operator.extra, False
        while self.asking:
            await asyncio.sleep(0.01)  # who still asks `extra`
        if number % 2:
            asked = model_management_pb2.ReloadConfigRequest(config=operator.config())
            answer = await self.models.HandleReloadConfigRequest(asked, timeout=LATE)
            if answer.status.error_code:
                self.fault(f"ReloadConfig failed: {answer.status.error_message}")
        else:
            operator.write()
        await self._until("labelled", lambda: self._serves("labelled", {operator.labels, operator.labels + 1}))
        await self._until("extra", lambda: self._serves("extra", {1} if operator.extra else set()))
        await self._until("labels", self._labels_moved)
        self.stable, self.extra = operator.labels, operator.extra

    async def _labels_moved(self) -> bool:
        async with served.by_grpc(self.server) as ask:
            version, _ = await ask("labelled", served.given(np.arange(1), served.CLASSES), "stable")
        return version == self.operator.labels

    async def _beside_the_stuck(self) -> None:
        self.operator.stuck += 1
        new = self.operator.stuck
        self.operator.publish("stuck", new)
        await self._until("beside a stuck request", lambda: self._serves("stuck", {new}))

    async def _until(self, what: str, condition) -> None:
        start = time.monotonic()
        while not await condition():
            if time.monotonic() - start > LATE:
                return self.fault(f"{what}: not served as told within {LATE:g} s")
            await asyncio.sleep(0.05)
        self.changes.setdefault(what, []).append(time.monotonic() - start)

    async def _serves(self, model: str, versions: set[int]) -> bool:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": model})
        try:
            found = (await self.models.GetModelStatus(request, timeout=LATE)).model_version_status
        except grpc.RpcError as error:
            return not versions and error.code() == grpc.StatusCode.NOT_FOUND
        return {one.version for one in found if one.state == AVAILABLE} == versions

    def report(self, path: str | None) -> int:
        """Prints what was seen; the exit code."""
        for name in ("MiB", "descriptors"):
            self._level(name)
        print("minute     MiB  descriptors  threads")
        for minute, size, descriptors, threads in self.series:
            print(f"{minute:6.1f}{size:8.1f}{descriptors:13}{threads:9}")
        for what, seconds in self.changes.items():
            print(f"{what}: {len(seconds)} changes, served after {statistics.median(seconds):.2f} s, "
                  f"at most {max(seconds):.2f}")  # fmt: skip
        for (model, label, way), count in sorted(self.answers.items()):
            print(f"{count} right answers by {way} from {model} {label}")
        times = sorted(self.seconds)
        quantiles = {share: 1e3 * times[int(share * (len(times) - 1))] for share in (0.5, 0.99, 1)}
        print("ms: " + ", ".join(f"{share:.0%} {value:.1f}" for share, value in quantiles.items()))
        print(f"faults: {dict(self.faults) or 'none'}")
        if path:
            found = {"series": self.series, "changes": self.changes, "ms": quantiles, "faults": self.faults}
            Path(path).write_text(json.dumps(found | {"answers": sum(self.answers.values())}) + "\n")
        return 1 if self.faults else 0

    def _level(self, name: str) -> None:
        """A fault if the last fifth is above the second: the first warms up."""
        column, most = {"MiB": (1, MEMORY), "descriptors": (2, DESCRIPTORS)}[name]
        values, fifth = [one[column] for one in self.series], max(1, len(self.series) // 5)
        before, after = statistics.median(values[fifth : 2 * fifth] or values), statistics.median(values[-fifth:])
        print(f"{name}: {before:.1f} in the second fifth, {after:.1f} in the last")
        if after - before > most and self.values.minutes >= WARM:
            self.faults[f"{name} grew from {before:.1f} to {after:.1f}"] += 1


if __name__ == "__main__":
    cli.run(main, define, __doc__)
