"""Writes one page that shows a run, or several side by side: an HTML file that opens offline.

    python -m tfdfm.report --run_dir=runs/digits-seed0
    python -m tfdfm.report --run_dir=runs/cifar10-seed0,runs/cifar10_gan-seed0 --out=report.html

`python -m tfdfm.train --report` keeps it current while it trains.
"""

from absl import flags

from tfdfm import cli
from tfdfm.errors import UsageError


def define(values: flags.FlagValues):
    flags.DEFINE_list("run_dir", None, "a run of tfdfm.train, or several side by side", flag_values=values)
    flags.DEFINE_string("out", None, "default: report.html in the first run", flag_values=values)


def main(values: flags.FlagValues) -> None:
    if not values.run_dir:
        raise UsageError("Expected --run_dir, a run of tfdfm.train, given none.")
    from tfdfm import stores
    from tfdfm.reporting import page

    runs = [stores.local(run_dir) for run_dir in values.run_dir]
    out = stores.local(values.out or runs[0] / "report.html")
    page.write(runs, out)
    print(f"Written: {stores.name(out)}")


if __name__ == "__main__":
    cli.run(main, define, __doc__)
