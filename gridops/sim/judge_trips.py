"""Round trips against the fills they were made of: the judge's part that adds up twice.

Fed by `judge_rows` with what the journal says, in order: fills, trips, funding. A trip must be right in itself, and at
the end trips and open lots together must hold every filled lot, every fee and every tick of price once. Which fill
closed which lot a sum does not see: `judge_trip_order` does.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Protocol

from gridops.domain.orders import Fill
from gridops.domain.records import Booked, TripClosed
from gridops.domain.vocabulary import Side
from gridops.sim.judge_trip_order import Execution, TripOrder
from gridops.sim.violation import Verdicts

_EXACT = Decimal("1e-12")
"""A fee shared over parts of a fill is rounded at its 28th digit."""
_ROUNDED = Decimal("1e-8")
"""What the venue rounds of each fill's result."""
_FUNDING, _UNATTRIBUTED = "funding_fee", "unattributed"


class Lot(Protocol):
    """An open lot, as the engine's book holds it at the end."""

    side: Side
    lots: int
    closed_lots: int
    entry_units: int
    exit_units: int
    fees: Decimal
    funding: Decimal


class TripJudge:
    """Sums over one symbol. `unit` is the quote value of a tick times a lot; 0 until a run has said it."""

    def __init__(self, verdicts: Verdicts) -> None:
        self._say = verdicts.broken
        self.checks = 0
        self.unit, self.asset = Decimal(0), ""
        self.order = TripOrder(verdicts)
        self.skewed = False
        """A position was entered that no fill explains: the sums cannot agree."""
        self._position = 0
        self._lots = self._cash_units = self._fills = 0
        self._fees = self._funding = Decimal(0)
        self._trip_lots = self._trip_units = 0
        self._trip_fees = self._trip_funding = Decimal(0)
        self._ids: set[str] = set()

    def filled(self, fill: Fill) -> None:
        """A fill was booked."""
        self.order.filled(fill)
        self._position += fill.side.sign * fill.lots
        self._lots += fill.lots
        self._fills += 1
        self._cash_units -= fill.side.sign * fill.price_ticks * fill.lots
        if fill.fee_asset == self.asset:
            self._fees += fill.fee

    def booked(self, row: Booked) -> None:
        """Another row of the ledger. Funding without a position belongs to no trip."""
        if row.kind == _FUNDING and self._position:
            self._funding += row.amount
        elif row.kind == _UNATTRIBUTED:
            self.skewed = True

    def closed(self, trip: TripClosed) -> None:
        """A trip ended; it must be right in itself and new."""
        self.checks += 1
        units = (trip.exit_ticks_x_lots - trip.entry_ticks_x_lots) * Side(trip.side).sign
        wrong = self._wrong(trip, units)
        if wrong:
            self._say("I-22", f"trip {trip.trip_id}: {wrong}")
        self._ids.add(trip.trip_id)
        self.order.closed(trip)
        self._trip_lots += 2 * trip.lots
        self._trip_units += units
        self._trip_fees += trip.fees
        self._trip_funding += trip.funding

    def settle(self, lots: Sequence[Lot], executions: Iterable[Execution], earned: Decimal) -> None:
        """At the end: trips and open lots are the fills, each once. Not for a book that began with a position.

        `executions` are the venue's, in its order; `earned` is what the ledger calls realised, and what the position
        cost by the venue's entry price.
        """
        if self.skewed or not self.unit:
            return
        self.checks += 5
        held = self._trip_lots + sum(lot.lots + lot.closed_lots for lot in lots)
        units = self._trip_units + sum((lot.exit_units - lot.entry_units) * lot.side.sign for lot in lots)
        fees = self._trip_fees + sum((lot.fees for lot in lots), Decimal(0))
        funding = self._trip_funding + sum((lot.funding for lot in lots), Decimal(0))
        if held != self._lots:
            self._say("I-22", f"trips and open lots hold {held} filled lots, {self._lots} were booked")
        if units != self._cash_units:
            self._say("I-22", f"trips and open lots earned {units} units, the fills {self._cash_units}")
        for what, told, paid in (("fees", fees, self._fees), ("funding", funding, self._funding)):
            if not abs(told - paid) <= _EXACT:
                self._say("I-22", f"{what} of trips and open lots {told}, of the ledger {paid}")
        if abs(units * self.unit - earned) > _ROUNDED * (self._fills + 1):
            self._say("I-22", f"trips and open lots earned {units * self.unit}, the ledger {earned}")
        self.order.settle(executions)

    def _wrong(self, trip: TripClosed, units: int) -> str:
        """What is wrong with a trip by itself; empty when nothing is."""
        if trip.net != trip.gross - trip.fees + trip.funding or not trip.net.is_finite():
            return f"net {trip.net}, {trip.gross} - {trip.fees} + {trip.funding}"
        if trip.lots <= 0 or not 0 <= trip.maker_lots <= 2 * trip.lots:
            return f"{trip.lots} lots, {trip.maker_lots} of both sides as maker"
        if self.unit and trip.gross != self.unit * units:
            return f"gross {trip.gross}, by its own prices {self.unit * units}"
        return "it was told before" if trip.trip_id in self._ids else ""
