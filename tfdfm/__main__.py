"""The commands under one name: `tfdfm train ...` is `python -m tfdfm.train ...`."""

import runpy
import sys

from tfdfm.errors import UsageError, nearest

COMMANDS = ("train", "search", "sample", "evaluate", "analyse", "export", "serve")


def main() -> None:
    """Runs the command that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("--help", "-h"):
        print(
            f"tfdfm COMMAND --flag=value ...\n\nCommands: {', '.join(COMMANDS)}. tfdfm COMMAND --help lists its flags."
        )
    elif name == "--version":
        from tfdfm.version import __version__

        print(__version__)
    elif name in COMMANDS:
        sys.argv[:2] = [f"tfdfm {name}"]
        runpy.run_module(f"tfdfm.{name}", run_name="__main__", alter_sys=False)
    else:
        print(f"tfdfm: {UsageError(nearest('command', name, COMMANDS))}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
