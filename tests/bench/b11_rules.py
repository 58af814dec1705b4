"""B11: the rules of 500 symbols from a cached exchangeInfo, against the same bytes through ccxt's markets.

The symbols are copies of one entry under other names; where the shared recordings lie beside the checkout, of all the
recorded ones.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from gridops.adapters import venue_parse
from tests.bench.table import Result, times, us
from tests.bench.timing import Work, interleave

SYMBOLS = 500
AIM_MS = 10
_SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "protocol" / "binance_usdm" / "rest"
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def run() -> list[Result]:
    """Bytes in, rules out, on both sides."""
    body, source = exchange_info()
    names = [each["symbol"] for each in json.loads(body)["symbols"]]
    exchange = _ccxt()
    measured = interleave(
        {
            "ours": lambda: _ours(body, names),
            "decoded": lambda: _decoded(body),
            "ccxt": lambda: _theirs(exchange, body),
        },
        rounds=12,
    )
    ours, theirs = measured["ours"], measured["ccxt"]
    return [
        Result(
            row="B11",
            what=f"rules of {SYMBOLS} symbols ({source}), {len(body) // 1024} KiB of cached exchangeInfo",
            here=us(ours),
            against=f"ccxt parse_markets + set_markets: {us(theirs)}; decoding alone: {us(measured['decoded'])}",
            ratio=times(ours / theirs),
            aim=f"<= {AIM_MS} ms",
            peer="ccxt load_markets 119 ms, msgspec typed 3 ms",
            met=ours <= AIM_MS * 1e6,
            took_ns=ours,
            aim_ns=AIM_MS * 1e6,
        )
    ]


def exchange_info() -> tuple[bytes, str]:
    """An exchangeInfo of 500 symbols, and where its entries come from."""
    known = _recorded()
    seeds, source = (known, f"from {len(known)} recorded") if known else ([_entry()], "from one")
    rows = [seeds[number % len(seeds)] | {"symbol": f"S{number}USDT"} for number in range(SYMBOLS)]
    whole = {"timezone": "UTC", "serverTime": 1_700_000_000_000, "rateLimits": [], "assets": [], "symbols": rows}
    return json.dumps(whole).encode(), source


def _recorded() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in sorted(_SHARED.glob("*xchange*nfo*.json")):
        payload = json.loads(path.read_text())
        payload = payload.get("payload", payload) if isinstance(payload, dict) else {}
        listed = payload.get("symbols", [])
        found = max(found, [each for each in listed if each.get("contractType") == "PERPETUAL"], key=len)
    return found


def _entry() -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "pair": "BTCUSDT",
        "contractType": "PERPETUAL",
        "deliveryDate": 4_133_404_800_000,
        "onboardDate": 1_569_398_400_000,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10_000,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "556.80", "maxPrice": "4529764", "tickSize": "0.10"},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
            {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
            {"filterType": "MIN_NOTIONAL", "notional": "50"},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": "1.0500",
                "multiplierDown": "0.9500",
                "multiplierDecimal": "4",
            },
        ],
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }


def _ours(body: bytes, names: list[str]) -> Work:
    def work() -> int:
        found = venue_parse.instruments(_DECODER.decode(body), names)
        assert len(found) == SYMBOLS
        return 1

    return work


def _decoded(body: bytes) -> Work:
    def work() -> int:
        _DECODER.decode(body)
        return 1

    return work


def _theirs(exchange: Any, body: bytes) -> Work:
    def work() -> int:
        exchange.set_markets(exchange.parse_markets(json.loads(body)["symbols"]))
        return 1

    return work


def _ccxt() -> Any:
    from ccxt import binanceusdm

    return binanceusdm()
