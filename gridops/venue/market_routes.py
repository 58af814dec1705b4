"""Public routes: clock, rules, book, tape, prices. Sits above the market views, reached through `routes`."""

from typing import Any

from gridops.venue import market_views
from gridops.venue.errors import VenueError
from gridops.venue.params import Params, bounded, integer, need, text
from gridops.venue.routes import public
from gridops.venue.units import money_text
from gridops.venue.world import Market, World

_DEPTH_LIMITS = (5, 10, 20, 50, 100, 500, 1000)
_MINUTES = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240,
    "6h": 360, "8h": 480, "12h": 720, "1d": 1440,
}  # fmt: skip


@public("GET", "/fapi/v1/ping")
def ping(world: World, params: Params) -> dict[str, Any]:  # noqa: ARG001
    """Nothing."""
    return {}


@public("GET", "/fapi/v1/time")
def time(world: World, params: Params) -> dict[str, Any]:  # noqa: ARG001
    """The venue clock."""
    return {"serverTime": world.now_ms}


@public("GET", "/fapi/v1/exchangeInfo")
def exchange_info(world: World, params: Params) -> dict[str, Any]:  # noqa: ARG001
    """Rules of every symbol."""
    return market_views.exchange_info(world)


@public("GET", "/fapi/v1/depth")
def depth(world: World, params: Params) -> dict[str, Any]:
    """The book down to one of the venue's depths."""
    market, limit = world.market(need(params, "symbol")), integer(params, "limit")
    if limit is not None and limit not in _DEPTH_LIMITS:
        raise VenueError(-4021, f"{limit} is not valid depth limit")
    return market_views.depth(world, market, limit or 500)


@public("GET", "/fapi/v1/trades")
def trades(world: World, params: Params) -> list[dict[str, Any]]:
    """The newest trades, ascending."""
    market, limit = world.market(need(params, "symbol")), bounded(params, "limit", 500, 1000)
    return [market_views.trade(market, printed) for printed in list(market.tape.prints)[-limit:]]


@public("GET", "/fapi/v1/aggTrades")
def agg_trades(world: World, params: Params) -> list[dict[str, Any]]:
    """Aggregates from an id, from a time, or the newest; ascending."""
    market, limit = world.market(need(params, "symbol")), bounded(params, "limit", 500, 1000)
    first, start, end = integer(params, "fromId"), integer(params, "startTime"), integer(params, "endTime")
    rows = [row for row in market.tape.aggregates if end is None or row.at_ms <= end]
    if first is not None:
        rows = [row for row in rows if row.agg_id >= first][:limit]
    elif start is not None:
        rows = [row for row in rows if row.at_ms >= start][:limit]
    return [market_views.aggregate(market, row) for row in rows[-limit:]]


@public("GET", "/fapi/v1/klines")
def klines(world: World, params: Params) -> list[list[Any]]:
    """Candles from the tape."""
    return market_views.klines(world.market(need(params, "symbol")), *_span(world, params))


def _span(world: World, params: Params) -> tuple[int, int, int, int]:
    """Minutes a candle, start and end in ms, most rows."""
    minutes = _MINUTES.get(need(params, "interval"))
    if minutes is None:
        raise VenueError(-1120, "Invalid interval.")
    start, end = integer(params, "startTime"), integer(params, "endTime")
    limit = bounded(params, "limit", 500, 1500)
    return minutes, start or 0, world.now_ms if end is None else end, limit


@public("GET", "/fapi/v1/continuousKlines")
def continuous_klines(world: World, params: Params) -> list[list[Any]]:
    """Candles of a pair's perpetual contract."""
    if need(params, "contractType") != "PERPETUAL":
        raise VenueError(-4144, "Invalid pair.")
    return market_views.klines(world.market(need(params, "pair")), *_span(world, params))


@public("GET", "/fapi/v1/markPriceKlines")
def mark_klines(world: World, params: Params) -> list[list[Any]]:
    """Candles of the mark price."""
    return market_views.price_klines(world.market(need(params, "symbol")), "mark", *_span(world, params))


@public("GET", "/fapi/v1/indexPriceKlines")
def index_klines(world: World, params: Params) -> list[list[Any]]:
    """Candles of the index price of a pair."""
    return market_views.price_klines(world.market(need(params, "pair")), "index", *_span(world, params))


@public("GET", "/fapi/v1/premiumIndexKlines")
def premium_klines(world: World, params: Params) -> list[list[Any]]:
    """Candles of the premium of mark over index."""
    return market_views.price_klines(world.market(need(params, "symbol")), "premium", *_span(world, params))


def _one_or_all(world: World, params: Params, view: Any) -> Any:
    """One object with a symbol, a list of all without."""
    symbol = text(params, "symbol")
    if symbol:
        return view(world, world.market(symbol))
    return [view(world, market) for market in world.markets.values()]


@public("GET", "/fapi/v1/premiumIndex")
def premium_index(world: World, params: Params) -> Any:
    """Mark, index and funding."""
    return _one_or_all(world, params, market_views.premium_index)


@public("GET", "/fapi/v1/fundingRate")
def funding_rate(world: World, params: Params) -> list[dict[str, Any]]:
    """Settled funding times, ascending."""
    symbol, limit = text(params, "symbol"), bounded(params, "limit", 100, 1000)
    start, end = integer(params, "startTime") or 0, integer(params, "endTime")
    markets: list[Market] = [world.market(symbol)] if symbol else list(world.markets.values())
    rows = [
        {
            "symbol": market.spec.symbol,
            "fundingTime": settled.at_ms,
            "fundingRate": money_text(settled.rate),
            "markPrice": money_text(settled.mark),
            "rateType": "Regular",
        }
        for market in markets
        for settled in market.fundings
        if start <= settled.at_ms and (end is None or settled.at_ms <= end)
    ]
    return rows[:limit] if start else rows[-limit:]


@public("GET", "/fapi/v1/fundingInfo")
def funding_info(world: World, params: Params) -> list[dict[str, Any]]:  # noqa: ARG001
    """Funding interval and caps by symbol."""
    return [market_views.funding_info(world, market) for market in world.markets.values()]


@public("GET", "/fapi/v1/ticker/24hr")
def ticker_day(world: World, params: Params) -> Any:
    """Statistics of the last day."""
    return _one_or_all(world, params, market_views.day)


@public("GET", "/fapi/v1/ticker/price", "/fapi/v2/ticker/price")
def ticker_price(world: World, params: Params) -> Any:
    """Last price."""
    return _one_or_all(world, params, market_views.last_price)


@public("GET", "/fapi/v1/ticker/bookTicker")
def ticker_book(world: World, params: Params) -> Any:
    """Best bid and ask."""
    return _one_or_all(world, params, market_views.book_ticker)
