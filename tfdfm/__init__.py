"""Generators trained with denoising feature matching (Warde-Farley & Bengio, ICLR 2017).

`tfdfm.train`, `load` and `connect` are for Python; `python -m tfdfm.train` and its like for a shell. Nothing heavy is
imported before it is used.
"""

import importlib
import os
import platform
from typing import TYPE_CHECKING, Any

from tfdfm.version import __version__

if platform.machine() in ("x86_64", "AMD64"):  # TensorFlow itself does so only where the CPU has VNNI or AMX
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # TensorFlow would take all of a GPU's memory at once

if TYPE_CHECKING:
    from tfdfm.api import Run, load, train
    from tfdfm.client import connect

__all__ = ["Run", "__version__", "connect", "load", "train"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'tfdfm' has no attribute {name!r}")
    if name == "train":  # the command's module, which can be called
        return importlib.import_module("tfdfm.train")
    return getattr(importlib.import_module("tfdfm.client" if name == "connect" else "tfdfm.api"), name)
