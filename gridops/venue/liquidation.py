"""Margin call and liquidation of a cross account, simple but conserving: every change of money is an income row.

Sits above matching. Assumptions: a call goes out once the maintenance margin reaches four fifths of the margin
balance; what the book cannot absorb is taken over at the mark; a negative wallet is made good by the insurance fund.
"""

from decimal import Decimal

from gridops.venue import feed, margin, matching, ordering, private
from gridops.venue.account import ZERO, Account
from gridops.venue.orders import BUY, ER_LIQUIDATION, EXPIRED, SELL, Order
from gridops.venue.settlement import credit
from gridops.venue.world import Market, World

CALL_RATIO = Decimal("0.8")


def check_all(world: World, market: Market) -> None:
    """Judge every account that holds the symbol whose mark moved."""
    for account in list(world.accounts.values()):
        position = account.positions.get(market.spec.symbol)
        if position is not None and position.lots:
            check(world, account, market.spec.quote_asset)


def check(world: World, account: Account, asset: str) -> None:
    """Liquidate at or below maintenance, warn near it."""
    figures = margin.of_account(world, account, asset)
    if figures.balance <= figures.maintenance:
        liquidate(world, account, asset)
        return
    near = figures.maintenance >= CALL_RATIO * figures.balance
    if near and not account.margin_called:
        private.margin_call(world, account)
    account.margin_called = near


def liquidate(world: World, account: Account, asset: str) -> None:
    """Open orders expire, positions are closed at market, a hole in the wallet is filled."""
    account.margin_called = False
    for orders in list(account.open_orders.values()):
        for order in list(orders.values()):
            matching.close(world, world.markets[order.symbol], order, EXPIRED, "EXPIRED", ER_LIQUIDATION)
    for symbol, position in list(account.positions.items()):
        if position.lots and world.markets[symbol].spec.quote_asset == asset:
            _close_position(world, account, world.markets[symbol], position.lots)
    wallet = account.wallet.get(asset, ZERO)
    if wallet < 0:
        credit(world, account, "INSURANCE_CLEAR", asset, -wallet)
        private.account_update(world, account, "INSURANCE_CLEAR", (asset,), change=-wallet)


def _close_position(world: World, account: Account, market: Market, held: int) -> None:
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
    )
    market.next_order_id += 1
    ordering.register(world, account, order)
    left = matching.take(world, market, order.side, None, order.lots, order)
    if left:
        matching.fill(world, market, order.side, ticks, left, order, None)
    feed.liquidation_event(world, market, order)
