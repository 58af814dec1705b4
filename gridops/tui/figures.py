"""Figures that no record carries: what a run to the last rung would leave, and the spread of write times.

Exact decimals from the folded state and the venue's newest margin read. What is not known is None, never zero.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from gridops.domain.orders import Order
from gridops.domain.values import record
from gridops.domain.vocabulary import Side
from gridops.runtime import facts
from gridops.runtime.state import EngineState, SymbolState
from gridops.tui.history import History

ZERO = Decimal(0)


@record
class Stress:
    """If price ran through every resting order of one side and stopped at the last: what the account would hold."""

    side: Side
    at_price: Decimal
    """Of the last rung."""
    quantity: Decimal
    """Signed position then."""
    average: Decimal | None
    """Entry price of that position; None when flat."""
    notional: Decimal
    unrealised: Decimal
    """Change of equity on the way, without fees."""
    equity: Decimal | None
    liquidation: Decimal | None
    """Where the venue would liquidate then, by the maintenance rate of a read; None = nowhere, or not known."""
    rate: Decimal | None
    """Maintenance margin as a part of notional; None = not known, and neither is the liquidation price."""
    distance_bps: Decimal | None
    """From the last rung to there."""


def stress(state: EngineState, history: History, symbol: SymbolState, side: Side) -> Stress | None:
    """None when nothing of that side rests or the mark is unknown."""
    orders = sorted(
        (o for o in symbol.orders.values() if o.live and o.side is side and o.remaining > 0),
        key=lambda o: o.price_ticks * -side.sign,
    )
    mark = facts.mark_ticks(symbol)
    if not orders or not mark:
        return None
    last = orders[-1].price_ticks
    lots, cost = _through(symbol, orders, mark)
    unit = symbol.instrument.unit
    change = unit * (lots * last - cost)
    now = facts.equity(state)
    equity = None if now is None else now + change
    rate = maintenance_rate(state, history)
    liquidation = _liquidation(symbol, rate, equity, lots, last)
    at_price = symbol.instrument.price(last)
    return Stress(
        side=side,
        at_price=at_price,
        quantity=symbol.instrument.quantity(lots),
        average=_average(symbol, lots, cost),
        notional=symbol.instrument.notional(last, abs(lots)),
        unrealised=change,
        equity=equity,
        liquidation=liquidation,
        rate=rate,
        distance_bps=None if liquidation is None else abs(liquidation - at_price) / at_price * 10_000,
    )


def _through(symbol: SymbolState, orders: Iterable[Order], mark_ticks: int) -> tuple[int, int]:
    """Signed lots and their cost in units, the present position valued at the mark."""
    lots, cost = symbol.position_lots, symbol.position_lots * mark_ticks
    for order in orders:
        signed = order.worst_lots * order.side.sign
        if order.reduce_only:
            signed = max(-abs(lots), min(abs(lots), signed)) if signed * lots < 0 else 0
        lots, cost = lots + signed, cost + signed * order.price_ticks
    return lots, cost


def _average(symbol: SymbolState, lots: int, cost: int) -> Decimal | None:
    return None if lots == 0 else symbol.instrument.tick_size * Decimal(cost) / lots


def _liquidation(
    symbol: SymbolState, rate: Decimal | None, equity: Decimal | None, lots: int, last_ticks: int
) -> Decimal | None:
    """Price at which cross-margin equity equals maintenance, for one symbol: E + q (p - last) = rate |q| p."""
    if rate is None or equity is None or lots == 0:
        return None
    quantity, last = symbol.instrument.quantity(lots), symbol.instrument.price(last_ticks)
    slope = rate * abs(quantity) - quantity
    if slope == 0:
        return None
    price = (equity - quantity * last) / slope
    return price if price > 0 else None


def maintenance_rate(state: EngineState, history: History) -> Decimal | None:
    """Maintenance margin as a part of notional, by the newest read that showed a position; None before one.

    The venue's rate grows by brackets of notional: beyond the present bracket liquidation comes earlier than shown.
    """
    if history.margin_read is None:
        return None
    read = history.margin_read.said
    notional = sum(
        (
            abs(state.symbols[p.symbol].instrument.quantity(p.lots)) * p.mark_price
            for p in read.positions
            if p.symbol in state.symbols
        ),
        start=ZERO,
    )
    return read.maintenance_margin / notional if notional > 0 and read.maintenance_margin > 0 else None


def liquidation_bps(symbol: SymbolState) -> Decimal | None:
    """Distance from the mark to the venue's liquidation price, at its newest read; None when flat or not stated."""
    mark, price = symbol.venue_mark, symbol.liquidation_price
    if not symbol.venue_lots or mark <= 0 or price <= 0:
        return None
    return abs(mark - price) / mark * 10_000


def queue_bound(symbol: SymbolState, order: Order) -> int | None:
    """Lots that are thought to stand before an order at the touch; None away from it, where the feed says nothing."""
    view = symbol.view
    touch, shown = (view.bid_ticks, view.bid_lots) if order.side is Side.BUY else (view.ask_ticks, view.ask_lots)
    if order.price_ticks != touch or not view.has_book:
        return None
    if order.ahead_lots >= 0 and order.ahead_ticks == order.price_ticks:
        return order.ahead_lots
    return max(0, shown - order.remaining)


def quantile(values: Sequence[int], per_mille: int) -> int:
    """Nearest rank; the values need not be sorted and must not be empty."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, (len(ordered) * per_mille + 999) // 1_000 - 1)]
