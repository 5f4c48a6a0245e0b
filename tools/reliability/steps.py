"""Whether a training's memory stays level: 20,000 small steps of the bundled digits.

    python tools/reliability/steps.py [--steps=20000] [--after=2000] [--json=FILE] [--config.KEY=VALUE]

Trains with checkpoints, grids of samples and the log of metrics, as anyone would, and looks at the process's memory
(RSS) and descriptors after `--after` steps, at every twentieth of the rest and at the end. Growth above a megabyte is a
fault: exit code 1.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from absl import flags

from tfdfm import cli

ROOT = Path(__file__).parents[2]
SMALL = {
    "generator.width": 4, "discriminator.width": 4, "denoiser.width": 16, "batch_size": 8, "score_every": 0,
    "steps_per_execution": 1, "log_every": 20, "sample_every": 1000, "checkpoint_every": 1000, "jit": "off",
}  # fmt: skip
MOST = 1.0  # MB


def define(values: flags.FlagValues):
    flags.DEFINE_integer("steps", 20_000, "in all", lower_bound=40, flag_values=values)
    flags.DEFINE_integer("after", 2000, "steps that warm up", lower_bound=1, flag_values=values)
    flags.DEFINE_string("json", None, "file for the results", flag_values=values)


def main(values: flags.FlagValues) -> int:
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "run"
        chosen = SMALL | dict(pair.split("=", 1) for pair in values.overrides)
        given = [f"--config.{key}={value}" for key, value in chosen.items()]
        command = [sys.executable, "-m", "tfdfm.train", "--config=digits", f"--run_dir={run_dir}", *given]
        command.append(f"--steps={values.steps}")
        with (Path(folder) / "out").open("w") as out:
            process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)
        seen = watch(process, run_dir / "metrics.jsonl")
        if process.wait():
            print((Path(folder) / "out").read_text()[-2000:])
            return 1
    return report(seen, values.after, values.steps, values.json)


def watch(process: subprocess.Popen, log: Path) -> list[tuple[int, float, int]]:
    """(step, MB, descriptors), a few times a second while it trains."""
    seen, watched = [], psutil.Process(process.pid)
    while process.poll() is None:
        time.sleep(0.1)
        try:
            size, descriptors = watched.memory_info().rss / 1e6, watched.num_fds()
        except psutil.Error:
            break
        if (step := _step(log)) and size:
            seen.append((step, size, descriptors))
    return seen


def _step(log: Path) -> int:
    """The last one in the log, whose last line may be cut."""
    lines = log.read_bytes()[-4096:].splitlines() if log.exists() else []
    for line in reversed(lines):
        try:
            return json.loads(line).get("step", 0)
        except ValueError:
            pass
    return 0


def report(seen: list[tuple[int, float, int]], after: int, steps: int, path: str | None) -> int:
    """Prints the medians of twentieths; the exit code."""
    part = (steps - after) / 20
    rows = []
    for place in range(20):
        inside = [one for one in seen if after + place * part <= one[0] < after + (place + 1) * part]
        if inside:
            rows.append([statistics.median(column) for column in zip(*inside, strict=True)])
    print("step        MB  descriptors")
    for step, size, descriptors in rows:
        print(f"{step:6.0f}{size:9.2f}{descriptors:10.0f}")
    early, late = rows[: len(rows) // 4 or 1], rows[len(rows) // 2 :]
    grown = max(row[1] for row in late) - max(row[1] for row in early)  # the system takes idle pages now and then
    print(f"most after the middle, beside the first quarter: {grown:+.2f} MB")
    if path:
        Path(path).write_text(json.dumps({"rows": rows, "grown": grown}) + "\n")
    return 1 if grown > MOST else 0


if __name__ == "__main__":
    cli.run(main, define, __doc__)
