"""Every operation for every real trading symbol passes the venue's filters, worked out in decimals from its text."""

import gzip
import json
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

from gridops.decide.grid import GridInputs, GridState, ladder, spacing_ticks
from gridops.decide.router import RouteContext, route
from gridops.decide.router_cases import NOW_MS
from gridops.decide.sizing import Infeasible, rung_lots
from gridops.domain.instrument import Instrument
from gridops.domain.orders import Order
from gridops.domain.plan import Op, Target
from gridops.domain.rules import GridRules, RouterRules
from gridops.domain.vocabulary import OpKind, OrderState, Side

EXCHANGE_INFO = "market/binance_usdm/reference/exchangeInfo_202503_symbols_half.json.gz"


def filters_of(symbol: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["filterType"]: one for one in symbol["filters"]}


def instrument_of(symbol: dict[str, Any]) -> Instrument:
    filters = filters_of(symbol)
    price, lot = filters["PRICE_FILTER"], filters["LOT_SIZE"]
    tick, step = Decimal(price["tickSize"]), Decimal(lot["stepSize"])
    return Instrument(
        symbol=symbol["symbol"],
        settle_asset=symbol["marginAsset"],
        tick_size=tick,
        step_size=step,
        min_price_ticks=int(Decimal(price["minPrice"]) / tick),
        max_price_ticks=int(Decimal(price["maxPrice"]) / tick),
        min_lots=int(Decimal(lot["minQty"]) / step),
        max_lots=int(Decimal(lot["maxQty"]) / step),
        market_max_lots=int(Decimal(filters["MARKET_LOT_SIZE"]["maxQty"]) / step),
        min_notional=Decimal(filters["MIN_NOTIONAL"]["notional"]),
        percent_up=Decimal(filters["PERCENT_PRICE"]["multiplierUp"]),
        percent_down=Decimal(filters["PERCENT_PRICE"]["multiplierDown"]),
    )


def refusal(op: Op, filled: int, made: Instrument, raw: dict[str, dict[str, Any]], mark: Decimal) -> str:
    """The venue's judgement on one place or amend; empty when it takes it."""
    price, quantity = made.price(op.price_ticks), made.quantity(op.lots)
    limits, lot, percent = raw["PRICE_FILTER"], raw["LOT_SIZE"], raw["PERCENT_PRICE"]
    if price % Decimal(limits["tickSize"]) or not Decimal(limits["minPrice"]) <= price <= Decimal(limits["maxPrice"]):
        return f"PRICE_FILTER {price}"
    if quantity % Decimal(lot["stepSize"]) or not Decimal(lot["minQty"]) <= quantity <= Decimal(lot["maxQty"]):
        return f"LOT_SIZE {quantity}"
    if op.side is Side.BUY and price > mark * Decimal(percent["multiplierUp"]):
        return f"PERCENT_PRICE {price}"
    if op.side is Side.SELL and price < mark * Decimal(percent["multiplierDown"]):
        return f"PERCENT_PRICE {price}"
    rest = quantity - made.quantity(filled)
    if not op.reduce_only and price * rest < Decimal(raw["MIN_NOTIONAL"]["notional"]):
        return f"MIN_NOTIONAL {price * rest}"
    return ""


def some_orders(chance: random.Random, targets: tuple[Target, ...]) -> list[Order]:
    orders = []
    for one in targets:
        if chance.random() < 0.4:
            continue
        away = chance.randrange(97, 101) if one.side is Side.BUY else chance.randrange(100, 104)
        lots = max(1, one.lots * chance.randrange(20, 180) // 100)
        filled = chance.randrange(lots) if chance.random() < 0.4 else 0
        orders.append(
            Order(
                client_id=f"o{one.level}",
                symbol=one.symbol,
                side=one.side,
                level=one.level,
                price_ticks=max(1, one.price_ticks * away // 100),
                lots=lots,
                reduce_only=one.reduce_only,
                order_type=one.order_type,
                tif=one.tif,
                state=OrderState.PARTIAL if filled else OrderState.OPEN,
                epoch=1,
                created_ms=0,
                filled_lots=filled,
            )
        )
    return orders


def one_plan(chance: random.Random, made: Instrument) -> tuple[tuple[Op, ...], list[Order], int]:
    low = max(made.min_price_ticks, 200)
    bid = chance.randrange(low, min(max(made.max_price_ticks // 4, low + 1), 2_000_000))
    cap_units, rules = made.units(Decimal(20_000)), GridRules(levels=chance.randrange(1, 12), volatility_scaled=False)
    lots = rung_lots(Decimal(50_000), rules, made, bid, cap_units=cap_units)
    while isinstance(lots, Infeasible) and bid > low:
        bid = max(bid // 2, low)
        lots = rung_lots(Decimal(50_000), rules, made, bid, cap_units=cap_units)
    assert not isinstance(lots, Infeasible), lots
    what = GridInputs(
        symbol=made.symbol,
        instrument=made,
        rules=rules,
        bid_ticks=bid,
        ask_ticks=bid + chance.randrange(1, 5),
        mark_ticks=bid,
        position_lots=chance.randrange(-3 * lots, 3 * lots + 1),
        lots=lots,
        cap_units=cap_units,
        at_ms=NOW_MS,
    )
    state, targets = ladder(GridState(), what)
    orders = some_orders(chance, targets)
    ctx = RouteContext(
        symbol=made.symbol,
        instrument=made,
        rules=RouterRules(),
        bid_ticks=what.bid_ticks,
        ask_ticks=what.ask_ticks,
        mark_ticks=what.mark_ticks,
        position_lots=what.position_lots,
        venue_position_lots=what.position_lots,
        spacing_ticks=spacing_ticks(state, what),
        cap_units=cap_units,
        account_cap_units=cap_units,
        permit=lambda _request: None,
        now_ms=NOW_MS,
    )
    return route(targets, orders, ctx).ops, orders, bid


def test_operations_pass_the_filters_of_every_trading_symbol(shared_data: Path) -> None:
    symbols = json.loads(gzip.decompress((shared_data / EXCHANGE_INFO).read_bytes()))
    symbols = symbols["symbols"] if isinstance(symbols, dict) else symbols
    trading = [one for one in symbols if one["status"] == "TRADING"]
    chance, judged, traded = random.Random(229), 0, set()
    for symbol in trading:
        made, raw = instrument_of(symbol), filters_of(symbol)
        for _ in range(4):
            ops, orders, bid = one_plan(chance, made)
            filled = {one.client_id: one.filled_lots for one in orders}
            for op in ops:
                if op.kind is not OpKind.CANCEL:
                    judged += 1
                    traded.add(made.symbol)
                    refused = refusal(op, filled.get(op.client_id, 0), made, raw, made.price(bid))
                    assert not refused, f"{made.symbol}: {refused} for {op}"
    assert len(trading) == 208
    assert len(traded) == 208, {one["symbol"] for one in trading} - traded
    assert judged > 5_000
