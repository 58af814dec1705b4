"""The venue's protocol clock: real time, or a clock that only the control port moves.

Sits under everything on the wire. `skew_ms` shifts only what the venue says of its own clock (`serverTime`) and judges
requests by (`timestamp`), never the core's own time nor the stamps of events and orders. A client that is told a time
ahead of those stamps has to take its data for old: that is what this fault is for. A client's clock that is wrong is
another fault, in which every stamp stays true; a venue cannot bring it about, the simulation does. The core's time
refuses to run backwards, and so its stamps never do.
"""

import time
from typing import Protocol


class VenueClock(Protocol):
    """Time in milliseconds since the epoch, never decreasing."""

    skew_ms: int

    def now_ms(self) -> int:
        """The time the core lives in."""

    def wire_ms(self) -> int:
        """The time clients are told and judged by."""

    def stand_still(self) -> None:
        """Stop the shown time."""

    def run_again(self) -> None:
        """Let the shown time run."""


class _Shown:
    """The time the wire shows: the core's, skewed, or standing still."""

    def __init__(self) -> None:
        self.skew_ms = 0
        self._still_ms: int | None = None

    def now_ms(self) -> int:
        raise NotImplementedError

    def wire_ms(self) -> int:
        """The core's time plus the skew under test, or the moment the shown clock was stopped at."""
        return self.now_ms() + self.skew_ms if self._still_ms is None else self._still_ms

    def stand_still(self) -> None:
        """Show this moment from now on."""
        self._still_ms = self.wire_ms()

    def run_again(self) -> None:
        """Show the present again: a jump over the time stood still."""
        self._still_ms = None


class RealClock(_Shown):
    """The machine's wall clock, held still while it steps back."""

    def __init__(self, floor_ms: int = 0) -> None:
        super().__init__()
        self._last_ms = floor_ms

    def now_ms(self) -> int:
        """Wall time; at least `floor_ms`, so that a restarted venue never lives before its own past."""
        self._last_ms = max(self._last_ms, time.time_ns() // 1_000_000)
        return self._last_ms


class ManualClock(_Shown):
    """Moves only when told; for drills that need the same run twice."""

    def __init__(self, start_ms: int) -> None:
        super().__init__()
        self._now_ms = start_ms

    def now_ms(self) -> int:
        """The time last set."""
        return self._now_ms

    def advance(self, by_ms: int) -> None:
        """Move forward by a non-negative number of milliseconds."""
        if by_ms < 0:
            raise ValueError("the venue clock does not run backwards")
        self._now_ms += by_ms
