"""Streams made from the core's own answers once in a while: tickers, candles, slow mark price, and lists of all.

Sits beside the pump. It asks the core the same questions a client could ask and reshapes the answers; it computes
nothing.
"""

from collections.abc import Callable
from typing import Any

from gridops.venue.errors import VenueError
from gridops.venue.server.floor import Floor

Made = dict[str, Any]
_SLOW_MARK_S = 3


def publish(floor: Floor) -> None:
    """Send every derived stream that has a listener; called once a second."""
    for stream in floor.hub.streams():
        try:
            payload = _of_all(floor, stream) if stream.startswith("!") else _payload(floor, stream)
        except VenueError:
            continue
        if payload:
            floor.hub.send(stream, payload)


def _of_all(floor: Floor, stream: str) -> list[Made] | None:
    now_ms = floor.clock.now_ms()
    shape: Callable[[Made, int], Made]
    match stream:
        case "!miniTicker@arr":
            path, shape = "/fapi/v1/ticker/24hr", _mini_ticker
        case "!ticker@arr":
            path, shape = "/fapi/v1/ticker/24hr", _ticker
        case "!markPrice@arr@1s":
            path, shape = "/fapi/v1/premiumIndex", _mark
        case "!markPrice@arr" if now_ms // 1_000 % _SLOW_MARK_S == 0:
            path, shape = "/fapi/v1/premiumIndex", _mark
        case _:
            return None
    return [shape(row, now_ms) for row in _ask(floor, path)]


def _payload(floor: Floor, stream: str) -> Made | None:
    now_ms = floor.clock.now_ms()
    base, _, kind = stream.partition("@")
    symbol, (name, _, interval) = base.partition("_perpetual")[0].upper(), kind.partition("_")
    if kind in ("miniTicker", "ticker"):
        row = _ask(floor, "/fapi/v1/ticker/24hr", symbol=symbol)
        return _mini_ticker(row, now_ms) if kind == "miniTicker" else _ticker(row, now_ms)
    if name in ("kline", "continuousKline"):
        rows = _ask(floor, "/fapi/v1/klines", symbol=symbol, interval=interval, limit="1")
        return _kline(name, symbol, interval, rows[-1], now_ms) if rows else None
    if kind == "markPrice" and now_ms // 1_000 % _SLOW_MARK_S == 0:
        return _mark(_ask(floor, "/fapi/v1/premiumIndex", symbol=symbol), now_ms)
    return None


def _ask(floor: Floor, path: str, **params: str) -> Any:
    return floor.call(None, "GET", path, params, writes=False)


def _mini_ticker(ticker: Made, now_ms: int) -> Made:
    return {
        "e": "24hrMiniTicker", "E": now_ms, "s": ticker["symbol"], "c": ticker["lastPrice"], "o": ticker["openPrice"],
        "h": ticker["highPrice"], "l": ticker["lowPrice"], "v": ticker["volume"], "q": ticker["quoteVolume"],
        "ps": ticker["symbol"], "st": 1,
    }  # fmt: skip


def _ticker(ticker: Made, now_ms: int) -> Made:
    return {
        "e": "24hrTicker", "E": now_ms, "s": ticker["symbol"], "p": ticker["priceChange"],
        "P": ticker["priceChangePercent"], "w": ticker["weightedAvgPrice"], "c": ticker["lastPrice"],
        "Q": ticker["lastQty"], "o": ticker["openPrice"], "h": ticker["highPrice"], "l": ticker["lowPrice"],
        "v": ticker["volume"], "q": ticker["quoteVolume"], "O": ticker["openTime"], "C": ticker["closeTime"],
        "F": ticker["firstId"], "L": ticker["lastId"], "n": ticker["count"], "ps": ticker["symbol"], "st": 1,
    }  # fmt: skip


def _kline(name: str, symbol: str, interval: str, row: list[Any], now_ms: int) -> Made:
    candle = {
        "t": row[0], "T": row[6], "s": symbol, "i": interval, "f": -1, "L": -1, "o": row[1], "c": row[4], "h": row[2],
        "l": row[3], "v": row[5], "n": row[8], "x": now_ms > row[6], "q": row[7], "V": row[9], "Q": row[10], "B": "0",
    }  # fmt: skip
    if name == "kline":
        return {"e": "kline", "E": now_ms, "s": symbol, "k": candle}
    del candle["s"]
    return {"e": "continuous_kline", "E": now_ms, "ps": symbol, "ct": "PERPETUAL", "k": candle}


def _mark(premium: Made, now_ms: int) -> Made:
    return {
        "e": "markPriceUpdate", "E": now_ms, "s": premium["symbol"], "p": premium["markPrice"],
        "ap": premium["markPrice"], "i": premium["indexPrice"],
        "P": premium.get("estimatedSettlePrice", premium["indexPrice"]), "r": premium["lastFundingRate"],
        "T": premium["nextFundingTime"], "st": 1,
    }  # fmt: skip
