"""The whole state of a run on disk: every variable under its own flat name, in TensorFlow's tensor bundle format.

`directory/0001000/` holds the state after step 1000: `state.index`, `state.data-*` and `state.sha256` of the index.
TensorFlow keeps a CRC of each tensor and checks it on reading; it does not check the whole of its index, so we do.
"""

import contextlib
import functools
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from tfdfm import files
from tfdfm.errors import Failure

_NAME = re.compile(r"(\d{7,})(\.old)?")
_TEMPORARY = ".writing"  # one name: what a killed writer left is found and removed


_ADVICE = "Free space or choose another --run_dir; the same command goes on from the last checkpoint."
writing = functools.partial(files.writing, advice=_ADVICE)


class Checkpoints:
    """Saves and restores `variables` (name -> TensorFlow, distributed or Keras variable) below `directory`.

    Keeps the newest `keep`. With several workers all of them call `save` and `restore` alike (reading a variable may
    need them all); only the `chief` writes.
    """

    def __init__(self, directory: str | os.PathLike, variables: Mapping, keep: int = 2, chief: bool = True):
        self.directory = Path(directory)
        self._variables = {
            name: variable.value if isinstance(variable, keras.Variable) else variable
            for name, variable in sorted(variables.items())
        }
        self._keep, self._chief = keep, chief
        self._damaged: set[Path] = set()

    def save(self, step: int) -> Path:
        """Writes the state after `step`, whole or not at all, then removes what is older than the newest `keep`.

        Raises:
          Failure: the disk is full or read-only; the earlier checkpoints are as they were.
        """
        path = self.directory / f"{step:07d}"
        values = self._read()
        if self._chief:
            with self._placing(path) as temporary:
                self._write(temporary, values)
        return path

    def keep(self, step: int) -> None:
        """Copies the checkpoint of that step to `best/`, in place of the one there."""
        source = next(path for path in self._found() if _step(path) == step and path not in self._damaged)
        best = Checkpoints(self.directory / "best", self._variables, keep=1)
        with best._placing(best.directory / f"{step:07d}") as temporary:
            shutil.copytree(source, temporary, dirs_exist_ok=True)

    def restore(self, *, part: bool = False, step: int | None = None) -> int | None:
        """Sets all variables to the newest good checkpoint; its step, or None where there is none at all.

        `part`: these variables are only some of the saved ones. `step`: this one and no other.

        Raises:
          Failure: none is good, or the newest good one holds other names, shapes or types.
        """
        found = [path for path in self._found() if step is None or _step(path) == step]
        for path in found:
            values = self._load(path, part)
            if values is None:
                self._damaged.add(path)
                continue
            for variable in self._variables.values():
                variable.assign(values.pop(0))  # one by one: the old value goes as the new one comes
            return _step(path)
        if found:
            raise Failure(
                f"No good checkpoint in {self.directory}: {', '.join(path.name for path in found)} are damaged. "
                "Put back a copy, or remove them to start from the beginning."
            )
        return None

    def steps(self) -> list[str]:
        """Those that are kept, oldest first."""
        return [str(step) for step in sorted({_step(path) for path in self._found()})]

    def latest(self) -> Path | None:
        """The newest checkpoint not known to be damaged."""
        return next((path for path in self._found() if path not in self._damaged), None)

    def not_finite(self) -> str | None:
        """The name of a variable that holds a NaN or an infinity."""
        for name, value in zip(self._variables, self._read(), strict=True):
            if value.dtype.is_floating and not tf.reduce_all(tf.math.is_finite(value)):
                return name
        return None

    def _found(self) -> list[Path]:
        """Complete checkpoints, newest first."""
        try:
            paths = [path for path in self.directory.iterdir() if _NAME.fullmatch(path.name)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(paths, key=lambda path: (-_step(path), path.name))

    def _read(self) -> list[tf.Tensor]:
        return [variable.read_value() for variable in self._variables.values()]

    @contextlib.contextmanager
    def _placing(self, path: Path) -> Iterator[Path]:
        """A folder to fill that becomes `path`, whole or not at all; then the older ones beyond `keep` are removed."""
        temporary = self.directory / _TEMPORARY
        with writing(self.directory):
            try:
                if temporary.exists():
                    shutil.rmtree(temporary)
                files.make_folder(self.directory)
                temporary.mkdir()
                yield temporary
                for file in [*temporary.iterdir(), temporary]:
                    files.sync(file)
                if path.exists():
                    path.replace(path.with_name(path.name + ".old"))  # still found by `restore` if we are killed here
                temporary.replace(path)
                files.sync(self.directory)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        self._damaged.discard(path)
        self._prune()

    def _write(self, folder: Path, values: list[tf.Tensor]) -> None:
        names = list(self._variables)
        with tf.device("CPU:0"):
            tf.raw_ops.SaveV2(
                prefix=str(folder / "state"), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values
            )
        (folder / "state.sha256").write_text(_index_digest(folder))

    def _prune(self) -> None:
        good = [path for path in self._found() if path not in self._damaged and path.suffix != ".old"]
        for path in set(self._found()) - set(good[: self._keep]):
            doomed = self.directory / _TEMPORARY  # moved first: half a checkpoint never bears a good name
            with writing(self.directory):
                path.replace(doomed)
                files.sync(self.directory)
            shutil.rmtree(doomed, ignore_errors=True)

    def _load(self, path: Path, part: bool) -> list[tf.Tensor] | None:
        """All values in the order of `_variables`; None, and a line in the log, where any byte is not as written."""
        try:
            if (path / "state.sha256").read_text() != _index_digest(path):
                raise ValueError("state.index does not match state.sha256")
            names = self._names_in(path, tf.train.load_checkpoint(str(path / "state")), part)
            with tf.device("CPU:0"):
                return tf.raw_ops.RestoreV2(
                    prefix=str(path / "state"),
                    tensor_names=names,
                    shape_and_slices=[""] * len(self._variables),
                    dtypes=[variable.dtype for variable in self._variables.values()],
                )
        except (OSError, ValueError, IndexError, tf.errors.OpError) as error:
            cause = str(error).splitlines()[0]
            logging.warning("Checkpoint %s is damaged (%s): using the one before.", path, cause)
            return None

    def _names_in(self, path: Path, bundle: object, part: bool) -> list[str]:
        """Of all variables, as this checkpoint has them."""
        types = bundle.get_variable_to_dtype_map()
        named = {_now(name): name for name in types}
        saved = {_now(name): (shape, types[name]) for name, shape in bundle.get_variable_to_shape_map().items()}
        ours = {name: (variable.shape.as_list(), variable.dtype) for name, variable in self._variables.items()}
        problems = {
            "not in it": ours.keys() - saved.keys(),
            "unknown": set() if part else saved.keys() - ours.keys(),
            "of another shape or type": {name for name in ours.keys() & saved.keys() if ours[name] != saved[name]},
        }
        if any(problems.values()):
            raise Failure(
                f"Checkpoint {path} is of another model: "
                + "; ".join(f"{len(names)} {what} ({_few(names)})" for what, names in problems.items() if names)
                + ". Use another --run_dir, or the code and config that wrote it."
            )
        return [named[name] for name in self._variables]


def _now(name: str) -> str:
    """A variable's name, as it was in 0.1, or has been since."""
    return re.sub("^average/", "ema_generator/", name)


def _step(path: Path) -> int:
    return int(_NAME.fullmatch(path.name)[1])


def _few(names: set[str]) -> str:
    return ", ".join(sorted(names)[:3]) + (", ..." if len(names) > 3 else "")


def _index_digest(path: Path) -> str:
    """One line that `sha256sum -c` understands."""
    return hashlib.sha256((path / "state.index").read_bytes()).hexdigest() + "  state.index\n"
