"""Private stream events: what an account is told about its orders, positions, settings and margin.

Sits under the matcher. Shapes follow the venue's user data stream; nothing is decided here.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from gridops.venue import algos, margin
from gridops.venue.account import ZERO, Account, Position, Trade
from gridops.venue.algos import Algo
from gridops.venue.orders import BOTH, BUY, Order
from gridops.venue.units import Units, money, money_text, plain
from gridops.venue.world import Market, World


def average_text(units: Units, order: Order) -> str:
    """Average fill price, "0" before the first fill."""
    if not order.filled_lots:
        return "0"
    return plain(money(units.price.size * order.filled_tick_lots / order.filled_lots))


def order_update(
    world: World, market: Market, account: Account, order: Order, execution: str, fill: Trade | None = None
) -> None:
    """ORDER_TRADE_UPDATE with every field the venue sends."""
    units, spec, stamp = market.units, market.spec, world.now_ms
    price, qty = units.price.text, units.qty.text
    bid, ask = margin.order_notional(account, market)
    if execution == "NEW" and order.price_ticks and not order.reduce_only and not order.held:
        # The event counts the order itself although it has not reached the book yet.
        own = units.notional(order.price_ticks, order.lots)
        bid, ask = (bid + own, ask) if order.side == BUY else (bid, ask + own)
    body: dict[str, Any] = {
        "s": order.symbol,
        "c": order.client_id,
        "S": order.side,
        "o": order.type,
        "f": order.tif,
        "q": qty(order.lots),
        "p": price(order.price_ticks) if order.price_ticks else "0",
        "ap": average_text(units, order),
        "sp": price(order.stop_ticks) if order.stop_ticks else "0",
        "x": execution,
        "X": order.status,
        "i": order.order_id,
        "l": qty(fill.lots) if fill else "0",
        "z": qty(order.filled_lots) if order.filled_lots else "0",
        "L": price(fill.price_ticks) if fill else "0",
        "n": plain(fill.commission) if fill else "0",
        "N": fill.commission_asset if fill else spec.quote_asset,
        "T": stamp,
        "t": fill.trade_id if fill else 0,
        "b": plain(bid),
        "a": plain(ask),
        "m": fill.maker if fill else False,
        "R": order.reduce_only,
        "wt": order.working_type,
        "ot": order.orig_type or order.type,
        "ps": order.position_side,
        "cp": False,
        "rp": money_text(fill.realised) if fill and fill.realised else "0",
        "pP": order.price_protect,
        "si": order.strategy_id,
        "ss": -1 if order.strategy_id else 0,
        "V": order.stp,
        "pm": order.price_match,
        "gtd": order.gtd_ms,
        "er": order.expiry_reason,
    }
    if order.trigger is not None and order.trigger.type == algos.TRAILING:
        body["AP"] = price(order.trigger.activation_ticks)
        body["cr"] = order.trigger.rate_text()
    if order.strategy_id:
        body["st"] = "ALGO_CONDITION"
    if execution == "AMENDMENT" and order.modify_id is not None:
        body["M"] = order.modify_id
    world.send(account.account_id, {"e": "ORDER_TRADE_UPDATE", "E": stamp, "T": stamp, "o": body})


def algo_update(world: World, market: Market, made: Algo) -> None:
    """ALGO_UPDATE; the fields of the order it became appear with that order or with its end."""
    units, order = market.units, world.orders.get(made.symbol, {}).get(made.order_id)
    body: dict[str, Any] = {
        "caid": made.client_id,
        "aid": made.algo_id,
        "at": "CONDITIONAL",
        "o": made.trigger.type,
        "s": made.symbol,
        "S": made.trigger.side,
        "ps": made.position_side,
        "f": made.tif,
        "q": units.qty.text(made.lots),
        "X": made.status,
        "ai": str(made.order_id) if made.order_id else "",
    }
    if made.status not in (algos.WAITING, algos.TRIGGERING):
        done = order if order is not None and made.status == algos.FINISHED else None
        body["ap"] = average_text(units, done) if done else "0"
        body["aq"] = units.qty.text(done.filled_lots) if done else "0"
        body["act"] = made.order_type if order is not None else "0"
    body |= {
        "tp": units.price.text(made.trigger.ticks) if made.trigger.ticks else "0",
        "p": units.price.text(made.price_ticks) if made.price_ticks else "0",
        "V": made.stp,
        "wt": made.trigger.working_type,
        "pm": made.price_match,
        "cp": made.close_position,
        "pP": made.price_protect,
        "R": made.reduce_only,
        "tt": made.triggered_ms,
        "gtd": made.gtd_ms,
    }
    if made.reason:
        body["rm"] = made.reason
    stamp = world.now_ms
    world.send(made.account_id, {"e": "ALGO_UPDATE", "T": stamp, "E": stamp, "o": body})


def trigger_reject(world: World, account: Account, order: Order, reason: str) -> None:
    """CONDITIONAL_ORDER_TRIGGER_REJECT of an order of the older conditional kind."""
    body = {"s": order.symbol, "i": order.order_id, "r": reason}
    stamp = world.now_ms
    event = {"e": "CONDITIONAL_ORDER_TRIGGER_REJECT", "T": stamp, "E": stamp, "or": body}
    world.send(account.account_id, event)


def trade_lite(world: World, market: Market, order: Order, fill: Trade) -> None:
    """TRADE_LITE, the thinner notice that comes first."""
    units, stamp = market.units, world.now_ms
    world.send(
        order.account_id,
        {
            "e": "TRADE_LITE",
            "E": stamp,
            "T": stamp,
            "s": order.symbol,
            "q": units.qty.text(order.lots),
            "p": units.price.text(order.price_ticks) if order.price_ticks else "0",
            "m": fill.maker,
            "c": order.client_id,
            "S": order.side,
            "L": units.price.text(fill.price_ticks),
            "l": units.qty.text(fill.lots),
            "t": fill.trade_id,
            "i": order.order_id,
        },
    )


def position_entry(account: Account, market: Market, side: str) -> dict[str, Any]:
    """One line of the P list of ACCOUNT_UPDATE."""
    position, units = account.position(market.spec.symbol, side), market.units
    return {
        "s": market.spec.symbol,
        "pa": units.qty.text(position.lots) if position.lots else "0",
        "ep": plain(money(position.entry)),
        "bep": plain(money(position.break_even(units))),
        "cr": plain(position.realised),
        "up": money_text(position.unrealised(units, market.mark_price())) if position.lots else "0",
        "mt": "isolated" if account.is_isolated(market.spec.symbol) else "cross",
        "iw": money_text(position.isolated) if position.isolated else "0",
        "ps": side,
        "ma": market.spec.quote_asset,
    }


def account_update(
    world: World,
    account: Account,
    reason: str,
    assets: Iterable[str],
    *,
    change: Decimal = ZERO,
    market: Market | None = None,
    side: str = BOTH,
    symbol: str | None = None,
) -> None:
    """ACCOUNT_UPDATE. `change` is the balance change that is neither profit nor commission (field bc)."""
    balances = [
        {
            "a": asset,
            "wb": money_text(wallet),
            "cw": money_text(wallet - margin.isolated_wallet(world, account, asset)),
            "bc": plain(change),
        }
        for asset in assets
        for wallet in (account.wallet.get(asset, ZERO),)
    ]
    positions = [position_entry(account, market, side)] if market else []
    body: dict[str, Any] = {"m": reason, "B": balances, "P": positions}
    if symbol is not None:
        body["S"] = symbol
    stamp = world.now_ms
    world.send(account.account_id, {"e": "ACCOUNT_UPDATE", "E": stamp, "T": stamp, "a": body})


def leverage_changed(world: World, account: Account, symbol: str, leverage: int) -> None:
    """ACCOUNT_CONFIG_UPDATE of a symbol's leverage."""
    stamp = world.now_ms
    body = {"e": "ACCOUNT_CONFIG_UPDATE", "E": stamp, "T": stamp, "ac": {"s": symbol, "l": leverage}}
    world.send(account.account_id, body)


def margin_call(world: World, account: Account, positions: Iterable[Position]) -> None:
    """MARGIN_CALL naming the positions in danger."""
    lines = []
    for position in sorted(positions, key=lambda one: (one.symbol, one.side)):
        market = world.markets[position.symbol]
        figures = margin.of_position(account, market, position.side)
        lines.append(
            {
                "s": position.symbol,
                "ps": position.side,
                "pa": market.units.qty.text(position.lots),
                "mt": "ISOLATED" if account.is_isolated(position.symbol) else "CROSSED",
                "iw": money_text(position.isolated) if position.isolated else "0",
                "mp": plain(market.mark_price() or ZERO),
                "up": money_text(figures.unrealised),
                "mm": money_text(figures.maintenance),
            }
        )
    wallet = money_text(account.wallet.get("USDT", ZERO) - margin.isolated_wallet(world, account, "USDT"))
    world.send(account.account_id, {"e": "MARGIN_CALL", "E": world.now_ms, "cw": wallet, "p": lines})
