"""Signed routes about conditional orders. Sits above the conditional rules, reached through `routes`."""

from typing import Any

from gridops.venue import algos, conditional, private
from gridops.venue.account import Account
from gridops.venue.algos import TRAILING, Algo
from gridops.venue.errors import VenueError
from gridops.venue.params import Params, bounded, integer, need, text
from gridops.venue.routes import private as signed
from gridops.venue.world import Market, World

_WEEK_MS = 7 * 86_400_000


@signed("POST", "/fapi/v1/algoOrder")
def place(world: World, account: Account, params: Params) -> dict[str, Any]:
    """Place one conditional order."""
    made = conditional.place(world, account, params)
    return _common(world.markets[made.symbol], made) | _times(made) | _trailing(world.markets[made.symbol], made)


@signed("DELETE", "/fapi/v1/algoOrder")
def cancel(world: World, account: Account, params: Params) -> dict[str, Any]:
    """Cancel one that waits."""
    made = conditional.cancel(world, account, params)
    return {"algoId": made.algo_id, "clientAlgoId": made.client_id, "code": "200", "msg": "success"}


@signed("DELETE", "/fapi/v1/algoOpenOrders")
def cancel_all(world: World, account: Account, params: Params) -> dict[str, Any]:
    """Cancel every one of the symbol that waits."""
    symbol = world.market(need(params, "symbol")).spec.symbol
    for made in conditional.waiting(world, account):
        if made.symbol == symbol:
            conditional.end(world, made, algos.CANCELED)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


@signed("GET", "/fapi/v1/algoOrder")
def query(world: World, account: Account, params: Params) -> dict[str, Any]:
    """One in whatever state, else -2013."""
    made = conditional.find(world, account, params)
    if made is None:
        raise VenueError(-2013, "Order does not exist.")
    return _full(world, made)


@signed("GET", "/fapi/v1/openAlgoOrders")
def list_open(world: World, account: Account, params: Params) -> list[dict[str, Any]]:
    """Those that wait, of one symbol or of all."""
    symbol = text(params, "symbol")
    if symbol is not None:
        world.market(symbol)
    return [_full(world, made) for made in conditional.waiting(world, account) if symbol in (None, made.symbol)]


@signed("GET", "/fapi/v1/allAlgoOrders")
def list_all(world: World, account: Account, params: Params) -> list[dict[str, Any]]:
    """By id or by time, ascending."""
    symbol = world.market(need(params, "symbol")).spec.symbol
    limit, first = bounded(params, "limit", 500, 1000), integer(params, "algoId")
    end = integer(params, "endTime")
    last = world.now_ms if end is None else end
    start = integer(params, "startTime")
    since = last - _WEEK_MS if start is None else start
    rows = [made for made in world.algos.values() if (made.account_id, made.symbol) == (account.account_id, symbol)]
    if first is not None:
        rows = [made for made in rows if made.algo_id >= first][:limit]
    else:
        rows = [made for made in rows if since <= made.created_ms <= last][-limit:]
    return [_full(world, made) for made in rows]


def _common(market: Market, made: Algo) -> dict[str, Any]:
    units = market.units
    return {
        "algoId": made.algo_id,
        "clientAlgoId": made.client_id,
        "algoType": "CONDITIONAL",
        "orderType": made.trigger.type,
        "symbol": made.symbol,
        "side": made.trigger.side,
        "positionSide": made.position_side,
        "timeInForce": made.tif,
        "quantity": units.qty.text(made.lots),
        "algoStatus": made.status,
        "triggerPrice": units.price.text(made.trigger.ticks),
        "price": units.price.text(made.price_ticks),
        "icebergQuantity": None,
        "selfTradePreventionMode": made.stp,
        "workingType": made.trigger.working_type,
        "priceMatch": made.price_match,
        "closePosition": made.close_position,
        "priceProtect": made.price_protect,
        "reduceOnly": made.reduce_only,
    }


def _times(made: Algo) -> dict[str, Any]:
    return {
        "createTime": made.created_ms,
        "updateTime": made.updated_ms,
        "triggerTime": made.triggered_ms,
        "goodTillDate": made.gtd_ms,
    }


def _trailing(market: Market, made: Algo) -> dict[str, Any]:
    trigger = made.trigger
    active = market.units.price.text(trigger.activation_ticks) if trigger.activation_ticks else ""
    return {"activatePrice": active, "callbackRate": trigger.rate_text() if trigger.type == TRAILING else ""}


def _full(world: World, made: Algo) -> dict[str, Any]:
    """What a read shows: the order it became, and take-profit and stop-loss legs, which nothing here has."""
    market = world.markets[made.symbol]
    order = world.orders.get(made.symbol, {}).get(made.order_id)
    zero = market.units.price.text(0)
    return {
        **_common(market, made),
        "actualOrderId": str(made.order_id) if made.order_id else "",
        "actualPrice": private.average_text(market.units, order) if order is not None and order.filled_lots else zero,
        "actualType": made.order_type,
        "actualQty": market.units.qty.text(order.filled_lots if order is not None else made.lots),
        "tpTriggerPrice": zero,
        "tpPrice": zero,
        "slTriggerPrice": zero,
        "slPrice": zero,
        "tpOrderType": "",
        **_times(made),
    }
