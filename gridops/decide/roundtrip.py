"""Round trips of the grid: an opening lot paired with what closes it, from fills alone.

A lot is what one opening order filled. A closing fill takes lots of its own grid cell (same distance from the centre)
first, oldest first, then the oldest of the other cells; what is left opens a lot of the other side, so a flip is split
at zero. Every filled lot is in exactly one trip or one open lot. Works on fills in the order given; decides nothing.
Rounding is named: a library in the trading process changes the thread's default, and a replay does not load it.
"""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from hashlib import sha256

from gridops.decide.words import BUY
from gridops.domain.instrument import Instrument
from gridops.domain.orders import Fill
from gridops.domain.records import TripClosed
from gridops.domain.vocabulary import Side


@dataclass(slots=True)
class OpenLot:
    """What one opening order filled and nothing has closed yet; the exit side collects as it closes."""

    client_id: str
    side: Side
    level: int
    regime: str
    entry_ms: int
    lots: int = 0
    entry_units: int = 0
    """Sum of price ticks x lots over the entry fills."""
    closed_lots: int = 0
    exit_units: int = 0
    exit_ms: int = 0
    maker_lots: int = 0
    fees: Decimal = Decimal(0)
    funding: Decimal = Decimal(0)
    slippage_units: int = 0
    unvalued_fee: bool = False
    fill_ids: list[int] = field(default_factory=list)

    @property
    def remaining(self) -> int:
        return self.lots - self.closed_lots


@dataclass(slots=True)
class TripBook:
    """Open lots of one symbol, oldest first. All are of one side: a position has one sign."""

    lots: list[OpenLot] = field(default_factory=list)

    def open_lots(self) -> int:
        """Signed lots that no exit has closed."""
        total = 0
        for lot in self.lots:
            left = lot.lots - lot.closed_lots
            total += left if lot.side is BUY else -left
        return total


def opening(book: TripBook, *, lots: int, price_ticks: int, at_ms: int) -> None:
    """Enter a position that existed before the journal, as one lot without fills."""
    if lots == 0:
        return
    side = Side.BUY if lots > 0 else Side.SELL
    book.lots.append(
        OpenLot("opening", side, 0, "", at_ms, lots=abs(lots), entry_units=price_ticks * abs(lots)),
    )


def apply(book: TripBook, fill: Fill, instrument: Instrument) -> list[TripClosed]:
    """Book one fill; the trips it completes, oldest entry first. Changes `book`."""
    left, closed = fill.lots, []
    while left and book.lots and book.lots[0].side is not fill.side:
        lot = _pick(book, fill)
        taken = min(left, lot.remaining)
        _close(lot, fill, taken, instrument)
        left -= taken
        if lot.remaining == 0:
            book.lots.remove(lot)
            closed.append(_trip(lot, fill, instrument))
    if left:
        _open(book, fill, left, instrument)
    return closed


def fund(book: TripBook, amount: Decimal) -> None:
    """Share a funding payment over the open lots by size; the last takes the rounding."""
    total = sum(lot.remaining for lot in book.lots)
    if not total:
        return
    left = amount
    for lot in book.lots[:-1]:
        share = (amount * lot.remaining / total).quantize(Decimal("1e-8"), ROUND_HALF_EVEN)
        lot.funding += share
        left -= share
    book.lots[-1].funding += left


def _pick(book: TripBook, fill: Fill) -> OpenLot:
    cell = abs(fill.level)
    for lot in book.lots:
        if cell and abs(lot.level) == cell:
            return lot
    return book.lots[0]


def _fee_share(fill: Fill, lots: int) -> Decimal:
    return fill.fee if lots == fill.lots else fill.fee * lots / fill.lots


def _slippage(fill: Fill, lots: int) -> int:
    """Against us is positive: a buy above, or a sell below, the price the level asked for."""
    if not fill.intended_ticks:
        return 0
    return (fill.price_ticks - fill.intended_ticks) * fill.side.sign * lots


def _charge(lot: OpenLot, fill: Fill, lots: int, instrument: Instrument) -> None:
    if fill.fee_asset == instrument.settle_asset:
        lot.fees += _fee_share(fill, lots)
    elif fill.fee:
        lot.unvalued_fee = True
    lot.maker_lots += lots if fill.maker else 0
    lot.slippage_units += _slippage(fill, lots)
    lot.fill_ids.append(fill.trade_id)


def _open(book: TripBook, fill: Fill, lots: int, instrument: Instrument) -> None:
    lot = next((o for o in book.lots if o.client_id == fill.client_id and fill.client_id), None)
    if lot is None:
        lot = OpenLot(fill.client_id, fill.side, fill.level, fill.regime, fill.at_ms)
        book.lots.append(lot)
    lot.lots += lots
    lot.entry_units += fill.price_ticks * lots
    _charge(lot, fill, lots, instrument)


def _close(lot: OpenLot, fill: Fill, lots: int, instrument: Instrument) -> None:
    lot.closed_lots += lots
    lot.exit_units += fill.price_ticks * lots
    lot.exit_ms = fill.at_ms
    _charge(lot, fill, lots, instrument)


def _trip(lot: OpenLot, last: Fill, instrument: Instrument) -> TripClosed:
    gross = instrument.unit * ((lot.exit_units - lot.entry_units) * lot.side.sign)
    net = gross - lot.fees + lot.funding
    entry = instrument.unit * lot.entry_units
    named = f"{last.symbol}|{lot.client_id}|{','.join(map(str, lot.fill_ids))}"
    return TripClosed(
        trip_id=sha256(named.encode()).hexdigest()[:16],
        symbol=last.symbol,
        side=lot.side.value,
        level=lot.level,
        regime=lot.regime,
        lots=lot.lots,
        entry_ms=lot.entry_ms,
        exit_ms=lot.exit_ms,
        entry_ticks_x_lots=lot.entry_units,
        exit_ticks_x_lots=lot.exit_units,
        maker_lots=lot.maker_lots,
        gross=gross,
        fees=lot.fees,
        funding=lot.funding,
        net=net,
        net_bps=int((net * 10_000 / entry).to_integral_value(ROUND_HALF_EVEN)) if entry else 0,
        slippage_units=lot.slippage_units,
        unvalued_fee=lot.unvalued_fee,
        close_reason=_close_reason(last),
    )


def _close_reason(fill: Fill) -> str:
    if fill.level:
        return "grid"
    return "exit" if fill.client_id else "external"
