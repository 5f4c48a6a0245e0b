"""Shows what a trained run has learnt, or two side by side: a picture and the numbers in it.

    python -m tfdfm.analyse --run_dir=runs/mnist_conditional-seed0 --view=classes
    python -m tfdfm.analyse --run_dir=runs/cifar10-seed0,runs/cifar10_gan-seed0 --view=curves
    python -m tfdfm.analyse --run_dir=runs/mnist_conditional-seed0 --view=classes --view.num=4

An option of a view is set by --view.KEY=VALUE; a wrong one lists all.
"""

from pathlib import Path

from absl import flags

from tfdfm import cli
from tfdfm.errors import UsageError


def define(values: flags.FlagValues):
    flags.DEFINE_list("run_dir", None, "a run of tfdfm.train, or several side by side", flag_values=values)
    flags.DEFINE_string("view", None, "what is shown; a wrong name lists all", flag_values=values)
    flags.DEFINE_multi_string("option", [], "of the view: --view.KEY=VALUE", flag_values=values)
    flags.DEFINE_string("checkpoint", "last", "last, best or a step", flag_values=values)
    flags.DEFINE_string("classifier", "", "of views that judge, as of tfdfm.evaluate", flag_values=values)
    flags.DEFINE_string("data_dir", None, "prepared tensorflow_datasets (default: TFDS_DATA_DIR)", flag_values=values)
    flags.DEFINE_string(
        "out", None, "a .png; its numbers lie beside it (default: RUN/analysis/VIEW-STEP.png)", flag_values=values
    )


def main(values: flags.FlagValues) -> None:
    from tfdfm import stores
    from tfdfm.analysis import finding, lookup
    from tfdfm.analysis.subject import Subject

    if not values.view:
        raise UsageError(f"Expected --view, one of {', '.join(lookup.names())}, given none.")
    if wrong := [pair for pair in values.option if "=" not in pair]:
        raise UsageError(f"Expected --view.KEY=VALUE, given --view.{wrong[0]}.")
    chosen = lookup.options(values.view, dict(pair.partition("=")[::2] for pair in values.option))
    if not values.run_dir:
        raise UsageError("Expected --run_dir, a run of tfdfm.train, given none.")
    subjects = [
        Subject(stores.local(run_dir), values.checkpoint, values.data_dir, values.classifier)
        for run_dir in values.run_dir
    ]
    if values.out and not values.out.endswith(".png"):
        raise UsageError(f"Expected --out to end in .png, given {values.out}.")
    found = lookup.analyse(values.view, subjects, chosen)
    path = stores.local(values.out or _place(values.view, subjects))
    for written in finding.write(found, path):
        print(f"Written: {stores.name(written)}")


def _place(view: str, subjects) -> Path:
    """RUN/analysis/VIEW-STEP.png of the first run, which names the others."""
    names = [view, *(subject.name for subject in subjects[1:])]
    names += [str(subject.step) for subject in subjects if subject.step is not None]
    return subjects[0].run_dir / "analysis" / f"{'-'.join(names)}.png"


if __name__ == "__main__":
    cli.run(main, define, __doc__)
