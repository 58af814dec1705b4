"""What others do to the venue and to an account: deleveraging, funding at will, changed rules, forced marks and books.

Sits above the rules and beside the clockwork; only faults and the control port reach it. Every change of money still
goes through settlement and income, so the invariants hold under every interference.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from gridops.venue import clockwork, feed, liquidation, matching, ordering
from gridops.venue.account import Account, Position
from gridops.venue.errors import VenueError
from gridops.venue.market.events import BookSnapshot, MarkPrice
from gridops.venue.orders import BUY, SELL, Order
from gridops.venue.world import HeldBook, Market, World

_INTEGERS = ("max_num_orders", "move_order_limit")
_GRIDS = ("tick_size", "step_size")


def fill_order(world: World, account: Account, symbol: str, params: dict[str, Any], lots: int | None) -> int:
    """Somebody outside trades with exactly this resting order, at its price; returns the lots filled."""
    market = world.market(symbol)
    order = ordering.find(world, account, market, params, "origClientOrderId")
    if order is None or not order.resting:
        return 0
    part = min(lots or order.remaining, order.remaining)
    matching.fill(world, market, SELL if order.side == BUY else BUY, order.price_ticks, part, None, order)
    return part


def end_order(world: World, account: Account, symbol: str, params: dict[str, Any], status: str) -> bool:
    """The venue ends exactly this order by itself, with the status given; False when it does not rest."""
    market = world.market(symbol)
    order = ordering.find(world, account, market, params, "origClientOrderId")
    if order is None or not order.resting:
        return False
    execution = "CANCELED" if status == "CANCELED" else "EXPIRED"
    matching.close(world, market, order, status, execution)
    return True


def liquidate(world: World, account: Account, symbol: str) -> None:
    """Take the account over as if its margin were gone, isolated positions of the symbol with it."""
    market = world.market(symbol)
    liquidation.liquidate(world, account, market.spec.quote_asset)
    for position in account.held(symbol):
        liquidation.liquidate_isolated(world, account, market, position)


def deleverage(world: World, account: Account, symbol: str, lots: int | None) -> int:
    """Auto-deleveraging: part of the larger position is closed at the mark against a bankrupt stranger."""
    market = world.market(symbol)
    position = max(account.held(symbol), key=lambda one: abs(one.lots), default=None)
    mark = market.mark_price()
    if position is None or mark is None:
        return 0
    part = min(lots or abs(position.lots), abs(position.lots))
    ticks = max(int(mark / market.units.price.size), 1)
    order = _forced(world, market, account, position, ticks, part)
    ordering.register(world, account, order)
    matching.fill(world, market, order.side, ticks, part, order, None)
    return part


def _forced(world: World, market: Market, account: Account, position: Position, ticks: int, lots: int) -> Order:
    order = Order(
        order_id=market.next_order_id,
        account_id=account.account_id,
        symbol=market.spec.symbol,
        client_id="adl_autoclose",
        side=SELL if position.lots > 0 else BUY,
        type="LIQUIDATION",
        tif="GTC",
        price_ticks=ticks,
        lots=lots,
        reduce_only=False,
        stp="NONE",
        price_match="NONE",
        gtd_ms=0,
        created_ms=world.now_ms,
        updated_ms=world.now_ms,
        position_side=position.side,
    )
    market.next_order_id += 1
    return order


def fund_now(world: World, symbol: str, rate: Decimal | None) -> None:
    """Settle funding at this moment at a rate, the one in force if none is given; the regular time stays."""
    market = world.market(symbol)
    regular, in_force = market.next_funding_ms, market.funding_rate
    market.next_funding_ms = world.now_ms
    market.funding_rate = in_force if rate is None else rate
    clockwork.settle_funding(world, market)
    market.next_funding_ms, market.funding_rate = regular, in_force
    world.quiet_until_ms = 0


def set_filter(world: World, symbol: str, name: str, value: str) -> None:
    """Change one rule of a symbol while it trades. Ticks and steps may only become coarser multiples."""
    market = world.market(symbol)
    amount = Decimal(value)
    if name in _GRIDS and (amount <= 0 or amount % getattr(market.units, name)):
        raise VenueError(-4014, f"{name} must be a multiple of {getattr(market.units, name)}")
    changed: dict[str, Any] = {name: int(amount) if name in _INTEGERS else amount}
    market.spec = replace(market.spec, **changed)


def hold_mark(world: World, symbol: str, price: Decimal) -> None:
    """The mark is what is said here until it is released, whatever the source states."""
    market = world.market(symbol)
    market.mark_held = False
    event = MarkPrice(world.now_ms, symbol, price, price, market.funding_rate, market.next_funding_ms)
    clockwork.mark(world, market, event)
    market.mark_held = True


def release_mark(world: World, symbol: str) -> None:
    """The source's mark counts again from its next statement on."""
    world.market(symbol).mark_held = False


def hold_book(world: World, symbol: str, shape: str) -> None:
    """The outside book becomes empty, thin (one lot a level) or crossed by one tick, and stays so until released."""
    market = world.market(symbol)
    bids, asks = dict(market.book.bids.outside), dict(market.book.asks.outside)
    if market.held_book is None:
        market.held_book = HeldBook(dict(bids), dict(asks))
    best = market.book.asks.best_outside()
    if shape == "empty":
        bids, asks = {}, {}
    elif shape == "thin":
        bids, asks = dict.fromkeys(bids, 1), dict.fromkeys(asks, 1)
    elif best is not None:
        bids[best + 1] = 1
    _state(world, market, bids, asks)


def release_book(world: World, symbol: str) -> None:
    """The book is what the source has said meanwhile."""
    market = world.market(symbol)
    held, market.held_book = market.held_book, None
    if held is not None:
        _state(world, market, held.bids, held.asks)


def _state(world: World, market: Market, bids: dict[int, int], asks: dict[int, int]) -> None:
    held, market.held_book = market.held_book, None
    event = BookSnapshot(world.now_ms, market.spec.symbol, tuple(bids.items()), tuple(asks.items()))
    matching.state_book(world, market, event)
    market.held_book = held
    feed.flush(world, market)


BY_ACCOUNT: dict[str, Callable[..., Any]] = {
    "fill_order": fill_order, "end_order": end_order, "liquidate": liquidate, "deleverage": deleverage,
}  # fmt: skip
BY_SYMBOL: dict[str, Callable[..., Any]] = {
    "fund_now": fund_now, "set_filter": set_filter, "hold_mark": hold_mark, "release_mark": release_mark,
    "hold_book": hold_book, "release_book": release_book,
}  # fmt: skip
