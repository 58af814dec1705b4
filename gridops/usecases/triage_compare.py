"""Where our books and the venue's own lists disagree, and both told in one order of time. Pure: values in, values out.

The venue's side is a list of reads, ours the state and fills of a journal. What was in motion when they were taken may
look like a disagreement: whoever asks takes two looks and keeps what both show.
"""

from collections.abc import Iterable, Iterator, Mapping

from gridops.domain import ids
from gridops.domain.instrument import Instrument
from gridops.domain.orders import Order, VenueIncome, VenueOrder, VenueTrade
from gridops.domain.values import record
from gridops.domain.vocabulary import OrderState
from gridops.runtime.ports_journal import FillRow

TRADING = ("COMMISSION", "REALIZED_PNL")
"""Income that a trade brings with it; the rest stands alone."""


@record
class VenueSide:
    """What the venue said of one symbol. Lots are signed, times are its own."""

    symbol: str
    orders: tuple[VenueOrder, ...]
    position_lots: int
    trades: tuple[VenueTrade, ...]
    """Oldest first, without gaps."""
    incomes: tuple[VenueIncome, ...]
    whole: bool = True
    """False: newer trades than these were not read."""


@record
class OurSide:
    """What the journal holds of the same symbol."""

    instrument: Instrument
    tag: str
    """Of the client ids this account mints."""
    orders: Mapping[str, Order]
    position_lots: int
    fills: Mapping[int, FillRow]
    """By trade id, since the moment asked for."""


@record
class Told:
    """One line. `differs` says how the other side disagrees; empty when it does not."""

    at_ms: int
    who: str
    """`local` or `venue`."""
    what: str
    ref: str
    detail: str
    differs: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.what, self.ref, self.differs


@record
class VenueSaid:
    """`failure` says why the venue was not heard; nothing below means anything then."""

    failure: str
    timeline: tuple[Told, ...]
    disagreements: int
    cut: tuple[tuple[str, int], ...] = ()
    """Lists of the venue that were longer than was read, each with the time of its newest row read."""


def compare(venue: VenueSide, ours: OurSide, since_ms: int, now_ms: int) -> tuple[Told, ...]:
    """Both histories since a moment, oldest first, then what is open now."""
    moments = [*_trades(venue, ours, since_ms), *_local_fills(venue, ours), *_incomes(venue, since_ms)]
    moments.sort(key=lambda each: (each.at_ms, each.who, each.ref))
    return (*moments, *_open_orders(venue, ours), _position(venue, ours, now_ms))


def _trades(venue: VenueSide, ours: OurSide, since_ms: int) -> Iterator[Told]:
    for trade in venue.trades:
        if trade.at_ms < since_ms:
            continue
        fill = ours.fills.get(trade.trade_id)
        differs = ""
        if fill is None:
            differs = "not in our books"
        elif (fill.price_ticks, fill.lots, fill.side) != (trade.price_ticks, trade.lots, trade.side):
            differs = f"booked as {fill.side} {_size(ours, fill.lots, fill.price_ticks)}"
        detail = f"{trade.side} {_size(ours, trade.lots, trade.price_ticks)}, fee {trade.fee:f} {trade.fee_asset}"
        yield Told(
            at_ms=trade.at_ms, who="venue", what="trade", ref=str(trade.trade_id), detail=detail, differs=differs
        )


def _local_fills(venue: VenueSide, ours: OurSide) -> Iterator[Told]:
    """Fills the venue's list should hold and does not. The list may begin later than our books."""
    listed = {each.trade_id for each in venue.trades}
    if not listed:
        return
    newest = max(listed)
    for fill in ours.fills.values():
        read = fill.trade_id > min(listed) and (venue.whole or fill.trade_id < newest)
        if read and fill.trade_id not in listed:
            detail = f"{fill.side} {_size(ours, fill.lots, fill.price_ticks)}"
            yield Told(
                at_ms=fill.at_ms, who="local", what="fill", ref=str(fill.trade_id), detail=detail,
                differs="the venue lists no such trade",
            )  # fmt: skip


def _incomes(venue: VenueSide, since_ms: int) -> Iterator[Told]:
    for income in venue.incomes:
        if income.at_ms >= since_ms and income.income_type not in TRADING:
            yield Told(
                at_ms=income.at_ms, who="venue", what=income.income_type.lower(), ref=income.tran_id,
                detail=f"{income.amount:f} {income.asset}", differs="",
            )  # fmt: skip


def _open_orders(venue: VenueSide, ours: OurSide) -> Iterator[Told]:
    listed = {each.client_id: each for each in venue.orders}
    for client_id in sorted(listed):
        yield _listed(listed[client_id], ours.orders.get(client_id), ours)
    for order in _live(ours.orders.values()):
        if order.client_id not in listed:
            yield Told(
                at_ms=order.updated_ms, who="local", what="order", ref=order.client_id,
                detail=f"{order.state} {order.side} {_size(ours, order.remaining, order.price_ticks)}",
                differs="not open at the venue",
            )  # fmt: skip


def _listed(order: VenueOrder, known: Order | None, ours: OurSide) -> Told:
    differs = ""
    if known is None or not known.live:
        owner = ids.owner(order.client_id)
        mine = owner is not None and owner.tag == ours.tag
        differs = "not live in our books" if mine else "not ours"
    elif (known.price_ticks, known.lots, known.filled_lots) != (order.price_ticks, order.lots, order.filled_lots):
        differs = f"we have {_filled(ours, known.lots, known.price_ticks, known.filled_lots)}"
    detail = f"{order.side} {_filled(ours, order.lots, order.price_ticks, order.filled_lots)}"
    return Told(at_ms=order.updated_ms, who="venue", what="order", ref=order.client_id, detail=detail, differs=differs)


def _position(venue: VenueSide, ours: OurSide, now_ms: int) -> Told:
    made = ours.instrument
    same = venue.position_lots == ours.position_lots
    return Told(
        at_ms=now_ms, who="venue", what="position", ref=venue.symbol, detail=str(made.quantity(venue.position_lots)),
        differs="" if same else f"we have {made.quantity(ours.position_lots)}",
    )  # fmt: skip


def _live(orders: Iterable[Order]) -> Iterator[Order]:
    """Orders that we say rest: one on its way, or in doubt, is no claim."""
    return (each for each in orders if each.state in (OrderState.OPEN, OrderState.PARTIAL) and each.pending is None)


def _size(ours: OurSide, lots: int, ticks: int) -> str:
    return f"{ours.instrument.quantity(lots)}@{ours.instrument.price(ticks)}"


def _filled(ours: OurSide, lots: int, ticks: int, filled: int) -> str:
    return f"{_size(ours, lots, ticks)}, filled {ours.instrument.quantity(filled)}"
