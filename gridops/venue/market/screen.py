"""Judges the times and ids of recorded rows: serve, drop, or refuse the recording.

Sits between the decoded lines and the book. A row that stands alone (a trade, a mark) may be dropped and named; a depth
row may not, because every later level rests on it.
"""

from collections import deque
from pathlib import Path

from gridops.errors import RecordingError
from gridops.venue.market.quarantine import Quarantine
from gridops.venue.market.raw_lines import AggTrade, Damage, Trade

LATE_MS = 2_000
"""A row may be this much older than the newest one before it; sorting puts it right. The recordings show 179 ms."""
LEAP_MS = 60_000
"""A row further ahead than this, while the recorder's own clock did not move, carries a wrong time."""
MALFORMED_LIMIT = 3
_REMEMBERED_IDS = 20_000


class Screen:
    """State of one file's screening; `begin` moves to the next file."""

    def __init__(self, quarantine: Quarantine) -> None:
        self.newest_ms = 0
        self._quarantine = quarantine
        self._malformed = 0
        self._path = Path()
        self._skew_ms = 0
        self._ids: dict[str, _RecentIds] = {}

    def begin(self, path: Path, skew_ms: int) -> None:
        self._path = path
        self._skew_ms = skew_ms
        self._malformed = 0

    def damaged(self, number: int, damage: Damage) -> None:
        """Drop a line that is no message; more than a few mean the file is not to be trusted."""
        self._malformed += 1
        if self._malformed > MALFORMED_LIMIT:
            raise RecordingError(f"{self._path}:{number}: {damage.why}; more than {MALFORMED_LIMIT} such lines")
        self._quarantine.drop(self._path, number, damage.why)

    def drop(self, number: int, why: str) -> None:
        self._quarantine.drop(self._path, number, why)

    def misplaced(self, at_ms: int, received_ms: int) -> str | None:
        """Why a row's event time cannot be right, or None; an accepted time becomes the newest."""
        behind_ms = self.newest_ms - at_ms
        if behind_ms > LATE_MS:
            return f"{behind_ms} ms older than the row before it"
        if self.newest_ms and -behind_ms > LEAP_MS and self._ahead_of_recorder(at_ms, received_ms):
            return f"{-behind_ms} ms ahead of the row before it"
        self.newest_ms = max(self.newest_ms, at_ms)
        return None

    def _ahead_of_recorder(self, at_ms: int, received_ms: int) -> bool:
        return at_ms - (received_ms - self._skew_ms) > LEAP_MS

    def repeated(self, trade: Trade | AggTrade) -> bool:
        """Whether this trade's id was seen already."""
        if trade.s not in self._ids:
            self._ids[trade.s] = _RecentIds()
        return not self._ids[trade.s].add(trade.t if isinstance(trade, Trade) else trade.a)


class _RecentIds:
    """The last ids of one symbol, enough to tell a repeat from a late row."""

    def __init__(self) -> None:
        self._order: deque[int] = deque()
        self._known: set[int] = set()

    def add(self, identity: int) -> bool:
        if identity in self._known:
            return False
        self._known.add(identity)
        self._order.append(identity)
        if len(self._order) > _REMEMBERED_IDS:
            self._known.discard(self._order.popleft())
        return True
