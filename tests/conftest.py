"""Every test runs from a bare checkout, on two logical CPUs, and touches no cache but its own."""

import atexit
import gc
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="tfdfm-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)
ROOT = str(Path(__file__).parents[1])
sys.path[:0] = [ROOT, f"{ROOT}/tests/helpers"]
os.environ["PYTHONPATH"] = ROOT  # of the processes that tests start

import keras  # noqa: E402
import pytest  # noqa: E402
import tensorflow as tf  # noqa: E402
from absl import logging  # noqa: E402
from selenium import webdriver  # noqa: E402

from tfdfm.training import keras_internals  # noqa: E402

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


gc.freeze()  # what was imported stays
gc.set_threshold(100_000)  # graphs are made of many objects: looking through them is 6 % of the time otherwise
VERBOSITY = logging.get_verbosity()


@pytest.fixture(autouse=True)
def verbosity():
    """Commands that ran in this process have set another."""
    logging.set_verbosity(VERBOSITY)


@pytest.fixture(autouse=True, scope="module")
def freed():
    """Nothing that a file's trainings leave in TensorFlow slows the next file's."""
    with keras_internals.freed():
        yield


@pytest.fixture(scope="session")
def classifier(tmp_path_factory) -> str:
    """The path of a Keras network of ten classes with random weights: gray 16 x 16 -> logits, 24 features before."""
    make = keras.initializers.RandomNormal(0, 0.1, seed=0)
    layers = [
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(24, 5, 2, activation="relu", kernel_initializer=make),
    ]
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10, kernel_initializer=make)]
    path = tmp_path_factory.mktemp("classifier") / "random.keras"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Keras's, of NumPy
        keras.Sequential([keras.Input([16, 16, 1]), *layers]).save(path)
    return str(path)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Headless Chromium, driven by Selenium; its log is kept."""
    if missing := [name for name in ("chromium", "chromedriver") if not shutil.which(name)]:
        pytest.skip(f"The page needs a browser: {' and '.join(missing)} is not on the PATH.")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    folder = tmp_path_factory.mktemp("browser")
    for flag in ("headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking",
                 "disable-component-update", "disable-sync", f"user-data-dir={folder}"):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


LONGEST = "test_digits.py"
QUICK = ("test_imports.py", "test_docs.py", "recipes/", "networks/", "objectives/", "metrics/")
LONG = ("test_resume.py", "conformance/", "test_saved_model.py", "training/", "searching/", "runs/", "evaluation/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first, then what says soon that something is wrong, and what is long before the rest: no worker
    waits for another at the end. What is marked `whole` is --all's."""
    if not os.environ.get("TFDFM_TEST_ALL"):
        items[:] = [item for item in items if not item.get_closest_marker("whole")]
    order = (LONGEST, *QUICK, *LONG)

    def place(item):
        file, *_ = item.nodeid.split("::")
        return next((place for place, name in enumerate(order) if name in file), len(order))

    items.sort(key=place)
