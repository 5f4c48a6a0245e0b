"""Images from tensorflow_datasets: found, fetched where they can be, and read in a fixed order."""

import difflib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from absl import logging

from tfdfm import stores
from tfdfm.data import download
from tfdfm.data.names import NAMED
from tfdfm.data.source import Source, default_size
from tfdfm.errors import Failure, UsageError, nearest

_UNKNOWN_SIZE = 64  # for sets whose images differ in size
_BATCH = 128


def _tfds() -> ModuleType:
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise Failure(
            f"tensorflow_datasets does not import ({error}): pip install tensorflow-datasets importlib_resources"
        ) from error
    return tensorflow_datasets


def builder(name: str, data_dir: str | None) -> Any:
    """TFDS's builder of `name`, prepared or not; raises UsageError for a name that it does not know."""
    tfds = _tfds()
    data_dir = data_dir or os.environ.get("TFDS_DATA_DIR") or None
    if stores.is_url(data_dir or ""):
        data_dir = _fetched(name, data_dir)
    try:
        return tfds.builder(name, data_dir=data_dir and os.path.expanduser(data_dir))
    except Exception as error:
        raise _refusal(tfds, name, error) from error


def _fetched(name: str, data_dir: str) -> str:
    """A folder with what a store has of the configuration, or of all that `name` has."""
    base, _, config = name.partition(":")[0].partition("/")
    return str(stores.fetched(f"{data_dir}/{base}", lambda name: not config or name.startswith(f"{config}/")).parent)


def _refusal(tfds: ModuleType, name: str, error: Exception) -> UsageError:
    """What is wrong with `name`: the data set, its configuration, or what TFDS says."""
    base, _, config = name.partition("/")
    known = tfds.list_builders(with_community_datasets=False)
    if isinstance(error, tfds.core.DatasetNotFoundError) or not base.partition(":")[0].isidentifier():
        near = difflib.get_close_matches(name, known, n=3)
        message = nearest(
            "data set", name, {*NAMED, "folder:DIR_OR_ZIP", "webdataset:SHARDS", "huggingface:NAME", *near}
        )
        return UsageError(f"{message[:-1]}, and every image set of tensorflow_datasets.")
    configs = tfds.builder_cls(base).builder_configs if base in known else {}
    if config and configs and config.partition(":")[0] not in configs:
        return UsageError(nearest(f"configuration of {base}", config, configs))
    return UsageError(f"tensorflow_datasets refuses {name!r}: {' '.join(str(error).split())[:500]}")


def title(found: Any, split: str) -> str:
    """In words: which data set, configuration, version and split."""
    config = f"/{found.builder_config.name}" if found.builder_config else ""
    return f"tfds {found.name}{config}:{found.version} {split}"


# ------------------------------------------------------------------------------------------------------------ fetching


def _wanted_files(found: Any) -> str:
    """The files that TFDS would fetch for this configuration, with their sizes, at most four."""
    infos = found.url_infos or {}
    config = found.builder_config.name.split("x")[0] if found.builder_config else ""  # 32x32: Imagenet32_train_npz.zip
    urls = [url for url in infos if config in url] or list(infos)
    listed = [f"{url} as {infos[url].filename or 'it is named'} ({infos[url].size / 1e6:.1f} MB)" for url in urls[:4]]
    return ", ".join(listed) + (f" and {len(urls) - 4} more" if len(urls) > 4 else "") or "its files"


def _cannot_be_had(found: Any, name: str, why: str) -> Failure:
    root = found.data_dir_root
    manual = " ".join((found.MANUAL_DOWNLOAD_INSTRUCTIONS or "").split()).rstrip(".")
    todo = manual or f"fetch {_wanted_files(found)} where there is a network"
    return Failure(
        f"The data set {name} is not prepared in {root} and cannot be had: {why.rstrip('.')}. To have it: {todo}; "
        f"put the files into {root}/downloads/manual and run: tfds build {name} --data_dir {root}"
    )


def _manual_files_missing(found: Any) -> bool:
    manual = found.data_dir_root / "downloads" / "manual"
    return bool(found.MANUAL_DOWNLOAD_INSTRUCTIONS) and not (manual.is_dir() and any(manual.iterdir()))


def prepare(found: Any, name: str) -> None:
    """Lets TFDS fetch and prepare `name`, for as long as something arrives; else Failure within about ten seconds."""
    if _manual_files_missing(found):
        raise _cannot_be_had(found, name, "its files have to be fetched by hand")
    logging.info("Fetching and preparing %s in %s.", name, found.data_dir_root)
    command = [sys.executable, "-P", download.__file__, name, str(found.data_dir_root)]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}, **quiet) as child:
        try:
            why = _follow(child.stdout, name)
        except BaseException:  # told to stop: do not wait for hours
            child.kill()
            raise
    if child.returncode:
        raise _cannot_be_had(found, name, why)
    stores.share(Path(found.data_dir_root) / found.name)


def _follow(lines: Iterable[str], name: str) -> str:
    """Logs the downloader's progress; returns the reason that it gave for ending, if any."""
    why = "TFDS ended without a word"
    for line in lines:
        kind, _, text = line.strip().partition(" ")
        if kind == "progress":
            logging.info("%s: %s.", name, text)
        why = text if kind == "error" else why
    return why


# ------------------------------------------------------------------------------------------------------------- reading


def layout(found: Any, name: str) -> tuple[int, int, tuple[str, ...]]:
    """Native side, channels and class names, from TFDS's description alone; UsageError when it has no uint8 `image`."""
    features = found.info.features
    known = list(features.keys()) if hasattr(features, "keys") else []
    image = features["image"] if "image" in known else None
    if not isinstance(image, _tfds().features.Image) or image.np_dtype != np.uint8:
        given = ", ".join(known) or "none by name"
        raise UsageError(f"Expected a data set with a uint8 feature 'image'; {name} has the features {given}.")
    height, width, channels = image.shape
    side = default_size(min(height, width)) if height and width else _UNKNOWN_SIZE
    label = features["label"] if "label" in known else None
    names = tuple(label.names or ()) if isinstance(label, _tfds().features.ClassLabel) else ()
    return side, 1 if channels == 1 else 3, names


def _read(found: Any, split: str, labelled: bool) -> Iterator[tuple[np.ndarray, int]]:
    tfds = _tfds()
    wanted = {"image": True, **({"label": True} if labelled else {})}
    together = _BATCH if all(found.info.features["image"].shape) else 1  # reading one by one takes twice as long
    rows = found.as_dataset(
        split=split,
        shuffle_files=False,
        decoders=tfds.decode.PartialDecoding(wanted),
        read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
    )
    try:
        for row in tfds.as_numpy(rows.batch(together)):
            yield from zip(row["image"], row.get("label", itertools.repeat(-1)), strict=False)
    except Exception as error:
        raise Failure(
            f"Cannot read {found.data_path}: {str(error)[:200].strip()!r}. Delete it to prepare it again."
        ) from error


def source(found: Any, name: str, wanted: Iterable[str], labels: bool = True) -> Source:
    """The images of the first wanted split that a prepared builder has, or of its largest.

    Raises UsageError: test images are wanted, and it has none.
    """
    side, channels, names = layout(found, name)
    names = names if labels else ()
    splits = found.info.splits
    split = next((split for split in wanted if split in splits), None)
    if split is None and "test" in wanted:
        raise UsageError(f"{name} has no test images, only the splits {', '.join(sorted(splits))}. Leave out :test.")
    split = split or max(splits, key=lambda each: splits[each].num_examples)
    info = splits[split]
    version = repr((title(found, split), info.num_examples, info.num_bytes, info.shard_lengths))
    return Source(
        title(found, split),
        version,
        info.num_examples,
        names,
        lambda: (side, channels),
        lambda: _read(found, split, bool(names)),
    )
