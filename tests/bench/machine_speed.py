"""How fast this machine is now: a value with eight slots built, against what it took where the aims were set.

Published figures and aims in microseconds come from that machine; this factor says how far they carry over.
"""

from dataclasses import dataclass

from tests.bench.table import Result, times, us
from tests.bench.timing import Work, interleave

BUILDS = 2_000
THERE_NS = 350
"""Middle of the 0.25 to 0.45 us measured there."""


@dataclass(slots=True)
class _Eight:
    a: int
    b: int
    c: int
    d: int
    e: int
    f: int
    g: int
    h: int


def run() -> list[Result]:
    """One row, nothing to meet."""
    took = interleave({"build": side}, rounds=25)["build"]
    return [
        Result(
            row="-",
            what="machine: one value of eight slots built",
            here=us(took),
            against=f"where the aims were set: {us(THERE_NS)}",
            ratio=times(took / THERE_NS),
            factor=took / THERE_NS,
        )
    ]


def side() -> Work:
    def work() -> int:
        for number in range(BUILDS):
            _Eight(number, 2, 3, 4, 5, 6, 7, 8)
        return BUILDS

    return work
