"""What a drill is judged by: the rows that became durable, the requests that left, and what rested at the venue.

Fed while a drill runs; times are milliseconds since the engine's first start. It believes the disk and the venue, never
the engine's memory, and judges nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from gridops.adapters.clock import Clock
from gridops.domain.effects import Answer, Finish, WriteBundle
from gridops.domain.events import Boot
from gridops.domain.records import ConditionEdge, Record, Transition
from gridops.domain.values import value
from gridops.runtime import codec
from gridops.runtime.ports_journal import JournalRow
from gridops.sim.judge import Judge

R = TypeVar("R")
Leg = tuple[str, int, int]
"""Client id, price in ticks, total lots."""


@value
class Said:
    """A record of the journal, an effect ordered with it, or the start of a run."""

    at_ms: int
    seq: int
    what: Record | Boot | Answer | Finish | WriteBundle


@value
class VenuePoint:
    """The venue's truth after something changed there."""

    at_ms: int
    risk: int
    """Own orders that may raise risk."""
    position: int
    worst_units: int

    @property
    def risk_rests(self) -> bool:
        return self.risk > 0


@value
class Raised:
    """A request that raises risk left the process."""

    at_ms: int
    ids: tuple[str, ...]


class Tape:
    """One run's observations, in order."""

    def __init__(self, judge: Judge, clock: Clock, now_ms: Callable[[], int]) -> None:
        self._judge, self._clock, self._now_ms = judge, clock, now_ms
        self._boot_base_ms: dict[str, int] = {}
        self.said: list[Said] = []
        self.points: list[VenuePoint] = []
        self.raised: list[Raised] = []
        self.bodies: list[bytes] = []
        self.amend_legs: list[Mapping[str, Any]] = []
        """Of every amend request that left, as it was written."""

    def new_process(self) -> None:
        """A process starts: note how its boot clock relates to the drill's time."""
        self._boot_base_ms[self._clock.boot_id()] = self._now_ms() - self._clock.boot_ns() // 1_000_000

    def on_row(self, row: JournalRow) -> None:
        """A row became durable."""
        self.bodies.append(row.body)
        stored = codec.decode_row(row.body)
        header = stored.header
        at_ms = self._boot_base_ms[header.boot_id] + header.boot_ns // 1_000_000
        if row.kind == Boot.__name__:
            event = codec.event_of(stored)
            assert isinstance(event, Boot)
            self.said.append(Said(at_ms, header.seq, event))
        for record in codec.records_of(stored):
            self.said.append(Said(at_ms, header.seq, record))
        for effect in codec.effects_of(stored):
            if isinstance(effect, Answer | Finish | WriteBundle):
                self.said.append(Said(at_ms, header.seq, effect))

    def on_write(self, method: str, path: str, params: Mapping[str, Any]) -> None:
        """A request leaves the process."""
        if method == "PUT" and "order" in path.lower():
            self.amend_legs += params.get("batchOrders", [params])
        ids = self._judge.raising(method, path, params)
        if ids:
            self.raised.append(Raised(self._now_ms(), tuple(ids)))

    def look(self) -> None:
        """Something happened at the venue."""
        judge = self._judge
        point = VenuePoint(self._now_ms(), judge.risks(), judge.position, judge.worst_units())
        last = self.points[-1] if self.points else None
        changed = last is None or (last.risk, last.position, last.worst_units) != (
            point.risk,
            point.position,
            point.worst_units,
        )
        if changed:
            self.points.append(point)

    def of(self, kind: type[R], since_ms: int = 0) -> Iterator[tuple[int, R]]:
        """(ms, record) of one type, from a time on."""
        for said in self.said:
            if said.at_ms >= since_ms and isinstance(said.what, kind):
                yield said.at_ms, said.what

    def transitions(self, since_ms: int = 0) -> list[tuple[int, Transition]]:
        return list(self.of(Transition, since_ms))

    def edges(self, since_ms: int = 0) -> list[tuple[int, ConditionEdge]]:
        return list(self.of(ConditionEdge, since_ms))

    def point_at(self, at_ms: int) -> VenuePoint:
        """The venue's truth as of a moment."""
        before = [point for point in self.points if point.at_ms <= at_ms]
        return before[-1] if before else VenuePoint(0, 0, 0, 0)
