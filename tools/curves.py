"""Draws what runs logged, one line a run.

python tools/curves.py --run_dirs=runs/cifar10-seed0,runs/cifar10_gan-seed0 --out=curves.png
"""

from pathlib import Path

import matplotlib
from absl import flags

from tfdfm import cli
from tfdfm.errors import UsageError
from tfdfm.runs.metrics_log import read

matplotlib.use("Agg")
COLUMNS = 3
METRICS = (
    "generator/nonsaturating",
    "discriminator/data",
    "discriminator/samples",
    "generator/dfm",
    "denoiser/unexplained_variance",
    "denoiser/feature_deviation",
)


def define(values: flags.FlagValues):
    flags.DEFINE_list("run_dirs", None, "runs of tfdfm.train", required=True, flag_values=values)
    flags.DEFINE_list("metrics", list(METRICS), "keys of metrics.jsonl", flag_values=values)
    flags.DEFINE_string("out", "curves.png", "picture", flag_values=values)


def main(values: flags.FlagValues):
    from matplotlib import pyplot

    runs = {Path(path).name: read(Path(path) / "metrics.jsonl") for path in values.run_dirs}
    if empty := [name for name, lines in runs.items() if not lines]:
        raise UsageError(f"Expected --run_dirs with a metrics.jsonl, found none in {', '.join(empty)}.")
    rows = -(-len(values.metrics) // COLUMNS)
    figure, axes = pyplot.subplots(
        rows, COLUMNS, figsize=(4 * COLUMNS, 2.6 * rows), squeeze=False, layout="constrained"
    )
    for axis, metric in zip(axes.flat, values.metrics, strict=False):
        for name, lines in runs.items():
            points = [(line["images_seen"] / 1000, line[metric]) for line in lines if line.get(metric) is not None]
            axis.plot(*zip(*points, strict=True) if points else ([], []), label=name, linewidth=0.8)
        axis.set(title=metric, xlabel="thousand images seen")
    axes.flat[0].legend()
    figure.savefig(values.out, dpi=110)
    print(values.out)


if __name__ == "__main__":
    cli.run(main, define, __doc__)
