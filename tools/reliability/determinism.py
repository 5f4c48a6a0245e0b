"""Which numbers are the same elsewhere: other instruction sets, threads, replicas, workers, compilers. A table.

    python tools/reliability/determinism.py [--config=digits]

Trains small networks for 1 and 20 steps in each way and holds the generator's weights against those of the first; and
what is promised everywhere against tests/test_golden.py. Exit code 1 if that differs, or a repetition.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import kills
import numpy as np
import tensorflow as tf
from absl import flags

from tfdfm import cli

TESTS = Path(__file__).parents[2] / "tests"
sys.path[1:1] = [str(TESTS), str(TESTS / "helpers")]  # test_golden; cluster

import cluster  # noqa: E402

STEPS = (1, 20)
WAYS = {  # environment, replicas
    "this machine": ({}, 1),
    "again": ({}, 1),
    "one thread": ({"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}, 1),
    "oneDNN for AVX2": ({"ONEDNN_MAX_CPU_ISA": "AVX2"}, 1),
    "oneDNN for AVX-512": ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}, 1),
    "without oneDNN": ({"TF_ENABLE_ONEDNN_OPTS": "0"}, 1),
    "XLA": ({"jit": "on"}, 1),
    "2 replicas": ({"distribution": "mirrored"}, 2),
    "4 replicas": ({"distribution": "mirrored"}, 4),
    "2 workers": ({"workers": "2"}, 1),
}
CHILD = """
import runpy, sys
import tensorflow as tf
devices = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(devices[0], [tf.config.LogicalDeviceConfiguration()] * int(sys.argv.pop(1)))
sys.path.insert(0, sys.argv.pop(1))
import determinism
sys.argv[0] = "tfdfm.train"
try:
    runpy.run_module("tfdfm.train", run_name="__main__", alter_sys=True)
finally:  # not before: workers set up their exchange first
    print("golden" if determinism.golden() else "OTHER")
"""


def golden() -> bool:
    """Whether latents, labels, batches and splits of seeds are the golden ones: the tests of them pass."""
    import test_golden

    try:
        for name, test in vars(test_golden).items():
            if name.startswith("test_"):
                test()
    except AssertionError:
        return False
    return True


def trained(name: str, way: str, folder: Path) -> tuple[str, dict[int, dict[str, np.ndarray]]]:
    """Whether what is promised is "golden" or "OTHER", and the generator's weights after each of STEPS."""
    asked, replicas = WAYS[way]
    environment = {key: value for key, value in asked.items() if key.isupper()}
    settings = kills.DENOISER | {"batch_norm": "synchronised" if replicas > 1 or "workers" in asked else "local"}
    settings |= {key: value for key, value in asked.items() if key in ("jit", "distribution")}
    found, said = {}, ""
    for step in STEPS:
        run = folder / f"{way}-{step}"
        more = kills.flags_of(settings | {"steps": step, "optimizer.epsilon": 1e-3})
        command = [sys.executable, "-c", CHILD, str(replicas), str(Path(__file__).parent)]
        tasks = cluster.tasks(int(asked.get("workers", 0))) or [{}]
        processes = [
            subprocess.Popen(
                [*command, f"--config={name}", f"--run_dir={run}", *more],
                env=os.environ | environment | task, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
            for task in tasks
        ]  # fmt: skip
        outputs = [process.communicate()[0] for process in processes]
        if any(process.returncode for process in processes):
            raise RuntimeError(f"{way}: {outputs[0][-3000:]}")
        said = next(line for line in outputs[0].splitlines() if line in ("golden", "OTHER"))
        bundle = tf.train.load_checkpoint(str(run / "checkpoints" / f"{step:07d}" / "state"))
        names = [each for each in bundle.get_variable_to_shape_map() if each.startswith("generator/")]
        found[step] = {each: bundle.get_tensor(each) for each in sorted(names)}
    return said, found


def apart(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> float:
    """The difference of all weights beside their size, by Euclid's norm; 0 where each bit is the same."""
    if all(one[name].tobytes() == two[name].tobytes() for name in one):
        return 0.0
    total = sum(np.sum(np.square(value.astype(np.float64))) for value in one.values())
    return float(np.sqrt(sum(np.sum((one[name].astype(np.float64) - two[name]) ** 2) for name in one) / total))


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_string("config", "digits", "The recipe.", flag_values=values)


def main(parsed: flags.FlagValues) -> int:
    found, wrong = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        for way in WAYS:
            found[way] = trained(parsed.config, way, Path(folder))
            said, weights = found[way]
            _, reference = found["this machine"]
            differences = [apart(reference[step], weights[step]) for step in STEPS]
            wrong += said == "OTHER" or (way == "again" and any(differences))
            shown = ["the same bits" if not each else f"{each:.1e}" for each in differences]
            print(f"{way:20} {said:8} {shown[0]:16} {shown[1]}", flush=True)
    return int(bool(wrong))


if __name__ == "__main__":
    cli.run(main, define, __doc__)
