"""The manifests for Kubernetes and the scripts for Slurm in examples/: held to the commands, run as processes here."""

import contextlib
import importlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import commands
import pytest
import yaml

from tfdfm import cli, recipes
from tfdfm.runs import metrics_log

EXAMPLES = Path(__file__).parents[1] / "examples"
MANIFESTS = sorted(path for path in (EXAMPLES / "kubernetes").glob("*.yaml") if path.stem != "storage")
SCRIPTS = sorted((EXAMPLES / "slurm").glob("*.sh"))
RECIPE = """
from tfdfm.recipes import defaults

def get_config():
    config = defaults()
    config.update(dataset="digits", latent_size=8, batch_size=8, steps=40, jit="off", batch_norm="frozen")
    config.update(log_every=1, checkpoint_every=4, sample_every=100)
    config.generator.width = config.discriminator.width = 4
    config.denoiser.update(depth=1, width=16)
    return config
"""


def job(path: Path) -> dict:
    (found,) = [each for each in yaml.safe_load_all(path.read_text()) if each["kind"] == "Job"]
    return found["spec"]


def container(path: Path) -> dict:
    return job(path)["template"]["spec"]["containers"][0]


def command(path: Path, index: int) -> list[str]:
    """What a pod or task runs, as far as a shell is not asked: module and flags."""
    if path.suffix == ".sh":
        line = re.search(r"python -m (.*?) (?:\"\$@\"|$)", path.read_text(), re.MULTILINE)[1]
        line = line.replace("$SLURM_ARRAY_TASK_ID", str(index)).replace("$runs", "runs").replace("$0", "runs")
        return shlex.split(line)
    args = container(path)["args"]
    words = shlex.split(args[0])[-3:] if len(args) == 1 else args
    return [word.replace("$(JOB_COMPLETION_INDEX)", str(index)) for word in words]


def count(path: Path) -> int:
    """Pods or tasks."""
    if path.suffix == ".yaml":
        return job(path)["completions"]
    array = re.search(r"--array=0-(\d+)", path.read_text())
    return int(array[1]) + 1 if array else int(re.search(r"--nodes=(\d+)", path.read_text())[1])


@pytest.mark.parametrize("path", [*MANIFESTS, *SCRIPTS], ids=lambda path: path.name)
def test_commands_take_these_flags(path):
    for index in (0, count(path) - 1):
        module, *flags = command(path, index)
        made = importlib.import_module(module)
        values = cli.parse(["", *flags], made.define, "")
        if path.stem == "evaluate":
            assert values.shard == f"{index}/{count(path)}"
        if path.stem == "splits":
            assert values.splits == [str(index)] and recipes.recipe(values.config).class_splits == count(path)
        if path.stem == "seeds":
            assert values.overrides == [f"seed={index}"] and values.run_dir.endswith(f"-seed{index}")


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_every_job_is_indexed_saves_when_told_to_stop_and_does_not_repeat_a_mistake(path):
    spec, storage = job(path), yaml.safe_load((EXAMPLES / "kubernetes" / "storage.yaml").read_text())
    pod = spec["template"]["spec"]
    assert spec["completionMode"] == "Indexed" and spec["parallelism"] <= spec["completions"]
    assert pod["restartPolicy"] == "Never" and pod["terminationGracePeriodSeconds"] >= 60
    rule = spec["podFailurePolicy"]["rules"][0]
    assert rule["action"] == "FailIndex" and rule["onExitCodes"]["values"] == [2]  # cli's code of a UsageError
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == storage["metadata"]["name"]
    mount = pod["containers"][0]["volumeMounts"][0]["mountPath"]
    assert all(each["value"].startswith(mount) for each in pod["containers"][0]["env"])
    assert f"-f {path.name}" in path.read_text()


@pytest.fixture
def here(tmp_path):
    """Shims of what a cluster has, first on the PATH; `calls` has what scontrol was told."""
    (tmp_path / "toy.py").write_text(RECIPE)
    shims = {
        "python": f'exec {sys.executable} "$@"',
        "scontrol": f'echo "$@" >> {tmp_path}/calls; [ "$1" = show ] && printf "one\\ntwo\\n"; true',
        "srun": 'for i in 0 1; do SLURM_PROCID=$i "$@" & done; wait',
    }
    (tmp_path / "bin").mkdir()
    for name, text in shims.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


@contextlib.contextmanager
def started(here: Path, words: list[str], **environment):
    path = f"{here / 'bin'}{os.pathsep}{os.environ['PATH']}"
    with open(here / "log", "ab") as log:
        made = subprocess.Popen(
            words,
            cwd=here,
            env=os.environ | {"PATH": path} | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(made.pid, signal.SIGKILL)
        made.wait()


def saved(run_dir: Path, *processes) -> None:
    """Waits for a checkpoint."""
    end = time.monotonic() + 240
    while not list(run_dir.glob("checkpoints/0*")):
        assert time.monotonic() < end and all(process.poll() is None for process in processes)
        time.sleep(0.05)


def pod(path: Path, here: Path, **replaced) -> list[str]:
    """A pod's command on this machine: its volume is a folder, its recipe a toy."""
    made = [*container(path)["command"], *container(path)["args"]]
    replaced |= {"--config=cifar10_quick": f"--config={here}/toy.py", "/tfdfm/": f"{here}/"}
    for old, new in replaced.items():
        made = [word.replace(old, new) for word in made]
    return made


def test_a_pod_trains_its_seed(here):
    words = pod(EXAMPLES / "kubernetes" / "seeds.yaml", here, **{"$(JOB_COMPLETION_INDEX)": "3"})
    with started(here, [*words, "--config.steps=3"]) as process:
        assert process.wait(240) == 0, (here / "log").read_text()
    assert recipes.read(here / "runs" / "cifar10_quick-seed3" / "config.json").seed == 3
    with started(here, [*words, "--config.seeed=1"]) as process:
        assert process.wait(60) == 2  # fails its index for good


def test_a_task_is_queued_again_and_goes_on(here):
    words = ["bash", EXAMPLES / "slurm" / "seeds.sh", f"--config={here}/toy.py"]
    slurm = {"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_JOB_ID": "71"}
    run_dir = here / "runs" / "cifar10_quick-seed2"
    with started(here, [*words, "--config.steps=100000"], **slurm) as process:
        saved(run_dir, process)
        process.terminate()
        assert process.wait(60) == 0, (here / "log").read_text()
    assert (here / "calls").read_text() == "requeue 71_2\n" and "Stopped by SIGTERM" in (here / "log").read_text()
    step = commands.lines(run_dir)[-1]["step"]
    with started(here, [*words, f"--config.steps={step + 2}"], **slurm) as process:
        assert process.wait(240) == 2  # only grows
    with started(here, [*words, "--config.steps=100001"], **slurm) as process:
        end = time.monotonic() + 240
        while metrics_log.read(run_dir / "metrics.jsonl")[-1]["step"] <= step:
            assert process.poll() is None and time.monotonic() < end, (here / "log").read_text()
            time.sleep(0.05)
    assert [row["step"] for row in commands.lines(run_dir)][: step + 1] == list(range(1, step + 2))


def test_slurm_tells_workers_of_each_other(here):
    (here / "bin" / "python").write_text('#!/bin/bash\necho "$TF_CONFIG $@"\n')
    with started(
        here, ["bash", EXAMPLES / "slurm" / "workers.sh", "--config.steps=7"], SLURM_JOB_NODELIST="x"
    ) as process:
        assert process.wait(60) == 0
    said = sorted((here / "log").read_text().splitlines())
    cluster = '{"cluster": {"worker": ["one:12345","two:12345"]}, "task": {"type": "worker", "index": %d}} '
    flags = "-m tfdfm.train --config=cifar10_quick --run_dir=runs/cifar10_quick-workers --config.steps=7"
    assert said == [cluster % index + flags for index in range(2)]


@pytest.mark.slow
def test_two_workers_of_a_job_are_killed_and_go_on_together(here):
    path, run_dir = EXAMPLES / "kubernetes" / "workers.yaml", here / "runs" / "cifar10_quick-workers"

    def workers(stack):
        with contextlib.ExitStack() as held:
            ports = [held.enter_context(socket.create_server(("localhost", 0))).getsockname()[1] for _ in range(2)]
        names = {f"workers-{index}.workers:12345": f"localhost:{port}" for index, port in enumerate(ports)}
        words = pod(path, here, **names)
        return [stack.enter_context(started(here, words, JOB_COMPLETION_INDEX=str(index))) for index in range(2)]

    with contextlib.ExitStack() as stack:
        saved(run_dir, *workers(stack))
    assert commands.lines(run_dir)[-1]["step"] < 40
    with contextlib.ExitStack() as stack:
        assert [worker.wait(240) for worker in workers(stack)] == [0, 0], (here / "log").read_text()
    assert [row["step"] for row in commands.lines(run_dir)] == list(range(1, 41))
