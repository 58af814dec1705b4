"""Carries out the faults that act on the account or the market: the other hand, forced closes, rules, marks, books.

Sits beside `actions`, above the core's own hooks. What the core refuses is kept for the oracle and goes no further.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from gridops.venue.errors import VenueError
from gridops.venue.server.faults import Fault
from gridops.venue.server.floor import Floor

_ORDER = "/fapi/v1/order"


def carry_out(floor: Floor, fault: Fault) -> None:
    """Do it now; unknown verbs never come this far."""
    symbol = str(fault.selector.get("symbol", floor.first_symbol()))
    account = str(fault.selector.get("account", floor.keys.all()[0].account))
    try:
        _ACTS[fault.verb](floor, fault, symbol, account)
    except (VenueError, ArithmeticError, TypeError, ValueError) as error:
        fault.failure = str(error)
    finally:
        floor.on_dirty()
        floor.publish()


def _external(floor: Floor, fault: Fault, symbol: str, account: str) -> None:
    args = fault.args
    what = args.get("what", "order")
    if what == "transfer":
        floor.core_hook("transfer", account, args.get("asset", "USDT"), Decimal(args.get("amount", "-100")))
        return
    method, path, params = _CALLS[what](args, floor, symbol, account)
    floor.call(account, method, path, params, writes=True)


def _order(args: dict[str, Any], _floor: Floor, symbol: str, _account: str) -> tuple[str, str, dict[str, str]]:
    """What somebody else at the account's screen places."""
    params = {
        "symbol": symbol, "side": args.get("side", "BUY"), "quantity": args.get("quantity", "0.01"),
        "newClientOrderId": args.get("client_id", "web_by_hand"),
    }  # fmt: skip
    if "position_side" in args:
        params["positionSide"] = args["position_side"]
    price = {"type": "LIMIT", "timeInForce": "GTC", "price": args["price"]} if "price" in args else {"type": "MARKET"}
    return "POST", _ORDER, params | price


def _close(args: dict[str, Any], floor: Floor, symbol: str, account: str) -> tuple[str, str, dict[str, str]]:
    rows = floor.call(account, "GET", "/fapi/v2/positionRisk", {"symbol": symbol}, writes=False)
    row = max(rows, key=lambda one: abs(Decimal(one["positionAmt"])))
    held = Decimal(row["positionAmt"])
    side, quantity = ("SELL" if held > 0 else "BUY"), f"{abs(held):f}"
    method, path, params = _order({**args, "side": side, "quantity": quantity}, floor, symbol, account)
    if row["positionSide"] != "BOTH":
        return method, path, params | {"positionSide": row["positionSide"]}
    return method, path, params | {"reduceOnly": "true"}


_CALLS: dict[str, Callable[[dict[str, Any], Floor, str, str], tuple[str, str, dict[str, str]]]] = {
    "order": _order,
    "close": _close,
    "cancel": lambda _args, _floor, symbol, _account: ("DELETE", "/fapi/v1/allOpenOrders", {"symbol": symbol}),
    "leverage": lambda args, _floor, symbol, _account: (
        "POST", "/fapi/v1/leverage", {"symbol": symbol, "leverage": str(args.get("leverage", 5))},
    ),
    "mode": lambda args, _floor, _symbol, _account: (
        "POST", "/fapi/v1/positionSide/dual", {"dualSidePosition": str(args.get("dual", True)).lower()},
    ),
}  # fmt: skip


def _funding(floor: Floor, fault: Fault, symbol: str, _account: str) -> None:
    rate = fault.args.get("rate")
    floor.core_hook("interfere", "fund_now", symbol, None if rate is None else Decimal(rate))


def _mark(floor: Floor, fault: Fault, symbol: str, _account: str) -> None:
    """The first step of the path now, each later one at its own time; then the source again, if an end was given."""
    steps = [(int(after_ms), str(price)) for after_ms, price in fault.args.get("path", [])]
    for after_ms, price in steps:
        if after_ms <= 0:
            floor.core_hook("interfere", "hold_mark", symbol, Decimal(price))
        else:
            later = {"verb": "venue.mark", "selector": {"symbol": symbol}, "at_ms": fault.at_ms + after_ms}
            floor.faults.arm(later | {"args": {"path": [[0, price]]}})
    _release_later(floor, fault, "venue.mark_release")


def _book(floor: Floor, fault: Fault, symbol: str, _account: str) -> None:
    floor.core_hook("interfere", "hold_book", symbol, fault.args.get("shape", "empty"))
    _release_later(floor, fault, "venue.book_release")


def _release_later(floor: Floor, fault: Fault, verb: str) -> None:
    if fault.for_ms is not None:
        floor.faults.follow_up(fault, verb, fault.at_ms + fault.for_ms)


_ACTS: dict[str, Callable[[Floor, Fault, str, str], Any]] = {
    "venue.external": _external,
    "venue.funding": _funding,
    "venue.mark": _mark,
    "venue.book": _book,
    "venue.mark_release": lambda floor, _fault, symbol, _account: floor.core_hook("interfere", "release_mark", symbol),
    "venue.book_release": lambda floor, _fault, symbol, _account: floor.core_hook("interfere", "release_book", symbol),
    "venue.liquidate": lambda floor, _fault, symbol, account: floor.core_hook(
        "interfere", "liquidate", symbol, account=account
    ),
    "venue.adl": lambda floor, fault, symbol, account: floor.core_hook(
        "interfere", "deleverage", symbol, fault.args.get("lots"), account=account
    ),
    "venue.filter": lambda floor, fault, symbol, _account: floor.core_hook(
        "interfere", "set_filter", symbol, fault.args["name"], str(fault.args["value"])
    ),
    "venue.status": lambda floor, fault, symbol, _account: floor.core_hook(
        "set_symbol_status", symbol, fault.args.get("state", "SETTLING")
    ),
}
