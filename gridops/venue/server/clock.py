"""The venue's protocol clock: real time, or a clock that only the control port moves.

Sits under everything on the wire. `skew_ms` shifts only what the wire shows and checks (server time, timestamps),
never the core's own time; it refuses to run backwards.
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


class RealClock:
    """The machine's wall clock, held still while it steps back."""

    def __init__(self, floor_ms: int = 0) -> None:
        self.skew_ms = 0
        self._last_ms = floor_ms

    def now_ms(self) -> int:
        """Wall time; at least `floor_ms`, so that a restarted venue never lives before its own past."""
        self._last_ms = max(self._last_ms, time.time_ns() // 1_000_000)
        return self._last_ms

    def wire_ms(self) -> int:
        """Wall time plus the skew under test."""
        return self.now_ms() + self.skew_ms


class ManualClock:
    """Moves only when told; for drills that need the same run twice."""

    def __init__(self, start_ms: int) -> None:
        self.skew_ms = 0
        self._now_ms = start_ms

    def now_ms(self) -> int:
        """The time last set."""
        return self._now_ms

    def wire_ms(self) -> int:
        """The time last set plus the skew under test."""
        return self._now_ms + self.skew_ms

    def advance(self, by_ms: int) -> None:
        """Move forward by a non-negative number of milliseconds."""
        if by_ms < 0:
            raise ValueError("the venue clock does not run backwards")
        self._now_ms += by_ms
