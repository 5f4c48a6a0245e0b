"""Progress of long work, one line every ten seconds: nothing looks hung."""

import time
from collections.abc import Callable

from absl import logging

SECONDS = 10


def progress(what: str, count: int, unit: str = "images") -> Callable[[int], None]:
    """A function to tell how many of `count` (0: not known) are done."""
    start = said = time.monotonic()

    def tell(done: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= SECONDS or (count and done >= count and said > start):
            said = now
            logging.info("%s: %s", what, line(done, count, now - start, unit))

    return tell


def line(done: int, count: int, seconds: float, unit: str) -> str:
    """12 of 64 images, 3/s, 00:00:17 left"""
    text = f"{done:,} of {count:,} {unit}" if count else f"{done:,} {unit}"
    rate = done / seconds if seconds > 0 else 0
    if not rate:
        return text
    return f"{text}, {rate:,.0f}/s" + (f", {left((count - done) / rate)} left" if count else "")


def left(seconds: float) -> str:
    """1d 02:03:04"""
    days, rest = divmod(int(seconds), 86400)
    return f"{f'{days}d ' * (days > 0)}{time.strftime('%H:%M:%S', time.gmtime(rest))}"
