"""The routes the venue serves, with what each demands and costs: key, signature, weight, order counts, parameters.

A table, read by the gateway. Weights are what the venue charges, which differs from what client libraries assume. A
path that is not here is unknown, answered 404 and counted loudly.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum

from gridops.domain.values import value

Params = Mapping[str, object]


class Security(StrEnum):
    """What a request must prove."""

    NONE = "none"
    KEY = "key"
    SIGNED = "signed"


@value
class Route:
    """One verb on one path."""

    security: Security
    weight: Callable[[Params], int]
    required: tuple[str, ...] = ()
    orders_10s: int = 0
    orders_1m: int = 0
    changes_account: bool = False


def _flat(weight: int) -> Callable[[Params], int]:
    return lambda _params: weight


def _by_symbol(with_symbol: int, without: int) -> Callable[[Params], int]:
    return lambda params: with_symbol if "symbol" in params else without


def _by_limit(default: int, *steps: tuple[int, int]) -> Callable[[Params], int]:
    def weight(params: Params) -> int:
        text = str(params.get("limit", default))
        limit = int(text) if text.isdecimal() else default
        return next((cost for top, cost in steps if limit <= top), steps[-1][1])

    return weight


def _public(weight: Callable[[Params], int], *required: str) -> Route:
    return Route(Security.NONE, weight, required)


def _read(weight: Callable[[Params], int], *required: str) -> Route:
    return Route(Security.SIGNED, weight, required)


def _write(weight: int, *required: str, orders_10s: int = 0, orders_1m: int = 0) -> Route:
    return Route(Security.SIGNED, _flat(weight), required, orders_10s, orders_1m, changes_account=True)


_DEPTH = _by_limit(500, (50, 2), (100, 5), (500, 10), (1000, 20))
_KLINES = _by_limit(500, (99, 1), (499, 2), (1000, 5), (1500, 10))

ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/fapi/v1/ping"): _public(_flat(1)),
    ("GET", "/fapi/v1/time"): _public(_flat(1)),
    ("GET", "/fapi/v1/exchangeInfo"): _public(_flat(1)),
    ("GET", "/fapi/v1/depth"): _public(_DEPTH, "symbol"),
    ("GET", "/fapi/v1/trades"): _public(_flat(5), "symbol"),
    ("GET", "/fapi/v1/aggTrades"): _public(_flat(20), "symbol"),
    ("GET", "/fapi/v1/klines"): _public(_KLINES, "symbol", "interval"),
    ("GET", "/fapi/v1/continuousKlines"): _public(_KLINES, "pair", "contractType", "interval"),
    ("GET", "/fapi/v1/markPriceKlines"): _public(_KLINES, "symbol", "interval"),
    ("GET", "/fapi/v1/indexPriceKlines"): _public(_KLINES, "pair", "interval"),
    ("GET", "/fapi/v1/premiumIndexKlines"): _public(_KLINES, "symbol", "interval"),
    ("GET", "/fapi/v1/premiumIndex"): _public(_by_symbol(1, 10)),
    ("GET", "/fapi/v1/fundingRate"): _public(_flat(1)),
    ("GET", "/fapi/v1/fundingInfo"): _public(_flat(1)),
    ("GET", "/fapi/v1/ticker/24hr"): _public(_by_symbol(1, 40)),
    ("GET", "/fapi/v1/ticker/price"): _public(_by_symbol(1, 2)),
    ("GET", "/fapi/v2/ticker/price"): _public(_by_symbol(1, 2)),
    ("GET", "/fapi/v1/ticker/bookTicker"): _public(_by_symbol(2, 5)),
    ("POST", "/fapi/v1/listenKey"): Route(Security.KEY, _flat(1)),
    ("PUT", "/fapi/v1/listenKey"): Route(Security.KEY, _flat(1)),
    ("DELETE", "/fapi/v1/listenKey"): Route(Security.KEY, _flat(1)),
    ("POST", "/fapi/v1/order"): _write(0, "symbol", "side", "type", orders_10s=1, orders_1m=1),
    ("PUT", "/fapi/v1/order"): _write(0, "symbol", "side", "quantity", orders_10s=1, orders_1m=1),
    ("DELETE", "/fapi/v1/order"): _write(1, "symbol"),
    ("GET", "/fapi/v1/order"): _read(_flat(1), "symbol"),
    ("POST", "/fapi/v1/order/test"): _read(_flat(0), "symbol", "side", "type"),
    ("GET", "/fapi/v1/openOrder"): _read(_flat(1), "symbol"),
    ("GET", "/fapi/v1/openOrders"): _read(_by_symbol(1, 40)),
    ("GET", "/fapi/v1/allOrders"): _read(_flat(5), "symbol"),
    ("GET", "/fapi/v1/forceOrders"): _read(_by_symbol(20, 50)),
    ("DELETE", "/fapi/v1/allOpenOrders"): _write(1, "symbol"),
    ("POST", "/fapi/v1/batchOrders"): _write(5, "batchOrders", orders_10s=5, orders_1m=1),
    ("PUT", "/fapi/v1/batchOrders"): _write(5, "batchOrders", orders_10s=5, orders_1m=1),
    ("DELETE", "/fapi/v1/batchOrders"): _write(1, "symbol"),
    ("POST", "/fapi/v1/algoOrder"): _write(0, "symbol", "side", "type", "algoType", orders_10s=1, orders_1m=1),
    ("DELETE", "/fapi/v1/algoOrder"): _write(1),
    ("DELETE", "/fapi/v1/algoOpenOrders"): _write(1, "symbol"),
    ("GET", "/fapi/v1/algoOrder"): _read(_flat(1)),
    ("GET", "/fapi/v1/openAlgoOrders"): _read(_by_symbol(1, 40)),
    ("GET", "/fapi/v1/allAlgoOrders"): _read(_flat(5), "symbol"),
    ("GET", "/fapi/v1/orderAmendment"): _read(_flat(1), "symbol"),
    ("POST", "/fapi/v1/countdownCancelAll"): _write(10, "symbol", "countdownTime"),
    ("GET", "/fapi/v1/userTrades"): _read(_flat(5), "symbol"),
    ("GET", "/fapi/v1/income"): _read(_flat(30)),
    ("POST", "/fapi/v1/leverage"): _write(1, "symbol", "leverage"),
    ("POST", "/fapi/v1/marginType"): _write(1, "symbol", "marginType"),
    ("POST", "/fapi/v1/positionMargin"): _write(1, "symbol", "amount", "type"),
    ("GET", "/fapi/v1/positionMargin/history"): _read(_flat(1), "symbol"),
    ("POST", "/fapi/v1/positionSide/dual"): _write(1, "dualSidePosition"),
    ("GET", "/fapi/v1/positionSide/dual"): _read(_flat(30)),
    ("GET", "/fapi/v1/multiAssetsMargin"): _read(_flat(30)),
    ("GET", "/fapi/v1/leverageBracket"): _read(_flat(1)),
    ("GET", "/fapi/v1/symbolConfig"): _read(_flat(5)),
    ("GET", "/fapi/v1/accountConfig"): _read(_flat(5)),
    ("GET", "/fapi/v1/commissionRate"): _read(_flat(20), "symbol"),
    ("GET", "/fapi/v1/feeBurn"): _read(_flat(30)),
    ("POST", "/fapi/v1/feeBurn"): _write(1, "feeBurn"),
    ("GET", "/fapi/v1/rateLimit/order"): _read(_flat(1)),
    ("GET", "/fapi/v1/apiTradingStatus"): _read(_by_symbol(1, 10)),
    ("GET", "/fapi/v2/account"): _read(_flat(5)),
    ("GET", "/fapi/v3/account"): _read(_flat(5)),
    ("GET", "/fapi/v2/balance"): _read(_flat(5)),
    ("GET", "/fapi/v3/balance"): _read(_flat(5)),
    ("GET", "/fapi/v2/positionRisk"): _read(_flat(5)),
    ("GET", "/fapi/v3/positionRisk"): _read(_flat(5)),
}
"""(method, path) -> rule; documented weights of USDT-M futures, 2026."""
