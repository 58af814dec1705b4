"""JSON bodies of the public market data calls. It reads state and changes nothing."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from gridops.venue import feed
from gridops.venue.account import ZERO
from gridops.venue.algos import CONDITIONAL_TYPES
from gridops.venue.tape import MINUTE_MS, Aggregate, Minute, Print
from gridops.venue.units import money_text, plain
from gridops.venue.world import Market, World

RATE_LIMITS: list[dict[str, Any]] = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
]
_DAY_MINUTES = 1440
_THOUSANDTH = Decimal("0.001")


def exchange_info(world: World) -> dict[str, Any]:
    """Rules of every symbol, eight filters each."""
    assets = sorted({market.spec.quote_asset for market in world.markets.values()} | {"BNB"})
    return {
        "timezone": "UTC",
        "serverTime": world.now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": RATE_LIMITS,
        "exchangeFilters": [],
        "assets": [{"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"} for asset in assets],
        "symbols": [_symbol(market) for market in world.markets.values()],
    }


def _symbol(market: Market) -> dict[str, Any]:
    spec = market.spec
    return {
        "symbol": spec.symbol,
        "pair": spec.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": feed.DELIVERY_MS,
        "onboardDate": feed.ONBOARD_MS,
        "status": market.status,
        "maintMarginPercent": f"{spec.maint_margin_percent:.4f}",
        "requiredMarginPercent": f"{spec.required_margin_percent:.4f}",
        "baseAsset": spec.base_asset,
        "quoteAsset": spec.quote_asset,
        "marginAsset": spec.quote_asset,
        "pricePrecision": spec.price_precision,
        "quantityPrecision": spec.quantity_precision,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "permissionSets": ["GRID"],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": spec.move_order_limit,
        "filters": _filters(market),
        "orderTypes": ["LIMIT", "MARKET", *CONDITIONAL_TYPES],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }


def _filters(market: Market) -> list[dict[str, Any]]:
    spec = market.spec

    def lot(kind: str, most: Decimal) -> dict[str, Any]:
        sizes = {"minQty": f"{spec.min_qty:f}", "maxQty": f"{most:f}", "stepSize": f"{spec.step_size:f}"}
        return {"filterType": kind, **sizes}

    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": f"{spec.min_price:f}",
            "maxPrice": f"{spec.max_price:f}",
            "tickSize": f"{spec.tick_size:f}",
        },
        lot("LOT_SIZE", spec.max_qty),
        lot("MARKET_LOT_SIZE", spec.market_max_qty),
        {"filterType": "MAX_NUM_ORDERS", "limit": spec.max_num_orders},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
        {"filterType": "MIN_NOTIONAL", "notional": f"{spec.min_notional:f}"},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": f"{spec.multiplier_up:f}",
            "multiplierDown": f"{spec.multiplier_down:f}",
            "multiplierDecimal": "4",
        },
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
    ]


def depth(world: World, market: Market, limit: int) -> dict[str, Any]:
    """The visible book, best first; lastUpdateId is the last `u` sent on the depth stream."""
    price, qty = market.units.price.text, market.units.qty.text
    return {
        "lastUpdateId": market.update_id,
        "E": world.now_ms,
        "T": world.now_ms,
        "bids": [[price(at), qty(lots)] for at, lots in market.book.bids.levels(limit)],
        "asks": [[price(at), qty(lots)] for at, lots in market.book.asks.levels(limit)],
    }


def trade(market: Market, printed: Print) -> dict[str, Any]:
    """One public trade."""
    return {
        "id": printed.trade_id,
        "price": market.units.price.text(printed.price_ticks),
        "qty": market.units.qty.text(printed.lots),
        "quoteQty": plain(market.units.notional(printed.price_ticks, printed.lots)),
        "time": printed.at_ms,
        "isBuyerMaker": printed.buyer_is_maker,
        "isRPITrade": False,
    }


def aggregate(market: Market, row: Aggregate) -> dict[str, Any]:
    """One aggregate trade."""
    return {
        "a": row.agg_id,
        "p": market.units.price.text(row.price_ticks),
        "q": market.units.qty.text(row.lots),
        "nq": market.units.qty.text(row.lots),
        "f": row.first_id,
        "l": row.last_id,
        "T": row.at_ms,
        "m": row.buyer_is_maker,
    }


def klines(market: Market, minutes: int, start_ms: int, end_ms: int, limit: int) -> list[list[Any]]:
    """Candles built from one-minute candles; minutes without a trade are absent."""
    width = minutes * MINUTE_MS
    grouped: dict[int, list[Minute]] = {}
    for minute in market.tape.minutes:
        opened = minute.open_ms - minute.open_ms % width
        if start_ms <= opened <= end_ms:
            grouped.setdefault(opened, []).append(minute)
    rows = [_candle(market, opened, width, group) for opened, group in sorted(grouped.items())]
    return rows[-limit:] if start_ms == 0 else rows[:limit]


def _candle(market: Market, opened: int, width: int, group: list[Minute]) -> list[Any]:
    price, qty, value = market.units.price.text, market.units.qty.text, market.units.lot_value
    return [
        opened,
        price(group[0].open),
        price(max(minute.high for minute in group)),
        price(min(minute.low for minute in group)),
        price(group[-1].close),
        qty(sum(minute.lots for minute in group)),
        opened + width - 1,
        plain(value * sum(minute.value for minute in group)),
        sum(minute.count for minute in group),
        qty(sum(minute.taker_lots for minute in group)),
        plain(value * sum(minute.taker_value for minute in group)),
        "0",
    ]


def price_klines(market: Market, name: str, minutes: int, start_ms: int, end_ms: int, limit: int) -> list[list[Any]]:
    """Candles of mark, index or premium: no volume, and the count of statements where trades would be."""
    width = minutes * MINUTE_MS
    stated = market.stated.get(name)
    rows = [
        [
            *(candle.open_ms, money_text(candle.open), money_text(candle.high)),
            *(money_text(candle.low), money_text(candle.close), "0", candle.open_ms + width - 1, "0"),
            *(candle.count, "0", "0", "0"),
        ]
        for candle in (stated.grouped(width) if stated is not None else ())
        if start_ms <= candle.open_ms <= end_ms
    ]
    return rows[-limit:] if start_ms == 0 else rows[:limit]


def premium_index(world: World, market: Market) -> dict[str, Any]:
    """Mark, index, funding rate in force and next funding time."""
    mark = market.mark_price() or ZERO
    index = market.index if market.index is not None else mark
    return {
        "symbol": market.spec.symbol,
        "markPrice": money_text(mark),
        "indexPrice": money_text(index),
        "estimatedSettlePrice": money_text(index),
        "lastFundingRate": money_text(market.funding_rate),
        "interestRate": "0.00010000",
        "nextFundingTime": market.next_funding_ms,
        "time": world.now_ms,
    }


def funding_info(world: World, market: Market) -> dict[str, Any]:
    """Interval and caps of a symbol's funding."""
    return {
        "symbol": market.spec.symbol,
        "adjustedFundingRateCap": "0.02000000",
        "adjustedFundingRateFloor": "-0.02000000",
        "fundingIntervalHours": 8,
        "disclaimer": False,
        "updateTime": world.now_ms,
    }


def book_ticker(world: World, market: Market) -> dict[str, Any]:
    """Best bid and ask."""
    bid, bid_lots, ask, ask_lots = feed.top(market)
    price, qty = market.units.price.text, market.units.qty.text
    return {
        "symbol": market.spec.symbol,
        "bidPrice": price(bid),
        "bidQty": qty(bid_lots),
        "askPrice": price(ask),
        "askQty": qty(ask_lots),
        "time": world.now_ms,
        "lastUpdateId": market.update_id,
    }


def last_price(world: World, market: Market) -> dict[str, Any]:
    """Price of the last trade, the mark before the first one."""
    prints = market.tape.prints
    price = market.units.price.text(prints[-1].price_ticks) if prints else plain(market.mark_price() or ZERO)
    return {"symbol": market.spec.symbol, "price": price, "time": prints[-1].at_ms if prints else world.now_ms}


def day(world: World, market: Market) -> dict[str, Any]:
    """Statistics of the last 24 hours of the tape that is kept."""
    since = world.now_ms - _DAY_MINUTES * MINUTE_MS
    minutes = [minute for minute in market.tape.minutes if minute.open_ms >= since - since % MINUTE_MS]
    price, units = market.units.price.text, market.units
    first, last = (minutes[0].open, minutes[-1].close) if minutes else (0, 0)
    lots, value = sum(m.lots for m in minutes), sum(m.value for m in minutes)
    change = Decimal(last - first) * 100 / first if first else ZERO
    average = plain((units.price.size * value / lots).quantize(units.price.size, ROUND_HALF_EVEN)) if lots else "0"
    return {
        "symbol": market.spec.symbol,
        "priceChange": price(last - first),
        "priceChangePercent": f"{change.quantize(_THOUSANDTH, ROUND_HALF_EVEN):f}",
        "weightedAvgPrice": average,
        "lastPrice": price(last),
        "lastQty": units.qty.text(market.tape.prints[-1].lots if market.tape.prints else 0),
        "openPrice": price(first),
        "highPrice": price(max((m.high for m in minutes), default=0)),
        "lowPrice": price(min((m.low for m in minutes), default=0)),
        "volume": units.qty.text(lots),
        "quoteVolume": plain(units.lot_value * value),
        "openTime": since,
        "closeTime": world.now_ms,
        "firstId": minutes[0].first_id if minutes else 0,
        "lastId": minutes[-1].last_id if minutes else 0,
        "count": sum(m.count for m in minutes),
    }
