"""A report: the page with the data of runs in it, one file that opens anywhere."""

import base64
import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files as resources
from pathlib import Path

import keras
from absl import logging

from tfdfm import files
from tfdfm.errors import Failure, UsageError, check_distinct
from tfdfm.reporting import gather

PAGE = resources("tfdfm.reporting").joinpath("page.html").read_text(encoding="utf-8")
SHARE = 0.02  # of a training's time that its reports may take


def write(run_dirs: Sequence[Path], out: Path) -> None:
    """Writes the report of one run, or of several laid over one another; whole or not at all.

    Raises:
        UsageError: a directory without a run, or one that has logged nothing yet; two of one name.
        Failure: the disk refuses, or damaged scores.
    """
    found = [gather.of_run(run_dir) for run_dir in run_dirs]
    check_distinct(run["name"] for run in found)
    with files.writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with files.whole(out) as file:
            file.write(html(found).encode())


def html(runs: Sequence[Mapping]) -> str:
    """The page. Nothing but its own script and style runs, and nothing is fetched."""
    data = json.dumps({"runs": runs}, allow_nan=False).replace("<", "\\u003c")
    title = escape(", ".join(run["name"] for run in runs))
    policy = f"default-src 'none'; {_source('script')}; {_source('style')}; img-src data:"
    page = PAGE.replace("__POLICY__", policy, 1).replace("__TITLE__", title, 1)
    before, after = page.split("__DATA__")  # last: the title may say anything, and data are not looked through
    return before + data + after


def _source(tag: str) -> str:
    """The hash by which the page's own script or style is allowed."""
    content = re.search(f"<{tag}>(.*?)</{tag}>", PAGE, re.DOTALL).group(1)
    return f"{tag}-src 'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


class Report(keras.callbacks.Callback):
    """Keeps RUN/report.html current: after pictures, when its last writing took no more than SHARE of the time since.

    What goes wrong with it is a word in the log: no training ends by its report.
    """

    def __init__(self, run_dir: Path):
        super().__init__()
        self._run_dir, self._next, self._done = run_dir, 0.0, -1

    def on_train_batch_end(self, batch: int, logs: Mapping) -> None:
        step, schedule = int(self.model.step.numpy()), self.model.schedule
        last = step >= schedule.steps or self.model.stop_training
        if step != self._done and (last or (schedule.due("sample", step) and time.monotonic() >= self._next)):
            start = time.monotonic()
            try:
                write([self._run_dir], self._run_dir / "report.html")
            except (UsageError, Failure) as error:
                logging.warning("No report: %s", error)
            self._next, self._done = time.monotonic() + (time.monotonic() - start) / SHARE, step
