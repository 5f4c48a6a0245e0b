"""Trains and scores the settings of a grid over a recipe's keys, or drawn from ranges, and compares their scores.

    python -m tfdfm.search --config=mnist_ebgan_grid
    python -m tfdfm.search --config=mnist_gan_grid --grid.generator.depth=5 --num=20 --config.steps=300
    python -m tfdfm.search --config=cifar10_gan --grid.optimizer.learning_rate=1e-4,2e-4 --grid.seed=0,1
    python -m tfdfm.search --config=cifar10_quick --grid.optimizer.learning_rate=1e-5..1e-3:log --num=30 --workers=2
    python -m tfdfm.search --histogram=runs/mnist_ebgan_grid,runs/mnist_gan_grid --out=histogram.png
    python -m tfdfm.search --paired=runs/mnist_gan,runs/mnist --out=paired.png --json=paired.json

The same command again goes on, and as many of them as you like share the work, on one host or on several that see the
directory or the --storage. --grid.KEY=V1,V2,... replaces an axis of the recipe's own grid, or adds one;
--grid.KEY=LOW..HIGH, with :log for even logarithms, is drawn by Optuna's TPE, --num times.
"""

import os
import sys
from pathlib import Path

from absl import flags

from tfdfm import cli
from tfdfm.errors import UsageError


def define(values: flags.FlagValues):
    flags.DEFINE_string("config", None, "recipe: a name or a .py; with get_grid() it has a grid", flag_values=values)
    flags.DEFINE_multi_string("grid", [], "an axis: --grid.KEY=V1,V2,... or LOW..HIGH[:log]", flag_values=values)
    flags.DEFINE_integer("num", None, "settings, by a fixed lot (all), or draws", lower_bound=1, flag_values=values)
    flags.DEFINE_string("search_dir", None, "default: runs/RECIPE", flag_values=values)
    flags.DEFINE_string(
        "storage", None, "a journal's path or a database's URL (default: SEARCH_DIR/study.journal)", flag_values=values
    )
    flags.DEFINE_integer("workers", 1, "processes that share this host's cores", lower_bound=1, flag_values=values)
    flags.DEFINE_bool("prune", False, "end runs that score worse than most at the same step", flag_values=values)
    flags.DEFINE_string("data_dir", None, "prepared tensorflow_datasets (default: TFDS_DATA_DIR)", flag_values=values)
    flags.DEFINE_list(
        "metrics", ["modified_inception_score"], "of tfdfm.evaluate, the first one ranks", flag_values=values
    )
    flags.DEFINE_integer("samples", 10_000, "that are scored", lower_bound=2, flag_values=values)
    flags.DEFINE_string("classifier", "dataset", "as of tfdfm.evaluate", flag_values=values)
    flags.DEFINE_list("histogram", None, "searches to compare, instead of searching", flag_values=values)
    flags.DEFINE_list("paired", None, "searches over seeds, all compared with the first one", flag_values=values)
    flags.DEFINE_list("by", [], "keys: a panel for each combination of their values", flag_values=values)
    flags.DEFINE_list("at_most", [], "keys: a panel for each value that none of them exceeds", flag_values=values)
    flags.DEFINE_string("out", None, "the histograms or pairs as a PNG file", flag_values=values)
    flags.DEFINE_string("json", None, "the pairs as a JSON file", flag_values=values)


def main(values: flags.FlagValues) -> None:
    tasks = {"config": _search, "histogram": _histogram, "paired": _paired}
    asked = [name for name in tasks if values[name].value]
    if len(asked) != 1:
        raise UsageError("Expected one of --config, --histogram and --paired.")
    tasks[asked[0]](values)


def _search(values: flags.FlagValues) -> None:
    from tfdfm.searching import loop, results, workers

    search, axes, wanted = _resolved(values)
    study = search.study(axes)
    finished = {name for name, trial in results.named(study).items() if trial.state.is_finished()}
    left = len(wanted.keys() - finished)
    print(f"{len(wanted):,} settings in {search.directory}, {left:,} left.", flush=True)
    if values.workers > 1:
        workers.run(values.workers, [*sys.argv[1:], "--workers=1"])
    else:
        loop.search(search, axes, wanted, study)
    if workers.MARK not in os.environ:
        print(results.table(results.read(search.directory, search.storage)))


def _resolved(values: flags.FlagValues):
    """The search, its axes, and what it is to finish, each found to be valid."""
    from tfdfm import recipes, stores
    from tfdfm.evaluation import requests
    from tfdfm.searching import grid, loop

    label, base = recipes.select(values.config, None)
    if wrong := [axis for axis in values.grid if "=" not in axis]:
        raise UsageError(f"Expected --grid.KEY=V1,V2,... or --grid.KEY=LOW..HIGH, given --grid.{wrong[0]}.")
    asked = {key: text.split(",") for key, _, text in (axis.partition("=") for axis in values.grid)}
    given = dict(pair.partition("=")[::2] for pair in values.overrides)
    if not (found := recipes.grid(values.config) | asked):
        raise UsageError(f"{label} has no grid of its own: set an axis by --grid.KEY=V1,V2,...")
    found |= {key: [given.pop(key)] for key in found.keys() & given.keys()}
    base = recipes.override(base, given)
    axes = grid.axes(base, found)
    wanted, examples = grid.wanted(axes, values.num)
    for example in examples:
        requests.check_unseen(values.classifier, grid.configured(base, example))
    directory = Path(values.search_dir or f"runs/{label}")
    if stores.is_url(values.search_dir or ""):
        raise UsageError(
            f"Expected a folder in --search_dir, given {values.search_dir}: workers share a folder, or --storage."
        )
    what = (values.metrics, values.samples, values.classifier, values.data_dir, values.storage, values.prune)
    return loop.Search(directory, base, *what), axes, wanted


def _histogram(values: flags.FlagValues) -> None:
    from tfdfm import images
    from tfdfm.searching import drawing, histogram, results

    searches = _read("histogram", values.histogram, values.storage)
    for name, found in searches.items():
        print(f"{name}, {len(found):,} settings\n{results.table(found)}\n")
    made = histogram.histogram(searches, values.by, values.at_most)
    print(histogram.text(made))
    if values.out:
        images.write_png(values.out, drawing.histograms(made))
        print(f"Written: {values.out}")


def _paired(values: flags.FlagValues) -> None:
    from tfdfm import files, images
    from tfdfm.searching import drawing, paired

    searches = _read("paired", values.paired, values.storage)
    made = paired.compare(searches)
    print(paired.text(made, next(iter(searches))))
    if values.out:
        images.write_png(values.out, drawing.pairs(made))
        print(f"Written: {values.out}")
    if values.json:
        files.write_json(Path(values.json), paired.record(made))
        print(f"Written: {values.json}")


def _read(flag: str, folders: list[str], storage: str | None) -> dict[str, list[dict]]:
    """{name of the folder: its results}"""
    from tfdfm.searching import results

    searches = {Path(folder).name: results.read(Path(folder), storage) for folder in folders}
    if len(searches) < len(folders):
        raise UsageError(f"Expected folders of different names in --{flag}, given {', '.join(folders)}.")
    return searches


if __name__ == "__main__":
    cli.run(main, define, __doc__)
