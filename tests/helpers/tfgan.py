"""tensorflow-gan's evaluation functions, on a TensorFlow that its packages' own __init__ no longer imports.

tensorflow-gan 2.1.0 imports tf.estimator, which TensorFlow has not had since 2.16. The modules with the functions do
not need it: the packages above them are put in sys.modules as bare modules with a __path__, unexecuted.
"""

import importlib
import importlib.util
import sys
from types import ModuleType

from tfdfm.errors import Failure

PARENTS = ("tensorflow_gan", "tensorflow_gan.python", "tensorflow_gan.python.eval")


def module(name: str) -> ModuleType:
    """The module tensorflow_gan.python.eval.NAME, such as "sliced_wasserstein".

    Raises:
        Failure: tensorflow-gan is not installed.
    """
    for package in PARENTS:
        if package not in sys.modules:
            _bare(package)
    return importlib.import_module(f"{PARENTS[-1]}.{name}")


def _bare(package: str) -> None:
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise Failure(
            "Expected the package tensorflow-gan, found none. Install it: pip install 'tensorflow-gan >=2.1, <2.2'"
        )
    made = ModuleType(package)
    made.__path__ = list(spec.submodule_search_locations)
    made.__spec__ = spec
    sys.modules[package] = made
