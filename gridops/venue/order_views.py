"""JSON bodies about orders, amendments and the account's own trades. It reads state and changes nothing."""

from typing import Any

from gridops.venue import private
from gridops.venue.account import Income, Trade
from gridops.venue.algos import TRAILING
from gridops.venue.orders import Amendment, Order
from gridops.venue.units import money_text, plain
from gridops.venue.world import Market


def reply(market: Market, order: Order, *, slim: bool) -> dict[str, Any]:
    """Answer to a write. Slim replies lack avgPrice and cumQuote, as the venue's do since mid 2026."""
    body = _common(market, order)
    body["cumQty"] = body["executedQty"]
    if not slim:
        body.update(_averages(market, order))
    return body


def amended(market: Market, order: Order, *, slim: bool) -> dict[str, Any]:
    """Answer to an amendment: as any write, with the pair and the caller's modifyId."""
    body = reply(market, order, slim=slim)
    body["pair"] = order.symbol
    if order.modify_id is not None:
        body["modifyId"] = order.modify_id
    return body


def query(market: Market, order: Order) -> dict[str, Any]:
    """Answer to a read."""
    return {**_common(market, order), **_averages(market, order), "time": order.created_ms}


def forced(market: Market, order: Order) -> dict[str, Any]:
    """A liquidation or deleveraging as its own list shows it."""
    body = query(market, order)
    return body | {"pair": order.symbol, "type": "LIMIT", "origType": "LIMIT", "cumBase": body["executedQty"]}


def _averages(market: Market, order: Order) -> dict[str, str]:
    value = plain(market.units.lot_value * order.filled_tick_lots)
    return {"avgPrice": private.average_text(market.units, order), "cumQuote": value}


def _common(market: Market, order: Order) -> dict[str, Any]:
    units = market.units
    body = {
        "orderId": order.order_id,
        "symbol": order.symbol,
        "status": order.status,
        "clientOrderId": order.client_id,
        "price": units.price.text(order.price_ticks),
        "origQty": units.qty.text(order.lots),
        "executedQty": units.qty.text(order.filled_lots),
        "timeInForce": order.tif,
        "type": order.type,
        "reduceOnly": order.reduce_only,
        "closePosition": False,
        "side": order.side,
        "positionSide": order.position_side,
        "stopPrice": units.price.text(order.stop_ticks) if order.stop_ticks else "0",
        "workingType": order.working_type,
        "priceProtect": order.price_protect,
        "origType": order.orig_type or order.type,
        "priceMatch": order.price_match,
        "selfTradePreventionMode": order.stp,
        "goodTillDate": order.gtd_ms,
        "updateTime": order.updated_ms,
    }
    if order.trigger is not None and order.trigger.type == TRAILING:
        body["activatePrice"] = units.price.text(order.trigger.activation_ticks)
        body["priceRate"] = order.trigger.rate_text()
    return body


def amendment(market: Market, order: Order, line: Amendment) -> dict[str, Any]:
    """One line of the amendment history."""
    units = market.units
    change: dict[str, Any] = {
        "price": {"before": units.price.text(line.price_before), "after": units.price.text(line.price_after)},
        "origQty": {"before": units.qty.text(line.lots_before), "after": units.qty.text(line.lots_after)},
        "count": line.count,
    }
    if line.modify_id is not None:
        change["modifyId"] = line.modify_id
    return {
        "amendmentId": line.amendment_id,
        "symbol": order.symbol,
        "pair": order.symbol,
        "orderId": order.order_id,
        "clientOrderId": order.client_id,
        "time": line.at_ms,
        "amendment": change,
        "priceMatch": order.price_match,
    }


def trade(market: Market, fill: Trade) -> dict[str, Any]:
    """One row of userTrades."""
    units = market.units
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "side": fill.side,
        "price": units.price.text(fill.price_ticks),
        "qty": units.qty.text(fill.lots),
        "realizedPnl": money_text(fill.realised),
        "quoteQty": plain(units.notional(fill.price_ticks, fill.lots)),
        "commission": money_text(fill.commission),
        "commissionAsset": fill.commission_asset,
        "time": fill.at_ms,
        "positionSide": fill.position_side,
        "buyer": fill.side == "BUY",
        "maker": fill.maker,
        "marginAsset": market.spec.quote_asset,
        "pair": fill.symbol,
    }


def income(row: Income) -> dict[str, Any]:
    """One income row."""
    return {
        "symbol": row.symbol,
        "incomeType": row.kind,
        "income": money_text(row.amount),
        "asset": row.asset,
        "info": row.info,
        "time": row.at_ms,
        "tranId": row.tran_id,
        "tradeId": row.trade_id,
    }
