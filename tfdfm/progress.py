"""How far a long loop is, one line every ten seconds: nothing looks hung."""

import time
from collections.abc import Callable

from absl import logging

SECONDS = 10


def progress(what: str, count: int) -> Callable[[int], None]:
    """A function to tell how many of `count` are done."""
    start = said = time.monotonic()

    def tell(done: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= SECONDS or (done >= count and said > start):
            said = now
            logging.info("%s: %d of %d images, %.0f/s.", what, done, count, done / (now - start))

    return tell
