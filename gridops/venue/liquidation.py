"""Margin call and liquidation, cross and isolated, simple but conserving: every change of money is an income row.

Sits above matching. Assumptions: a call goes out once the maintenance margin reaches four fifths of the margin
balance; what the book cannot absorb is taken over at the mark; a negative cross wallet, and what an isolated position
lost beyond its margin, is made good by the insurance fund.
"""

from decimal import Decimal

from gridops.venue import feed, margin, matching, ordering, private
from gridops.venue.account import ZERO, Account, Position
from gridops.venue.orders import BUY, ER_LIQUIDATION, EXPIRED, SELL, Order
from gridops.venue.settlement import credit
from gridops.venue.world import Market, World

CALL_RATIO = Decimal("0.8")


def check_all(world: World, market: Market) -> None:
    """Judge every account that holds the symbol whose mark moved."""
    for account in list(world.accounts.values()):
        held = account.held(market.spec.symbol)
        if not held:
            continue
        if account.is_isolated(market.spec.symbol):
            for position in held:
                check_isolated(world, account, market, position)
        else:
            check(world, account, market.spec.quote_asset)


def check(world: World, account: Account, asset: str) -> None:
    """Liquidate the cross positions at or below maintenance, warn near it."""
    figures = margin.of_account(world, account, asset)
    if figures.cross_balance <= figures.cross_maintenance:
        liquidate(world, account, asset)
        return
    near = figures.cross_maintenance >= CALL_RATIO * figures.cross_balance
    if near and not account.margin_called:
        private.margin_call(world, account, _cross(account, None))
    account.margin_called = near


def check_isolated(world: World, account: Account, market: Market, position: Position) -> None:
    """The same of one position with a margin of its own."""
    figures = margin.of_position(account, market, position.side)
    behind = position.isolated + figures.unrealised
    if behind <= figures.maintenance:
        liquidate_isolated(world, account, market, position)
        return
    near = figures.maintenance >= CALL_RATIO * behind
    if near and not position.margin_called:
        private.margin_call(world, account, [position])
    position.margin_called = near


def _cross(account: Account, markets: set[str] | None) -> list[Position]:
    """Open positions that share the wallet, of these symbols or of all."""
    return [
        position
        for position in account.positions.values()
        if position.lots
        and not account.is_isolated(position.symbol)
        and (markets is None or position.symbol in markets)
    ]


def liquidate(world: World, account: Account, asset: str) -> None:
    """Open orders expire, cross positions are closed at market, a hole in the cross wallet is filled."""
    account.margin_called = False
    for orders in list(account.open_orders.values()):
        for order in list(orders.values()):
            matching.close(world, world.markets[order.symbol], order, EXPIRED, "EXPIRED", ER_LIQUIDATION)
    settled = {symbol for symbol, market in world.markets.items() if market.spec.quote_asset == asset}
    for position in _cross(account, settled):
        _close_position(world, account, world.markets[position.symbol], position)
    cross = account.wallet.get(asset, ZERO) - margin.isolated_wallet(world, account, asset)
    if cross < 0:
        _insure(world, account, asset, -cross)


def liquidate_isolated(world: World, account: Account, market: Market, position: Position) -> None:
    """Its own orders expire, it is closed at market; beyond commissions its margin is all that it can lose."""
    asset, position.margin_called = market.spec.quote_asset, False
    for order in list(account.open_of(position.symbol).values()):
        if order.position_side == position.side:
            matching.close(world, market, order, EXPIRED, "EXPIRED", ER_LIQUIDATION)
    own, realised = position.isolated, position.realised
    _close_position(world, account, market, position)
    hole = realised - position.realised - own
    if hole > 0:
        _insure(world, account, asset, hole)


def _insure(world: World, account: Account, asset: str, hole: Decimal) -> None:
    credit(world, account, "INSURANCE_CLEAR", asset, hole)
    private.account_update(world, account, "INSURANCE_CLEAR", (asset,), change=hole)


def _close_position(world: World, account: Account, market: Market, position: Position) -> None:
    held = position.lots
    mark = market.mark_price() or ZERO
    ticks = max(int(mark / market.units.price.size), 1)
    order = Order(
        order_id=market.next_order_id,
        account_id=account.account_id,
        symbol=market.spec.symbol,
        client_id=f"autoclose-{world.now_ms}{market.next_order_id % 1000:03d}",
        side=SELL if held > 0 else BUY,
        type="LIQUIDATION",
        tif="IOC",
        price_ticks=ticks,
        lots=abs(held),
        reduce_only=False,
        stp="NONE",
        price_match="NONE",
        gtd_ms=0,
        created_ms=world.now_ms,
        updated_ms=world.now_ms,
        expiry_reason=ER_LIQUIDATION,
        position_side=position.side,
    )
    market.next_order_id += 1
    ordering.register(world, account, order)
    left = matching.take(world, market, order.side, None, order.lots, order)
    if left:
        matching.fill(world, market, order.side, ticks, left, order, None)
    feed.liquidation_event(world, market, order)
