"""What the fuzzer tells: a table of its requests, how the honest clients fared, the server's size, the faults."""

import json
import statistics
from collections import Counter
from pathlib import Path

import numpy as np
from honest import Answer


def split(answers: list[Answer], moments: list[float]) -> dict[str, list[Answer]]:
    """Those of the time before, during and after the fuzzer."""
    places = np.searchsorted(moments, [one.start for one in answers], "right")
    return {
        name: [one for one, at in zip(answers, places, strict=True) if at == place]
        for place, name in enumerate(("alone, before", "beside the fuzzer", "alone, after"), 1)
    }


def report(fuzzer, answers: dict[str, list[Answer]], path: str | None) -> int:
    """Prints what was seen; the exit code."""
    print(f"{'kind':40}{'number':>8}{'worst s':>9}  answers")
    for kind, codes in sorted(fuzzer.codes.items()):
        said = ", ".join(f"{code} {count}" for code, count in codes.most_common())
        print(f"{kind:40}{codes.total():8}{fuzzer.worst[kind]:9.2f}  {said}")
    print(f"half-open at once: {fuzzer.flood or 'none'}")
    print(f"{'honest requests':20}{'number':>8}{'wrong':>7}{'failed':>8}{'median ms':>11}{'99 %':>8}{'worst':>8}"
          f"{'late':>8}")  # fmt: skip
    found = {name: summary(ones) for name, ones in answers.items() if ones}
    for name, one in found.items():
        print(f"{name:20}{one['number']:8}{one['wrong']:7}{one['failed']:8}{one['ms']:11.1f}{one['ms_99']:8.1f}"
              f"{one['ms_worst']:8.1f}{one['late']:8.2%}")  # fmt: skip
        for error, count in one["errors"].items():
            fuzzer.faults[f"honest, {name}: {error}"] = count
    first, most, last = fuzzer.sizes[0], max(fuzzer.sizes), fuzzer.sizes[-1]
    print(f"server: {first[0]:.0f} MiB before, {most[0]:.0f} at most, {last[0]:.0f} after")
    tenths = (fuzzer.sizes[place * (len(fuzzer.sizes) - 1) // 10][0] for place in range(11))
    print(f"MiB by tenths of the time: {', '.join(f'{size:.0f}' for size in tenths)}")
    descriptors = max(size[1] for size in fuzzer.sizes)
    print(f"descriptors: {first[1]} before, {descriptors} at most, {last[1]} after")
    print(f"faults: {dict(fuzzer.faults) or 'none'}")
    if path:
        Path(path).write_text(json.dumps({"honest": found, "codes": fuzzer.codes, "worst": fuzzer.worst,
                                          "faults": fuzzer.faults, "sizes": [first, most, last]}) + "\n")  # fmt: skip
    return 1 if fuzzer.faults else 0


def summary(answers: list[Answer]) -> dict:
    """late: the share of those beyond twice the median."""
    times = sorted(1e3 * one.seconds for one in answers)
    middle = statistics.median(times)
    return {
        "number": len(times),
        "wrong": sum(one.wrong == "image" for one in answers),
        "failed": sum(bool(one.wrong) and one.wrong != "image" for one in answers),
        "ms": middle,
        "ms_99": times[int(0.99 * (len(times) - 1))],
        "ms_worst": times[-1],
        "late": sum(time > 2 * middle for time in times) / len(times),
        "errors": Counter(f"{one.way} {one.wrong}" for one in answers if one.wrong),
    }
