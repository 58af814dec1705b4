"""The law of the books: net of closed trips, open inventory at mark, and every other row explain the change of equity.

Above the pairing and the tie-out, which say what happened and when the venue's wallet was read. Equity is the venue's
own figure, trips are ours: nothing here is computed from both. It holds per settlement asset, at the compared moment.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from gridops.decide.ledger import FROM_FILLS, Rows
from gridops.decide.roundtrip_columns import Columns
from gridops.decide.roundtrip_fills import money
from gridops.decide.roundtrip_pairing import Pairing
from gridops.decide.roundtrip_trip import Trip
from gridops.decide.tieout import TieOut, WalletRead
from gridops.domain.values import record

ZERO = Decimal(0)
_HALF = Decimal("0.5e-8")
"""The venue rounds every realised result and every unrealised figure to 1e-8."""


@record
class Law:
    """One settlement asset up to `to_ms`. `unattributed` is what the other figures leave of `equity_change`."""

    asset: str
    to_ms: int
    closed_net: Decimal
    """Rung trips closed by then; fees in other assets are not in this asset's equity."""
    open_net: Decimal
    """Open trips at the venue's mark, with their fees and funding so far."""
    opening_unrealised: Decimal
    other: dict[str, Decimal]
    """By kind: rows that belong to no trip, funding of a flat moment among them."""
    equity_change: Decimal
    unattributed: Decimal
    rounding: Decimal
    """What the venue's rounding may leave at most."""
    positions: dict[str, tuple[int, int]]
    """Symbol -> lots by our fills, lots by the venue."""
    ok: bool


@dataclass(slots=True)
class Books:
    """Sums up to the compared moment. One asset's symbols only."""

    closed_net: Decimal = ZERO
    open_net: Decimal = ZERO
    in_trips: int = 0
    """Funding that trips own, 1e-8."""
    fills: int = 0
    symbols: int = 0
    positions: dict[str, tuple[int, int]] = field(default_factory=dict)
    _trips: int = 0
    """Closed trips of the symbol at hand, and their sums: whole numbers, for there may be a million."""
    _units: int = 0
    _fee_e8: int = 0
    _funding_e8: int = 0
    _carry: Decimal = ZERO

    def closed(self, trip: Trip) -> None:
        """Count a closed trip of the symbol that is cut next."""
        if not trip.episode:
            self._trips += 1
            self._units += (trip.exit_units - trip.entry_units) * trip.side
            self._fee_e8 += trip.fee_e8
            self._funding_e8 += trip.funding_e8
            if trip.carry:
                self._carry += trip.carry

    def closed_columns(self, found: Columns) -> None:
        """The same of many rung trips."""
        self._trips += len(found.gross_units)
        self._units += sum(found.gross_units)
        self._fee_e8 += sum(found.fee_e8)

    def cut(self, pairing: Pairing, closing: WalletRead) -> None:
        """The moment has come: what is open is worth its mark."""
        symbol, instrument = pairing.fills.instrument.symbol, pairing.fills.instrument
        self.add_up(instrument.unit)
        mark = closing.marks.get(symbol, ZERO)
        for trip in pairing.open_trips(episode=False):
            self.open_net += _net(trip) + mark * instrument.quantity(trip.open_lots) * trip.side
            self.in_trips += trip.funding_e8
        self.fills += pairing.next_row
        self.symbols += 1
        self.positions[symbol] = (pairing.books.position, closing.lots.get(symbol, 0))

    def merge(self, other: "Books") -> None:
        """Count what was added up apart."""
        self.closed_net += other.closed_net
        self.open_net += other.open_net
        self.in_trips += other.in_trips
        self.fills += other.fills
        self.symbols += other.symbols
        self.positions |= other.positions

    def add_up(self, unit: Decimal) -> None:
        """Make money of what was counted, all of one symbol; `unit` is what a tick of a lot of it is worth."""
        if self._trips:
            paid = money(self._fee_e8)
            self.closed_net += unit * self._units + self._carry - paid + money(self._funding_e8)
            self.in_trips += self._funding_e8
        self._trips = self._units = self._fee_e8 = self._funding_e8 = 0
        self._carry = ZERO

    def judge(self, tied: TieOut, ours: Rows, asset: str) -> list[Law]:
        """The law; empty when no wallet could be compared."""
        if tied.closing is None or tied.opening is None:
            return []
        other = _others(ours, asset, tied.from_ms, tied.closing.from_ms)
        other["FUNDING_FEE"] = other.get("FUNDING_FEE", ZERO) - money(self.in_trips)
        start = sum((tied.opening.unrealised.get(name, ZERO) for name in self.positions), start=ZERO)
        end = sum((tied.closing.unrealised.get(name, ZERO) for name in self.positions), start=ZERO)
        change = money(tied.closing.wallets.get(asset, 0) - tied.opening.wallets.get(asset, 0)) + end - start
        explained = self.closed_net + self.open_net - start + sum(other.values(), start=ZERO)
        unattributed = change - explained
        rounding = Decimal("1e-8") + _HALF * (self.fills + 2 * self.symbols)
        return [
            Law(
                asset=asset,
                to_ms=tied.closing.from_ms,
                closed_net=self.closed_net,
                open_net=self.open_net,
                opening_unrealised=start,
                other={kind: amount for kind, amount in other.items() if amount},
                equity_change=change,
                unattributed=unattributed,
                rounding=rounding,
                ok=abs(unattributed) <= rounding,
                positions=dict(self.positions),
            )
        ]


def _net(trip: Trip) -> Decimal:
    """In the settlement asset alone."""
    return trip.gross - money(trip.fee_e8) + trip.funding


def _others(ours: Rows, asset: str, from_ms: int, to_ms: int) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for key, stream in ours.streams.items():
        if key.asset == asset and key.kind not in FROM_FILLS:
            rows = zip(stream.at_ms, stream.amount_e8, strict=True)
            inside = sum(amount for at, amount in rows if from_ms <= at < to_ms)
            found[key.kind] = found.get(key.kind, ZERO) + money(inside)
    return found
