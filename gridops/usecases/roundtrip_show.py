"""One round trip with its story: what we did and booked beside what the venue says of its orders, trades and income.

Reads the journal twice: to find the trip and its orders, then to tell about them. Where both sides speak of one thing
and differ, the later word carries a mark. It asks the venue nothing: what it said is in the journal.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from gridops.adapters.journal_reader import JournalReader
from gridops.decide import tieout
from gridops.decide.roundtrip_trip import Rates, Trip
from gridops.domain import events, records
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef
from gridops.domain.values import record
from gridops.errors import ConfigError
from gridops.runtime import codec
from gridops.runtime.ports_journal import InputRow
from gridops.usecases import roundtrip
from gridops.usecases.command_evidence import newest
from gridops.usecases.place import Place
from gridops.usecases.roundtrip import Progress, Source
from gridops.usecases.roundtrip_read import History
from gridops.usecases.roundtrip_rows import TripRow, row

SHORTEST_ID = 4
MOST_ROWS = 2_000


@record
class Moment:
    """One line of the story. `differs` says how it disagrees with the other side; empty when it does not."""

    at_ms: int
    seq: int
    who: str
    """`local` or `venue`."""
    what: str
    ref: str
    detail: str
    differs: str


@record
class Story:
    source: Source
    trip: TripRow
    timeline: tuple[Moment, ...]
    cut: int
    """Lines left out of a story that is too long."""
    disagreements: int
    evidence: EvidenceRef


def execute(place: Place, trip_id: str, rates: Rates, progress: Progress = lambda _done, _total: None) -> Story:
    """Find a trip by its id or the beginning of it. ConfigError when none or several are meant."""
    source, history = roundtrip.load(place, progress)
    trip = _find(history, trip_id)
    wanted = row(trip, rates)
    with JournalReader(place.home.journal(place.account)) as journal:
        last = journal.last_row()
        teller = _Teller(history, trip, wanted.fills)
        moments = [] if last is None else list(teller.tell(journal, last.seq))
    moments.sort(key=lambda moment: (moment.at_ms, moment.seq))
    return Story(
        source=source,
        trip=wanted,
        timeline=tuple(moments[:MOST_ROWS]),
        cut=max(0, len(moments) - MOST_ROWS),
        disagreements=sum(bool(moment.differs) for moment in moments),
        evidence=newest(place.evidence_root, EvidenceMode.ROUNDTRIP),
    )


def _find(history: History, trip_id: str) -> Trip:
    if len(trip_id) < SHORTEST_ID:
        raise ConfigError(f"{trip_id!r} is too short for a trip", hint=f"give {SHORTEST_ID} characters or more")
    found = [trip for trip in roundtrip.all_trips(history) if trip.trip_id.startswith(trip_id)]
    if len(found) != 1:
        seen = "no trip begins" if not found else f"{len(found)} trips begin"
        raise ConfigError(f"{seen} with {trip_id!r}", hint="`gridops roundtrip list` shows the ids")
    return found[0]


class _Teller:
    """Tells what a journal holds about one trip."""

    def __init__(self, history: History, trip: Trip, ids: tuple[int, ...]) -> None:
        self._symbol, self._ids = trip.symbol, frozenset(ids)
        self._from_ms, self._to_ms = trip.entry_ms, trip.exit_ms if trip.close_reason else 1 << 62
        self._orders: set[str] = set()
        self._told: set[tuple[object, ...]] = set()
        self._local: dict[int, tuple[object, ...]] = {}
        self._wrong = self._causes(history)

    def _causes(self, history: History) -> dict[tuple[str, int], str]:
        tied = roundtrip.tie(history)
        return {
            (each.kind, int(each.ref)): f"{each.what}: ours {each.ours:f}, venue {each.venue:f} {each.asset}"
            for each in tieout.causes(tied.days)
            if each.ref and each.symbol == self._symbol
        }

    def tell(self, journal: JournalReader, last: int) -> Iterator[Moment]:
        named = "|".join(str(each) for each in sorted(self._ids)) or "none"
        trades = re.compile(rf'"trade_id":"?(?:{named})"?[,}}]'.encode())
        for stored in journal.rows(0, last):
            if b'"Filled"' in stored.body and trades.search(stored.body):
                self._learn(stored)
        orders = "|".join(re.escape(each) for each in sorted(self._orders)) or "-"
        words = re.compile(rf'"trade_id":"?(?:{named})"?[,}}]|"(?:{orders})"|FUNDING_FEE'.encode())
        for stored in journal.rows(0, last):
            if words.search(stored.body):
                yield from self._row(stored)

    def _learn(self, stored: InputRow) -> None:
        for said in codec.records_of(codec.decode_row(stored.body)):
            if isinstance(said, records.Filled) and self._mine(said.fill.symbol, said.fill.trade_id):
                fill = said.fill
                self._orders |= {fill.client_id} if fill.client_id else set()
                self._local[fill.trade_id] = (fill.price_ticks, fill.lots, fill.fee, fill.fee_asset, fill.realised)

    def _mine(self, symbol: str, trade_id: int) -> bool:
        return symbol == self._symbol and trade_id in self._ids

    def _row(self, stored: InputRow) -> Iterator[Moment]:
        decoded = codec.decode_row(stored.body)
        at_ms = decoded.header.venue_ms
        event = codec.event_of(decoded)
        match event:
            case events.OrderReport():
                yield from self._report(event, stored.seq)
            case events.WriteReply():
                yield from self._reply(event, stored.seq)
            case events.QueryReply():
                yield from self._query(event, stored.seq)
            case _:
                pass
        for said in codec.records_of(decoded):
            yield from self._said(said, at_ms, stored.seq)

    def _said(self, said: Any, at_ms: int, seq: int) -> Iterator[Moment]:
        """Our own deeds and bookings."""
        match said:
            case records.Sent() if said.client_id in self._orders:
                detail = f"{said.intent} {said.lots} lots at {said.price_ticks} ticks"
                yield _moment(at_ms, seq, "local", said.kind.value, said.client_id, detail)
            case records.OrderMoved() if said.client_id in self._orders:
                detail = f"{said.from_state} to {said.to_state}, filled {said.filled_lots}"
                yield _moment(at_ms, seq, "local", "order", said.client_id, detail)
            case records.Filled() if self._mine(said.fill.symbol, said.fill.trade_id):
                fill = said.fill
                key = ("filled", fill.trade_id)
                differs = "booked a second time" if key in self._told else ""
                self._told.add(key)
                detail = f"{fill.side} {fill.lots} at {fill.price_ticks}, fee {fill.fee:f} {fill.fee_asset}"
                yield _moment(fill.at_ms, seq, "local", "fill", str(fill.trade_id), detail, differs)
            case records.Booked() if said.symbol == self._symbol and self._from_ms <= said.at_ms <= self._to_ms:
                yield _moment(said.at_ms, seq, "local", said.kind, said.tran_id, f"{said.amount:f} {said.asset}")
            case _:
                pass

    def _report(self, report: events.OrderReport, seq: int) -> Iterator[Moment]:
        if report.client_id not in self._orders and not self._mine(report.symbol, report.trade_id):
            return
        if not report.trade_id:
            detail = f"{report.status}, {report.lots} lots at {report.price_ticks}, filled {report.filled_lots}"
            yield _moment(report.event_ms, seq, "venue", "order", report.client_id, f"{report.execution} {detail}")
            return
        figures = (report.last_ticks, report.last_lots, report.fee, report.fee_asset, report.realised)
        yield self._trade("stream trade", report.trade_id, report.trade_ms, seq, figures)

    def _trade(self, what: str, trade_id: int, at_ms: int, seq: int, figures: tuple[Any, ...]) -> Moment:
        ticks, lots, fee, fee_asset, realised = figures
        ours = self._local.get(trade_id)
        differs = "" if ours == figures else "not booked" if ours is None else f"booked as {_shown(ours)}"
        detail = f"{lots} at {ticks}, fee {fee:f} {fee_asset}, realised {realised:f}"
        return _moment(at_ms, seq, "venue", what, str(trade_id), detail, differs)

    def _reply(self, reply: events.WriteReply, seq: int) -> Iterator[Moment]:
        order = reply.order
        if order is not None and order.client_id in self._orders:
            detail = f"{reply.outcome}, {order.status}, {order.lots} lots at {order.price_ticks}"
            yield _moment(reply.ended_ms, seq, "venue", "answer", order.client_id, detail)

    def _query(self, reply: events.QueryReply, seq: int) -> Iterator[Moment]:
        """History rows come again with every overlapping read; each is told once."""
        for trade in reply.trades:
            if self._mine(trade.symbol, trade.trade_id) and self._first("trade", trade):
                figures = (trade.price_ticks, trade.lots, trade.fee, trade.fee_asset, trade.realised)
                yield self._trade("trade history", trade.trade_id, trade.at_ms, seq, figures)
        for income in reply.incomes:
            traded = income.trade_id.isdigit() and self._mine(income.symbol, int(income.trade_id))
            funded = income.symbol == self._symbol and not income.trade_id and self._inside(income.at_ms)
            if (traded or funded) and self._first("income", income):
                ref = income.trade_id or income.tran_id
                differs = self._wrong.get((income.income_type, int(ref)), "")
                detail = f"{income.amount:f} {income.asset}"
                yield _moment(income.at_ms, seq, "venue", income.income_type.lower(), ref, detail, differs)
        for order in reply.orders:
            if order.client_id in self._orders and self._first("order", order):
                detail = f"{order.status}, {order.lots} lots at {order.price_ticks}, filled {order.filled_lots}"
                yield _moment(order.updated_ms, seq, "venue", "order read", order.client_id, detail)

    def _inside(self, at_ms: int) -> bool:
        return self._from_ms <= at_ms <= self._to_ms

    def _first(self, what: str, told: object) -> bool:
        key = (what, told)
        new = key not in self._told
        self._told.add(key)
        return new


def _shown(figures: tuple[object, ...]) -> str:
    ticks, lots, fee, asset, realised = figures
    assert isinstance(fee, Decimal) and isinstance(realised, Decimal)
    return f"{lots} at {ticks}, fee {fee:f} {asset}, realised {realised:f}"


def _moment(at_ms: int, seq: int, who: str, what: str, ref: str, detail: str, differs: str = "") -> Moment:
    return Moment(at_ms=at_ms, seq=seq, who=who, what=what, ref=ref, detail=detail, differs=differs)
