"""A private stream that answers pings and reports nothing is deaf: every confirmed write owes a report on it.

The venue reports each order it takes, changes or cancels; when none of any kind has come a while after a confirmed
write, the connection is given up and made anew, and the engine reads the venue again. It watches for silence only: a
single lost report among others is found by the engine's own reads.
"""

import asyncio
from collections.abc import Callable

PATIENCE_MS = 4_000
"""With a second to connect anew, within the five in which a lost stream must be known."""
LOOK_S = 0.25
DEAF = "no report of a confirmed write"


class OwedReports:
    """The oldest confirmed write since the last report. Times are the monotonic clock's, in nanoseconds."""

    def __init__(self, now_ns: Callable[[], int], patience_ms: int = PATIENCE_MS) -> None:
        self._now_ns, self._patience_ns = now_ns, patience_ms * 1_000_000
        self._since_ns: int | None = None
        self._reported_ns = -1

    def wrote(self, began_ns: int) -> None:
        """The venue confirmed a write that left at `began_ns`. A report often overtakes the reply."""
        if self._since_ns is None and self._reported_ns < began_ns:
            self._since_ns = self._now_ns()

    def reported(self) -> None:
        """Something of an order came over the stream, or a new connection begins."""
        self._since_ns, self._reported_ns = None, self._now_ns()

    @property
    def due_ns(self) -> int | None:
        """When patience ends; None while nothing is owed."""
        return None if self._since_ns is None else self._since_ns + self._patience_ns

    @property
    def overdue(self) -> bool:
        return self.due_ns is not None and self._now_ns() >= self.due_ns

    async def until_overdue(self) -> str:
        """Wait for it, and say so."""
        while not self.overdue:
            await asyncio.sleep(LOOK_S)
        return DEAF
