"""The shortest schedule of faults found that still breaks the same invariant of the same seed.

Halves, then quarters and so on are left out as long as what is left breaks the same (delta debugging), within a budget
of runs. Leaving faults out changes what follows, so the result is the shortest found, not the shortest there is.
"""

from collections.abc import Callable

from gridops.domain.values import record

MOST_RUNS = 80
Breaks = Callable[[frozenset[str]], str]
"""The invariant that a run with only these faults breaks; empty when none."""


@record
class Shrunk:
    """`faults` alone still break `invariant`."""

    invariant: str
    faults: tuple[str, ...]
    before: int
    """Faults that struck in the run that failed."""
    runs: int

    def __str__(self) -> str:
        return f"{self.invariant} with {len(self.faults)} of {self.before} faults, {self.runs} runs tried"


def shrink(invariant: str, struck: tuple[str, ...], breaks: Breaks, *, most_runs: int = MOST_RUNS) -> Shrunk:
    """Leave out as many of the faults that struck as the invariant's breach allows."""
    kept, parts, runs = list(struck), 2, 0
    if kept and most_runs > 0:
        runs = 1
        if breaks(frozenset()) == invariant:
            kept = []
    while len(kept) >= 2 and runs < most_runs:
        size = max(1, len(kept) // parts)
        smaller = None
        for start in range(0, len(kept), size):
            if runs >= most_runs:
                break
            left = kept[:start] + kept[start + size :]
            runs += 1
            if left and breaks(frozenset(left)) == invariant:
                smaller = left
                break
        if smaller is not None:
            kept, parts = smaller, max(parts - 1, 2)
        elif size == 1:
            break
        else:
            parts = min(parts * 2, len(kept))
    return Shrunk(invariant=invariant, faults=tuple(kept), before=len(struck), runs=runs)
