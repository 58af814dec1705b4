"""Fills exactly once: whatever a trade comes in by, it is booked by its id and moves position, ledger and trips.

Part of `observe`; nothing else books a fill.
"""

from bisect import bisect_left, bisect_right
from decimal import Decimal

from gridops.decide import roundtrip, tieout_rows
from gridops.decide.ledger import COMMISSION, REALISED
from gridops.domain import ids
from gridops.domain.events import OrderReport
from gridops.domain.orders import Fill, Order, VenueTrade
from gridops.domain.records import Filled
from gridops.domain.vocabulary import Side, TimeInForce
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState, SymbolState

REMEMBERED_TRADES = 256
"""Ids kept for each symbol; an older one is told by `forgotten_trade_id`."""


def add(book: dict[str, Decimal], asset: str, amount: Decimal) -> None:
    if amount:
        book[asset] = book.get(asset, Decimal(0)) + amount


def from_report(report: OrderReport, order: Order | None) -> Fill:
    """The fill that a stream report carries.

    Another hand's order has no name here: the trade history gives none, and a fill is the same by either way.
    """
    return _fill(
        order,
        symbol=report.symbol,
        trade_id=report.trade_id,
        client_id=report.client_id if order is not None or ids.owner(report.client_id) is not None else "",
        venue_id=report.venue_id,
        side=report.side,
        price_ticks=report.last_ticks,
        lots=report.last_lots,
        fee=report.fee,
        fee_asset=report.fee_asset,
        realised=report.realised,
        maker=report.maker,
        at_ms=report.trade_ms,
    )


def from_trade(trade: VenueTrade, order: Order | None) -> Fill:
    """The fill that a row of the venue's trade history carries."""
    return _fill(
        order,
        symbol=trade.symbol,
        trade_id=trade.trade_id,
        client_id=order.client_id if order else "",
        venue_id=trade.venue_id,
        side=trade.side,
        price_ticks=trade.price_ticks,
        lots=trade.lots,
        fee=trade.fee,
        fee_asset=trade.fee_asset,
        realised=trade.realised,
        maker=trade.maker,
        at_ms=trade.at_ms,
    )


def _fill(
    order: Order | None,
    *,
    symbol: str,
    trade_id: int,
    client_id: str,
    venue_id: str,
    side: Side,
    price_ticks: int,
    lots: int,
    fee: Decimal,
    fee_asset: str,
    realised: Decimal,
    maker: bool,
    at_ms: int,
) -> Fill:
    passive = order is not None and order.tif is not TimeInForce.IOC
    return Fill(
        symbol=symbol,
        trade_id=trade_id,
        client_id=client_id,
        venue_id=venue_id,
        side=side,
        level=order.level if order else 0,
        price_ticks=price_ticks,
        lots=lots,
        fee=fee,
        fee_asset=fee_asset,
        realised=realised,
        maker=maker,
        at_ms=at_ms,
        reduce_only=order.reduce_only if order else False,
        decision_mid2=order.decision_mid2 if order else 0,
        intended_ticks=order.price_ticks if order and passive else 0,
    )


def knows(symbol: SymbolState, trade_id: int) -> bool:
    """Whether its id is still kept."""
    at = bisect_left(symbol.trade_ids, trade_id)
    return at < len(symbol.trade_ids) and symbol.trade_ids[at] == trade_id


def remember(symbol: SymbolState, trade_id: int) -> None:
    """Keep the id of a trade that is booked."""
    at = bisect_left(symbol.trade_ids, trade_id)
    if at == len(symbol.trade_ids) or symbol.trade_ids[at] != trade_id:
        symbol.trade_ids.insert(at, trade_id)


def book(state: EngineState, symbol: SymbolState, fill: Fill, order: Order | None, out: Out) -> bool:
    """Book one fill unless its id is known; True when it was new."""
    if fill.lots <= 0 or fill.trade_id <= symbol.forgotten_trade_id or knows(symbol, fill.trade_id):
        return False
    remember(symbol, fill.trade_id)
    _forget_old(symbol)
    symbol.position_lots += fill.side.sign * fill.lots
    for asked in state.sync.asked.values():
        if asked.symbol in (symbol.symbol, ""):
            asked.low_lots = min(asked.low_lots, symbol.position_lots)
            asked.high_lots = max(asked.high_lots, symbol.position_lots)
    if order is not None:
        order.filled_lots += fill.lots
        order.filled_ms = state.venue_ms
        if order.client_id in symbol.unbooked and order.reported_lots <= order.filled_lots:
            del symbol.unbooked[order.client_id]
        elif order.client_id in symbol.unbooked:
            symbol.unbooked[order.client_id] = order.reported_lots - order.filled_lots
        out.touched[order.client_id] = order
    _book_money(state, symbol, fill)
    symbol.dirty = True
    symbol.last_fill_ms = state.venue_ms
    state.counters.fills += 1
    out.fills.append(fill)
    out.say(Filled(fill=fill, position_lots=symbol.position_lots))
    for trip in roundtrip.apply(symbol.trips, fill, symbol.instrument):
        state.counters.trips += 1
        state.counters.trips_net += trip.net
        out.say(trip)
    if fill.level:
        symbol.refill_until[fill.level] = state.venue_ms + state.rules.grid.refill_delay_ms
    return True


def _book_money(state: EngineState, symbol: SymbolState, fill: Fill) -> None:
    ledger, asset = state.ledger, symbol.instrument.settle_asset
    ref = str(fill.trade_id)
    tieout_rows.booked(ledger.tie, REALISED, symbol.symbol, asset, ref, fill.at_ms, fill.realised)
    tieout_rows.booked(ledger.tie, COMMISSION, symbol.symbol, fill.fee_asset, ref, fill.at_ms, -fill.fee)
    add(ledger.wallet, asset, fill.realised)
    add(ledger.realised, asset, fill.realised)
    if fill.fee:
        add(ledger.wallet, fill.fee_asset, -fill.fee)
        add(ledger.fees, fill.fee_asset, fill.fee)


def _forget_old(symbol: SymbolState) -> None:
    """Keep the newest ids, and every one that the next read may still name: what is forgotten stays booked."""
    settled = bisect_right(symbol.trade_ids, symbol.last_trade_id)
    old = min(settled, len(symbol.trade_ids) - REMEMBERED_TRADES)
    if old > 0:
        symbol.forgotten_trade_id = symbol.trade_ids[old - 1]
        del symbol.trade_ids[:old]
