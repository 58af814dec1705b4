"""The request journal of the oracle: what every client asked, in order of arrival, and what it was told.

Sits in the gateway; judges read it over the oracle. A bounded ring plus counters that never lose anything. It refuses
to keep a signature, an API key or a listen key.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

RING = 200_000
SOCKETS = 2_000
_SECRET = frozenset({"signature", "apiKey", "listenKey"})


@dataclass(slots=True)
class Entry:
    """One received request; `status` 0 means no reply was sent."""

    seq: int
    at_ms: int
    channel: str
    method: str
    path: str
    params: dict[str, str]
    account: str | None
    status: int = 0
    code: int | None = None
    applied: bool = False
    fault: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The JSON row."""
        return asdict(self)


class RequestJournal:
    """Ring of entries and counters per route and per reply code."""

    def __init__(self, size: int = RING) -> None:
        self._ring: deque[Entry] = deque(maxlen=size)
        self._seq = 0
        self.routes: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.unknown_paths: Counter[str] = Counter()
        self.internal_errors: list[str] = []
        self.sockets: deque[tuple[int, str]] = deque(maxlen=SOCKETS)
        """(venue ms, kind) of every stream socket that was opened."""

    def open(self, at_ms: int, channel: str, method: str, path: str, params: Mapping[str, str]) -> Entry:
        """Number a request; the caller completes the entry as the answer becomes known."""
        self._seq += 1
        kept = {_plain(name): _plain(held) for name, held in params.items() if name not in _SECRET}
        entry = Entry(self._seq, at_ms, channel, method, path, kept, None)
        self._ring.append(entry)
        self.routes[f"{method} {path}"[:200]] += 1
        return entry

    def opened(self, at_ms: int, kind: str) -> None:
        """A client has opened a stream socket."""
        self.sockets.append((at_ms, kind))

    def count_unknown(self, method: str, path: str) -> None:
        """A path the venue does not have: loud, because it means a client is misconfigured."""
        self.unknown_paths[f"{method} {path}"[:200]] += 1

    def since(self, seq: int, limit: int) -> list[dict[str, Any]]:
        """Entries after a sequence number, oldest first."""
        rows = [entry.as_dict() for entry in self._ring if entry.seq > seq]
        return rows[:limit]

    @property
    def last_seq(self) -> int:
        """Number of the newest entry."""
        return self._seq


def _plain(text: str) -> str:
    """Text that any JSON writer accepts, whatever bytes a client sent."""
    return text if text.isascii() else text.encode("ascii", "backslashreplace").decode()
