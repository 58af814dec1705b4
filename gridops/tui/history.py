"""What happened lately, in bounded rings: the newest records of each kind, write times, and equity over time.

Fed row by row beside the fold. Every ring has a length, so a screen that stays open for weeks holds what it held after
an hour.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Generic, TypeVar

from gridops.domain.events import BudgetSeen, Event, Header, QueryReply
from gridops.domain.records import (
    Decided,
    Filled,
    GateRefused,
    MismatchSeen,
    OutboxRefused,
    Record,
    Transition,
    TripClosed,
    Wrote,
)
from gridops.domain.values import record
from gridops.domain.vocabulary import OpKind, QueryKind
from gridops.runtime import facts
from gridops.runtime.state import EngineState

TRANSITIONS, DECISIONS, REFUSALS, FILLS, TRIPS, WRITES, MISMATCHES = 60, 200, 60, 100, 100, 256, 40
EQUITY_POINTS, EQUITY_EVERY_MS = 600, 1_000

Said = TypeVar("Said")


@record
class Entry(Generic[Said]):
    """A record with the number and wall time (unix ms) of its input."""

    seq: int
    at_ms: int
    said: Said


def _ring(length: int) -> "deque[Entry[Said]]":
    return deque(maxlen=length)


@dataclass(slots=True)
class History:
    """Newest last in every ring."""

    transitions: deque[Entry[Transition]] = field(default_factory=lambda: _ring(TRANSITIONS))
    decisions: deque[Entry[Decided]] = field(default_factory=lambda: _ring(DECISIONS))
    gate_refusals: deque[Entry[GateRefused]] = field(default_factory=lambda: _ring(REFUSALS))
    outbox_refusals: deque[Entry[OutboxRefused]] = field(default_factory=lambda: _ring(REFUSALS))
    fills: deque[Entry[Filled]] = field(default_factory=lambda: _ring(FILLS))
    trips: deque[Entry[TripClosed]] = field(default_factory=lambda: _ring(TRIPS))
    mismatches: deque[Entry[MismatchSeen]] = field(default_factory=lambda: _ring(MISMATCHES))
    latency_ms: dict[OpKind, deque[int]] = field(default_factory=dict)
    """Newest round-trip times of each kind of write, as our clock measured them."""
    refused_by_gate: Counter[str] = field(default_factory=Counter)
    """Since the screen's look-back began; as many keys as there are gates."""
    equity: deque[tuple[int, Decimal]] = field(default_factory=lambda: deque(maxlen=EQUITY_POINTS))
    last_choice: dict[tuple[str, int], Entry[Decided]] = field(default_factory=dict)
    """(symbol, level) -> newest decision about it; as many keys as the ladder has rungs."""
    margin_read: Entry[QueryReply] | None = None
    """Newest read of positions and margin that showed a position."""
    budget_seen: Entry[BudgetSeen] | None = None

    def take(self, header: Header, event: Event, records: list[Record], state: EngineState) -> None:
        """Remember one row; `state` is the state after it."""
        if isinstance(event, QueryReply) and event.kind is QueryKind.POSITIONS and any(p.lots for p in event.positions):
            self.margin_read = Entry(seq=header.seq, at_ms=header.wall_ms, said=event)
        elif isinstance(event, BudgetSeen):
            self.budget_seen = Entry(seq=header.seq, at_ms=header.wall_ms, said=event)
        for said in records:
            self._keep(header, said)
        if not self.equity or header.wall_ms - self.equity[-1][0] >= EQUITY_EVERY_MS:
            equity = facts.equity(state) if state.symbols else None
            if equity is not None:
                self.equity.append((header.wall_ms, equity))

    def recall(self, header: Header, records: list[Record]) -> None:
        """Remember the rare records of an old row; what the state was then is not known."""
        for said in records:
            if isinstance(said, Transition | Filled | TripClosed):
                self._keep(header, said)

    def _keep(self, header: Header, said: Record) -> None:
        match said:
            case Transition():
                self.transitions.append(_entry(header, said))
            case Decided():
                entry = _entry(header, said)
                self.decisions.append(entry)
                self.last_choice[said.choice.symbol, said.choice.level] = entry
            case GateRefused():
                self.gate_refusals.append(_entry(header, said))
                self.refused_by_gate[said.gate.value] += 1
            case OutboxRefused():
                self.outbox_refusals.append(_entry(header, said))
            case Filled():
                self.fills.append(_entry(header, said))
            case TripClosed():
                self.trips.append(_entry(header, said))
            case MismatchSeen():
                self.mismatches.append(_entry(header, said))
            case Wrote():
                self.latency_ms.setdefault(said.kind, deque(maxlen=WRITES)).append(said.latency_ms)
            case _:
                pass


def _entry(header: Header, said: Said) -> Entry[Said]:
    return Entry(seq=header.seq, at_ms=header.wall_ms, said=said)
