"""Streams made from the core's own answers once in a while: mini ticker, one-minute candle, slow mark price.

Sits beside the pump. It asks the core the same questions a client could ask and reshapes the answers; it computes
nothing.
"""

from typing import Any

from gridops.venue.errors import VenueError
from gridops.venue.server.floor import Floor


def publish(floor: Floor) -> None:
    """Send every derived stream that has a listener; called once a second."""
    for stream in floor.hub.streams():
        base, _, rest = stream.partition("@")
        symbol = base.upper()
        try:
            payload = _payload(floor, symbol, rest)
        except VenueError:
            continue
        if payload is not None:
            floor.hub.send(stream, payload)


def _payload(floor: Floor, symbol: str, kind: str) -> dict[str, Any] | None:
    now_ms = floor.clock.now_ms()
    if kind == "miniTicker":
        return _mini_ticker(_ask(floor, "/fapi/v1/ticker/24hr", symbol=symbol), now_ms)
    if kind == "kline_1m":
        rows = _ask(floor, "/fapi/v1/klines", symbol=symbol, interval="1m", limit="1")
        return _kline(symbol, rows[-1], now_ms) if rows else None
    if kind == "markPrice" and now_ms // 1_000 % 3 == 0:
        return _mark(_ask(floor, "/fapi/v1/premiumIndex", symbol=symbol), now_ms)
    return None


def _ask(floor: Floor, path: str, **params: str) -> Any:
    return floor.call(None, "GET", path, params, writes=False)


def _mini_ticker(ticker: dict[str, Any], now_ms: int) -> dict[str, Any]:
    return {
        "e": "24hrMiniTicker", "E": now_ms, "s": ticker["symbol"], "c": ticker["lastPrice"], "o": ticker["openPrice"],
        "h": ticker["highPrice"], "l": ticker["lowPrice"], "v": ticker["volume"], "q": ticker["quoteVolume"],
    }  # fmt: skip


def _kline(symbol: str, row: list[Any], now_ms: int) -> dict[str, Any]:
    candle = {
        "t": row[0], "T": row[6], "s": symbol, "i": "1m", "f": -1, "L": -1, "o": row[1], "c": row[4], "h": row[2],
        "l": row[3], "v": row[5], "n": row[8], "x": now_ms > row[6], "q": row[7], "V": row[9], "Q": row[10], "B": "0",
    }  # fmt: skip
    return {"e": "kline", "E": now_ms, "s": symbol, "k": candle}


def _mark(premium: dict[str, Any], now_ms: int) -> dict[str, Any]:
    return {
        "e": "markPriceUpdate", "E": now_ms, "s": premium["symbol"], "p": premium["markPrice"],
        "i": premium["indexPrice"], "P": premium.get("estimatedSettlePrice", premium["indexPrice"]),
        "r": premium["lastFundingRate"], "T": premium["nextFundingTime"],
    }  # fmt: skip
