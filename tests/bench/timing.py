"""Interleaved timing: the sides of a comparison take turns in one run, so that a slow moment hits all of them alike.

CPU time, not wall, because machines are shared; medians over rounds. The collector stays on: what a side leaves
behind is part of its price.
"""

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median

Work = Callable[[], int]
"""The timed part; returns how many operations it was."""
Side = Callable[[], Work]
"""Prepares one round, untimed, and returns the work to be timed."""


def interleave(
    sides: Mapping[str, Side], *, rounds: int, cpu: Callable[[], int] = time.thread_time_ns
) -> dict[str, float]:
    """Median nanoseconds of CPU per operation of each side. The first round warms up and is dropped."""
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, prepare in sides.items():
            work = prepare()
            gc.collect()
            began = cpu()
            count = work()
            took = cpu() - began
            if number:
                spent[name].append(took / count)
    return {name: median(values) for name, values in spent.items()}


def quantile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
