"""How every command starts and ends: one line for a mistake, exit code 2 for usage and 1 for failure."""

import os
import sys
from collections.abc import Callable

from absl import flags, logging

from tfdfm.errors import Failure, UsageError


def run(main: Callable[[flags.FlagValues], int | None], define: Callable[[flags.FlagValues], None], doc: str):
    """Parses `--flag=value` into the flags that `define` makes and exits with what `main` returns.

    `--config.KEY=VALUE` arguments are kept apart, as `values.overrides`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.use_absl_handler()
    logging.set_verbosity(logging.INFO)
    logging.get_absl_handler().setFormatter(None)
    try:
        sys.exit(main(parse(sys.argv, define, doc)) or 0)
    except (UsageError, flags.Error) as error:
        sys.exit(_say(error, 2))
    except Failure as error:
        sys.exit(_say(error, 1))


def parse(argv: list[str], define: Callable[[flags.FlagValues], None], doc: str) -> flags.FlagValues:
    """Raises UsageError, absl's flags.Error; exits with 0 after --help."""
    values = flags.FlagValues()
    define(values)
    flags.DEFINE_multi_string("overrides", [], "", flag_values=values)
    overrides = [arg.removeprefix("--config.") for arg in argv[1:] if arg.startswith("--config.")]
    if {"--help", "-h"} & set(argv):
        values.__delattr__("overrides")
        print(doc, values.get_help(), sep="\n")
        sys.exit(0)
    rest = values([argv[0], *(arg for arg in argv[1:] if not arg.startswith("--config."))])[1:]
    if rest:
        raise UsageError(f"Expected --flag=value, given {rest[0]!r}. See --help.")
    values.overrides = overrides
    return values


def _say(error: Exception, code: int) -> int:
    print(f"tfdfm: {' '.join(str(error).split())}", file=sys.stderr)
    return code
