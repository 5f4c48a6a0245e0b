"""Scores a run's samples, a folder of images or a data set, and compares scores.

    python -m tfdfm.evaluate --run_dir=runs/cifar10-seed0 --num=10000
    python -m tfdfm.evaluate --images=folder/ --reference=cifar10 --classifier=efficientnet_lite0
    python -m tfdfm.evaluate --images=cifar10:test --reference=cifar10
    python -m tfdfm.evaluate --compare=runs/cifar10-seed0,runs/cifar10-seed1,runs/cifar10_gan-seed0
    python -m tfdfm.evaluate --protocol=acgan --run_dir=RUN1,RUN2 --checkpoint=last,best
    python -m tfdfm.evaluate --run_dir=runs/cifar10-seed0 --shard=0/8    # to 7/8, on as many machines; then
    python -m tfdfm.evaluate --run_dir=runs/cifar10-seed0 --merge

Prints a table and writes RUN/evaluation/<step>.json, or --json.
"""

from pathlib import Path

from absl import flags

from tfdfm import cli
from tfdfm.errors import UsageError

FIXED = ("num", "splits", "seed", "metrics", "reference")  # by a protocol
SCORED = ("metrics", "splits", "json")  # by --merge alone, of shards
MODES = ("run_dir", "images", "compare", "self_check")


def define(values: flags.FlagValues):
    flags.DEFINE_list("run_dir", None, "a run of tfdfm.train; several for --protocol=acgan", flag_values=values)
    flags.DEFINE_string("images", None, "a folder of images or a data set, instead of a run", flag_values=values)
    flags.DEFINE_list("compare", None, "runs whose scores are put side by side", flag_values=values)
    flags.DEFINE_boolean(
        "self_check", False, "score CIFAR-10's training images: 11.24 with inception2015", flag_values=values
    )
    flags.DEFINE_string(
        "reference", None, "data set (NAME:test: its test images) or folder; of a run, its own", flag_values=values
    )
    flags.DEFINE_list("metrics", None, "default: the cheap ones; a wrong name lists all", flag_values=values)
    flags.DEFINE_string(
        "classifier",
        None,
        "dataset, efficientnet_lite0, inception2015[:PATH or URL], dinov2:PATH, clip:PATH or a model's path",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "num", None, "samples (default: 50000; of stored images all)", lower_bound=2, flag_values=values
    )
    flags.DEFINE_integer("splits", None, "groups of the Inception score (10)", lower_bound=1, flag_values=values)
    flags.DEFINE_integer("seed", None, "of the samples (0)", lower_bound=0, upper_bound=10**12, flag_values=values)
    flags.DEFINE_list("checkpoint", ["last"], "last, best or a step; several for acgan", flag_values=values)
    flags.DEFINE_enum("protocol", None, ["dfm", "acgan"], "as that paper scores", flag_values=values)
    flags.DEFINE_string(
        "shard", None, "i/n, 0 <= i < n: draw and classify this part of the samples, for --merge", flag_values=values
    )
    flags.DEFINE_boolean("merge", False, "score what the shards have written", flag_values=values)
    flags.DEFINE_string("json", None, "where to write the scores", flag_values=values)
    flags.DEFINE_string("data_dir", None, "prepared tensorflow_datasets (default: TFDS_DATA_DIR)", flag_values=values)


def main(values: flags.FlagValues) -> None:
    _check(values)
    from tfdfm import stores
    from tfdfm.evaluation import protocols, records, shards, tables

    if values.shard:
        print(f"Written: {stores.name(shards.write(_request(values), shards.parse(values.shard)))}")
    elif values.compare:
        print(tables.of_runs([stores.local(run_dir) for run_dir in values.compare]))
    elif values.self_check:
        print(protocols.self_check(_request(values)))
    else:
        run_dir, found, pictures = (_by_protocol if values.protocol else _plain)(values)
        print(tables.of_scores(found))
        if path := _place(values.json, run_dir, found):
            records.write(path, found, pictures)
            print(f"Written: {stores.name(path)}")


def _check(values: flags.FlagValues) -> None:
    given = [f"--{mode}" for mode in MODES if values[mode].value]
    if len(given) != 1:
        expected = ", ".join(f"--{mode}" for mode in MODES)
        raise UsageError(f"Expected one of {expected}, given {' and '.join(given) or 'none'}.")
    if max(len(values.run_dir or []), len(values.checkpoint)) > 1 and values.protocol != "acgan":
        raise UsageError("Several runs or checkpoints are for --protocol=acgan, and --compare for scores: give one.")
    if values.protocol == "acgan" and not values.run_dir:
        raise UsageError("--protocol=acgan chooses among runs: set --run_dir.")
    fixed = [f"--{name}" for name in FIXED if values[name].value is not None]
    if (values.protocol or values.self_check) and fixed:
        raise UsageError(f"The protocol fixes {', '.join(fixed)}: leave it out.")
    if values.shard or values.merge:
        _check_shards(values)


def _check_shards(values: flags.FlagValues) -> None:
    if values.shard and values.merge:
        raise UsageError("Expected --shard, on each machine, or --merge, once all are done. Given both.")
    if not values.run_dir:
        raise UsageError("--shard and --merge are for the samples of a run: set --run_dir.")
    if values.protocol:
        raise UsageError("A protocol draws groups of its own: leave out --protocol, or --shard and --merge.")
    scored = [f"--{name}" for name in SCORED if values[name].value is not None]
    if values.shard and scored:
        raise UsageError(f"A shard is not scored: leave out {', '.join(scored)}, which --merge takes.")


def _request(values: flags.FlagValues):
    from tfdfm import stores
    from tfdfm.evaluation.requests import Request

    run_dir = stores.local(values.run_dir[0]) if values.run_dir else None
    flat = {name: values[name].value for name in ("images", "reference", "classifier", "num", "data_dir")}
    given = {"checkpoint": values.checkpoint[0], "seed": values.seed or 0, "splits": values.splits or 10}
    return Request(run_dir, **flat, **given)


def _plain(values: flags.FlagValues):
    from tfdfm.evaluation import scores, shards

    request = _request(values)
    this = shards.merged(request) if values.merge else request.evaluation(values.metrics)
    found, left_out = scores.evaluate(this, values.metrics)
    for name, why in left_out.items():
        print(f"Left out: {name}. {why}")
    return request.run_dir, *found


def _by_protocol(values: flags.FlagValues):
    from tfdfm import stores
    from tfdfm.evaluation import protocols

    request = _request(values)
    if values.protocol == "dfm":
        return request.run_dir, protocols.dfm(request), {}
    runs = [stores.local(run_dir) for run_dir in values.run_dir]
    return *protocols.acgan(request, [(run, checkpoint) for run in runs for checkpoint in values.checkpoint]), {}


def _place(json: str | None, run_dir: Path | None, found: dict) -> Path | None:
    """--json, else RUN/evaluation/<step>.json; nowhere for a folder's or a data set's images."""
    from tfdfm import stores

    if json or not (run_dir and found):
        return stores.local(json) if json else None
    return run_dir / "evaluation" / f"{next(iter(found.values()))['of']['checkpoint']}.json"


if __name__ == "__main__":
    cli.run(main, define, __doc__)
