"""How every command starts and ends: one line for a mistake, exit code 2 for usage and 1 for failure."""

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from absl import flags, logging

from tfdfm.errors import Failure, UsageError

_NOISE = re.compile(rb"WARNING: All log messages before absl::InitializeLog|[IW]0000 |E0000 .*failed call to cuInit")
_FLAG = {"grid": "--grid=", "view": "--option="}  # of --grid.KEY=... and --view.KEY=...
_DOTTED = re.compile(r"^--(grid|view)\.")


def run(main: Callable[[flags.FlagValues], int | None], define: Callable[[flags.FlagValues], None], doc: str):
    """Parses `--flag=value` into the flags that `define` makes and exits with what `main` returns.

    `--config.KEY=VALUE` arguments are kept apart, as `values.overrides`; `--grid.KEY=...` is the flag --grid=KEY=...,
    `--view.KEY=...` --option=KEY=...
    """
    flags.FLAGS.mark_as_parsed()  # absl's own flags, which its log would miss
    logging.use_absl_handler()
    logging.set_verbosity(logging.INFO)
    logging.get_absl_handler().setFormatter(None)
    try:
        values = parse(sys.argv, define, doc)
        with _quiet():
            import tensorflow as tf

            tf.config.list_physical_devices()
        code = main(values) or 0
        from tfdfm import stores

        stores.send()
        sys.exit(code)
    except (UsageError, flags.Error) as error:
        sys.exit(_say(error, 2))
    except Failure as error:
        sys.exit(_say(error, 1))
    except KeyboardInterrupt:
        sys.exit(_say("Interrupted.", 130))


@contextmanager
def _quiet() -> Iterator[None]:
    """Takes out of stderr what TensorFlow's libraries say when they are loaded; all else is passed on."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors are raised; what it logs as one is a kernel passed over
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
            held.seek(0)
            os.write(2, b"".join(line for line in held if not _NOISE.match(line)))


def parse(argv: list[str], define: Callable[[flags.FlagValues], None], doc: str) -> flags.FlagValues:
    """Raises UsageError, absl's flags.Error; exits with 0 after --help."""
    values = flags.FlagValues()
    define(values)
    flags.DEFINE_multi_string("overrides", [], "", flag_values=values)
    overrides = [arg.removeprefix("--config.") for arg in argv[1:] if arg.startswith("--config.")]
    if wrong := [pair for pair in overrides if "=" not in pair]:
        raise UsageError(f"Expected --config.KEY=VALUE, given --config.{wrong[0]}.")
    if {"--help", "-h"} & set(argv):
        values.__delattr__("overrides")
        print(doc, values.get_help(), sep="\n")
        sys.exit(0)
    others = [_DOTTED.sub(lambda dot: _FLAG[dot[1]], arg) for arg in argv[1:] if not arg.startswith("--config.")]
    rest = values([argv[0], *others])[1:]
    if rest:
        raise UsageError(f"Expected --flag=value, given {rest[0]!r}. See --help.")
    values.overrides = overrides
    return values


def _say(error: Exception | str, code: int) -> int:
    print(f"tfdfm: {' '.join(str(error).split())}", file=sys.stderr)
    return code
