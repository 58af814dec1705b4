"""Signed routes about orders and own trades: single, batch, queries, dead-man timer.

Sits above the order rules and the views, reached through `routes`.
"""

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from gridops.venue import amending, matching, order_views, ordering
from gridops.venue.account import Account
from gridops.venue.errors import VenueError
from gridops.venue.memory import remembered
from gridops.venue.orders import AUTOCLOSE, CANCELED, NEW
from gridops.venue.params import Params, bounded, integer, malformed, need, text
from gridops.venue.routes import private
from gridops.venue.world import Countdown, Market, World

_DAY_MS = 86_400_000
_WINDOW_MS = 7 * _DAY_MS


@private("POST", "/fapi/v1/order")
def place(world: World, account: Account, params: Params) -> dict[str, Any]:
    """Place; ACK (default) shows the order as accepted, RESULT as it stands."""
    style = _style(params)
    order = ordering.place(world, account, params)
    body = order_views.reply(world.markets[order.symbol], order, slim=world.fidelity.slim_replies)
    if style == "ACK":
        zero = world.markets[order.symbol].units.qty.text(0)
        body.update(status=NEW, executedQty=zero, cumQty=zero)
        if not world.fidelity.slim_replies:
            body.update(avgPrice="0", cumQuote="0")
    return body


def _style(params: Params) -> str:
    style = text(params, "newOrderRespType") or "ACK"
    if style not in ("ACK", "RESULT"):
        raise VenueError(-1136, "Invalid newOrderRespType.")
    return style


@private("POST", "/fapi/v1/order/test")
def place_test(world: World, account: Account, params: Params) -> dict[str, Any]:
    """Every rule of a new order, no order."""
    _style(params)
    plan = ordering.draft(world, account, params)
    return order_views.reply(plan.market, plan.order, slim=False)


@private("PUT", "/fapi/v1/order")
def amend(world: World, account: Account, params: Params) -> dict[str, Any]:
    """Amend in place."""
    order = amending.amend(world, account, params)
    return order_views.amended(world.markets[order.symbol], order, slim=world.fidelity.slim_replies)


@private("DELETE", "/fapi/v1/order")
def cancel(world: World, account: Account, params: Params) -> dict[str, Any]:
    """Cancel one."""
    order = ordering.cancel(world, account, params)
    return order_views.reply(world.markets[order.symbol], order, slim=world.fidelity.slim_replies)


@private("GET", "/fapi/v1/order")
def query(world: World, account: Account, params: Params) -> dict[str, Any]:
    """Any order within the venue's memory, else -2013."""
    market = world.market(need(params, "symbol"))
    order = ordering.find(world, account, market, params, "origClientOrderId")
    if order is None or not remembered(world, order):
        raise VenueError(-2013, "Order does not exist.")
    return order_views.query(market, order)


@private("GET", "/fapi/v1/openOrder")
def query_open(world: World, account: Account, params: Params) -> dict[str, Any]:
    """One open order, else -2013."""
    market = world.market(need(params, "symbol"))
    order = ordering.find(world, account, market, params, "origClientOrderId")
    if order is None or not order.open:
        raise VenueError(-2013, "Order does not exist.")
    return order_views.query(market, order)


@private("GET", "/fapi/v1/openOrders")
def list_open(world: World, account: Account, params: Params) -> list[dict[str, Any]]:
    """Open orders of one symbol or of all."""
    symbol = text(params, "symbol")
    markets = [world.market(symbol)] if symbol else list(world.markets.values())
    return [
        order_views.query(market, order) for market in markets for order in account.open_of(market.spec.symbol).values()
    ]


@private("GET", "/fapi/v1/allOrders")
def list_all(world: World, account: Account, params: Params) -> list[dict[str, Any]]:
    """Orders by id or by time, ascending."""
    market = world.market(need(params, "symbol"))
    limit = bounded(params, "limit", 500, 1000)
    start, end = _window(world, params)
    first = integer(params, "orderId")
    orders = [order for order in account.orders.get(market.spec.symbol, ()) if remembered(world, order)]
    if first is not None:
        rows = [order for order in orders if order.order_id >= first][:limit]
    else:
        rows = _page([order for order in orders if start <= order.created_ms <= end], params, limit)
    return [order_views.query(market, order) for order in rows]


def _window(world: World, params: Params) -> tuple[int, int]:
    """Start and end in ms, at most seven days apart; absent bounds follow from the other."""
    start, end = integer(params, "startTime"), integer(params, "endTime")
    if start is None:
        last = world.now_ms if end is None else end
        return last - _WINDOW_MS, last
    last = min(start + _WINDOW_MS, world.now_ms) if end is None else end
    if last < start or last - start > _WINDOW_MS:
        raise VenueError(-4165, "Invalid time interval. Maximum time interval is 7 days")
    return start, last


def _page(rows: list[Any], params: Params, limit: int) -> list[Any]:
    """From a start time the oldest rows, else the newest; ascending in both cases."""
    return rows[:limit] if text(params, "startTime") else rows[-limit:]


@private("GET", "/fapi/v1/forceOrders")
def list_forced(world: World, account: Account, params: Params) -> list[dict[str, Any]]:
    """Orders by which the venue took positions over; a week back without times."""
    symbol, kind = text(params, "symbol"), text(params, "autoCloseType")
    markets = [world.market(symbol)] if symbol else list(world.markets.values())
    start, end = _window(world, params)
    limit = bounded(params, "limit", 50, 100)
    prefix = {None: AUTOCLOSE, "LIQUIDATION": AUTOCLOSE[:1], "ADL": AUTOCLOSE[1:]}.get(kind)
    if prefix is None:
        raise malformed("autoCloseType")
    rows = [
        order_views.forced(market, order)
        for market in markets
        for order in account.orders.get(market.spec.symbol, ())
        if order.client_id.startswith(prefix) and start <= order.created_ms <= end
    ]
    return rows[-limit:]


@private("DELETE", "/fapi/v1/allOpenOrders")
def cancel_all(world: World, account: Account, params: Params) -> dict[str, Any]:
    """Cancel every open order of the symbol."""
    cancel_symbol(world, account, world.market(need(params, "symbol")))
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def cancel_symbol(world: World, account: Account, market: Market) -> None:
    """Cancel in order of acceptance."""
    for order in list(account.open_of(market.spec.symbol).values()):
        matching.close(world, market, order, CANCELED)


@private("POST", "/fapi/v1/countdownCancelAll")
def countdown(world: World, account: Account, params: Params) -> dict[str, Any]:
    """Arm, re-arm or (0) disarm the symbol's dead-man timer."""
    market = world.market(need(params, "symbol"))
    wait = integer(params, "countdownTime")
    if wait is None or wait < 0:
        raise malformed("countdownTime")
    timers = world.countdowns.setdefault(account.account_id, {})
    if wait:
        timers[market.spec.symbol] = Countdown(world.now_ms + wait, wait)
        world.quiet_until_ms = 0
    else:
        timers.pop(market.spec.symbol, None)
    return {"symbol": market.spec.symbol, "countdownTime": str(wait)}


@private("GET", "/fapi/v1/orderAmendment")
def amendments(world: World, account: Account, params: Params) -> list[dict[str, Any]]:
    """Amendment history of one order, newest first."""
    market = world.market(need(params, "symbol"))
    order = ordering.find(world, account, market, params, "origClientOrderId")
    if order is None or not remembered(world, order):
        raise VenueError(-2013, "Order does not exist.")
    limit = bounded(params, "limit", 50, 100)
    start, end = integer(params, "startTime") or 0, integer(params, "endTime")
    lines = [line for line in order.amendments if start <= line.at_ms and (end is None or line.at_ms <= end)]
    return [order_views.amendment(market, order, line) for line in lines[::-1][:limit]]


@private("GET", "/fapi/v1/userTrades")
def user_trades(world: World, account: Account, params: Params) -> list[dict[str, Any]]:
    """Own fills by trade id, order or time, ascending. fromId excludes times (-1128)."""
    market = world.market(need(params, "symbol"))
    limit = bounded(params, "limit", 500, 1000)
    first, order_id = integer(params, "fromId"), integer(params, "orderId")
    fills = account.trades.get(market.spec.symbol, [])
    if order_id is not None:
        fills = [fill for fill in fills if fill.order_id == order_id]
    if first is not None:
        if text(params, "startTime") or text(params, "endTime"):
            raise VenueError(-1128, "Combination of optional parameters invalid.")
        rows = [fill for fill in fills if fill.trade_id >= first][:limit]
    else:
        start, end = _window(world, params)
        rows = _page([fill for fill in fills if start <= fill.at_ms <= end], params, limit)
    return [order_views.trade(market, fill) for fill in rows]


def _list(value: Any, name: str) -> list[Any]:
    """A JSON list, parsed already or not."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise malformed(name) from None
    if not isinstance(value, list):
        raise malformed(name)
    return value


def _legs(params: Params) -> list[Any]:
    legs = _list(params.get("batchOrders"), "batchOrders")
    if not 1 <= len(legs) <= 5:
        raise VenueError(-4082, f"Invalid number of batch place orders: {len(legs)}")
    return legs


def _each(calls: Iterable[Callable[[], dict[str, Any]]]) -> list[dict[str, Any]]:
    """Answers in request order; a refused leg is its error body among the others."""
    rows: list[dict[str, Any]] = []
    for call in calls:
        try:
            rows.append(call())
        except VenueError as refusal:
            rows.append(refusal.body())
    return rows


def _leg(leg: Any) -> Params:
    if not isinstance(leg, dict):
        raise malformed("batchOrders")
    return leg


@private("POST", "/fapi/v1/batchOrders")
def place_batch(world: World, account: Account, params: Params) -> list[dict[str, Any]]:
    """Up to five placements."""
    return _each([lambda leg=leg: place(world, account, _leg(leg)) for leg in _legs(params)])  # type: ignore[misc]


@private("PUT", "/fapi/v1/batchOrders")
def amend_batch(world: World, account: Account, params: Params) -> list[dict[str, Any]]:
    """Up to five amendments."""
    return _each([lambda leg=leg: amend(world, account, _leg(leg)) for leg in _legs(params)])  # type: ignore[misc]


@private("DELETE", "/fapi/v1/batchOrders")
def cancel_batch(world: World, account: Account, params: Params) -> list[dict[str, Any]]:
    """Up to ten cancels, by order ids or client ids; both spellings of the lists are understood."""
    symbol = need(params, "symbol")
    world.market(symbol)
    lists = {name.lower(): value for name, value in params.items()}
    if lists.get("orderidlist"):
        name, ids = "orderId", _list(lists["orderidlist"], "orderIdList")
    elif lists.get("origclientorderidlist"):
        name, ids = "origClientOrderId", _list(lists["origclientorderidlist"], "origClientOrderIdList")
    else:
        message = "Param 'orderIdList' or 'origClientOrderIdList' must be sent, but both were empty/null!"
        raise VenueError(-1102, message)
    if not 1 <= len(ids) <= 10:
        raise VenueError(-4032, "Exceed maximum cancel order size.")
    legs = [{"symbol": symbol, name: one} for one in ids]
    return _each([lambda leg=leg: cancel(world, account, leg) for leg in legs])  # type: ignore[misc]
