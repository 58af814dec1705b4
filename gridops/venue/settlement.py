"""Books one trade: order progress, position, profit, commission, the trade row, the events, the cheap invariants.

Sits under the matcher, above the account. It never chooses a price or a counterparty.
"""

from decimal import Decimal

from gridops.venue import private
from gridops.venue.account import ZERO, Account, Trade, position_key
from gridops.venue.orders import FILLED, PARTIALLY_FILLED, Order
from gridops.venue.world import Market, World

_KEPT_VIOLATIONS = 200


def settle(
    world: World, market: Market, order: Order, price_ticks: int, lots: int, trade_id: int, *, maker: bool
) -> None:
    """One side of a trade; the order's filled quantity is already counted."""
    account = world.accounts[order.account_id]
    order.status = PARTIALLY_FILLED if order.remaining else FILLED
    order.updated_ms = world.now_ms
    if not order.remaining:
        forget_open(world, account, order)
    fill = _book(world, market, account, order, price_ticks, lots, trade_id, maker=maker)
    check(world, account, position_key(market.spec.symbol, order.position_side))
    if world.fidelity.trade_lite and order.type != "LIQUIDATION":
        private.trade_lite(world, market, order, fill)
    assets = dict.fromkeys((market.spec.quote_asset, fill.commission_asset))
    private.account_update(world, account, "ORDER", assets, market=market, side=order.position_side)
    execution = "CALCULATED" if order.type == "LIQUIDATION" else "TRADE"
    private.order_update(world, market, account, order, execution, fill)


def _book(
    world: World,
    market: Market,
    account: Account,
    order: Order,
    price_ticks: int,
    lots: int,
    trade_id: int,
    *,
    maker: bool,
) -> Trade:
    symbol, asset, now = market.spec.symbol, market.spec.quote_asset, world.now_ms
    position = account.position(symbol, order.position_side)
    realised = position.book(market.units, price_ticks, order.sign * lots)
    if account.is_isolated(symbol):
        leverage = account.leverage_of(symbol)
        position.bind(market.units, price_ticks, order.sign * lots, realised, leverage)
    rate = account.maker_rate if maker else account.taker_rate
    notional = market.units.notional(price_ticks, lots)
    commission, commission_asset = account.fee(notional, rate, asset, world.asset_prices["BNB"])
    if position.lots:
        position.fees += notional * rate
    position.updated_ms = now
    labels = {"symbol": symbol, "trade_id": str(trade_id), "info": str(trade_id)}
    if realised:
        account.credit("REALIZED_PNL", asset, realised, now, **labels)
    if commission:
        account.credit("COMMISSION", commission_asset, -commission, now, **labels)
    key = position_key(symbol, order.position_side)
    account.filled_lots[key] = account.filled_lots.get(key, 0) + order.sign * lots
    fill = Trade(
        trade_id=trade_id,
        order_id=order.order_id,
        symbol=symbol,
        side=order.side,
        price_ticks=price_ticks,
        lots=lots,
        realised=realised,
        commission=commission,
        commission_asset=commission_asset,
        maker=maker,
        at_ms=now,
        position_side=order.position_side,
    )
    account.trades.setdefault(symbol, []).append(fill)
    return fill


def forget_open(world: World, account: Account, order: Order) -> None:
    """The order is terminal: out of the open indexes; its client id may be used again."""
    gone = account.open_of(order.symbol).pop(order.order_id, None)
    if gone is not None and order.reduce_only:
        account.reducing[order.symbol] -= 1
    key = (order.symbol, order.client_id)
    if account.open_by_client.get(key) is order:
        del account.open_by_client[key]
    world.gtd.pop((order.symbol, order.order_id), None)
    if order.strategy_id:
        world.ended_strategies.append(order)
    elif order.held:
        order.held = False
        world.waiting[order.symbol].pop(order.order_id, None)


def check(world: World, account: Account, key: str | None = None) -> None:
    """Cheap invariants: wallet = opening + income per asset, position = sum of signed fills, no margin when flat."""
    for asset, wallet in account.wallet.items():
        expected = account.opening.get(asset, ZERO) + account.income_total.get(asset, ZERO)
        if wallet != expected:
            _violate(world, f"{account.account_id}: wallet {asset} is {wallet}, opening plus income is {expected}")
    if key is not None:
        position, filled = account.positions[key], account.filled_lots.get(key, 0)
        if position.lots != filled:
            _violate(world, f"{account.account_id}: position {key} is {position.lots} lots, fills sum to {filled}")
        if position.isolated and not position.lots:
            _violate(world, f"{account.account_id}: position {key} is flat and keeps {position.isolated} of margin")


def _violate(world: World, what: str) -> None:
    if len(world.violations) < _KEPT_VIOLATIONS:
        world.violations.append(f"{world.now_ms} {what}")


def credit(world: World, account: Account, kind: str, asset: str, amount: Decimal, *, symbol: str = "") -> None:
    """A wallet change that is no trade: funding, transfer, insurance."""
    account.credit(kind, asset, amount, world.now_ms, symbol=symbol)
    check(world, account)
