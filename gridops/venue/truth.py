"""The oracle's report: what really happened at the venue, for the judge only. It reads state and changes nothing."""

from typing import Any

from gridops.venue import feed, order_views
from gridops.venue.account import Account
from gridops.venue.units import money, money_text, plain
from gridops.venue.world import World


def report(world: World) -> dict[str, Any]:
    """Accounts, orders, fills and income as far as remembered, book tops, violations; decimals as strings."""
    return {
        "now_ms": world.now_ms,
        "accounts": {name: _account(world, account) for name, account in world.accounts.items()},
        "orders": [
            {
                "account": order.account_id,
                **order_views.query(world.markets[symbol], order),
                "expiryReason": order.expiry_reason,
                "amendments": order.amend_count,
                "queueAheadLots": order.ahead if order.resting else 0,
            }
            for symbol, orders in world.orders.items()
            for order in orders.values()
        ],
        "fills": [
            {"account": name, **order_views.trade(world.markets[symbol], fill)}
            for name, account in world.accounts.items()
            for symbol, fills in account.trades.items()
            for fill in fills
        ],
        "income": [
            {"account": name, **order_views.income(row)}
            for name, account in world.accounts.items()
            for row in account.income
        ],
        "book": {symbol: _top(world, symbol) for symbol in world.markets},
        "violations": list(world.violations),
    }


def _account(world: World, account: Account) -> dict[str, Any]:
    positions = {}
    for key, position in account.positions.items():
        market = world.markets[position.symbol]
        positions[key] = {
            "side": position.side,
            "lots": position.lots,
            "amount": market.units.qty.text(position.lots),
            "entry": plain(money(position.entry)),
            "isolated": money_text(position.isolated),
            "realised": money_text(position.realised),
            "unrealised": money_text(position.unrealised(market.units, market.mark_price())),
        }
    return {
        "opening": {asset: money_text(amount) for asset, amount in account.opening.items()},
        "wallet": {asset: money_text(amount) for asset, amount in account.wallet.items()},
        "positions": positions,
        "open_orders": sum(len(orders) for orders in account.open_orders.values()),
        "countdowns": {
            symbol: timer.deadline_ms for symbol, timer in world.countdowns.get(account.account_id, {}).items()
        },
    }


def _top(world: World, symbol: str) -> dict[str, Any]:
    market = world.markets[symbol]
    bid, bid_lots, ask, ask_lots = feed.top(market)
    price, qty, mark = market.units.price.text, market.units.qty.text, market.mark_price()
    return {
        "bid": price(bid) if bid_lots else None,
        "bid_qty": qty(bid_lots),
        "ask": price(ask) if ask_lots else None,
        "ask_qty": qty(ask_lots),
        "mark": None if mark is None else money_text(mark),
        "update_id": market.update_id,
    }
