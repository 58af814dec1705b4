"""Turns raw query strings and bodies into checked parameters, refusing with the venue's own -11xx codes.

Sits between the socket and the gateway. It judges form only (characters, duplicates, emptiness, JSON of the batch
lists); what a value means is the core's business.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn
from urllib.parse import unquote_plus

from gridops.venue.errors import VenueError

MAX_PARAMETERS = 64
MAX_VALUE_CHARS = 8_192
MAX_BATCH_LEGS = 100
"""Form limit only; the venue's own batch sizes (5 and 10) are judged by the core."""

INT64_MAX = 2**63 - 1

_INTEGER = re.compile(r"^-?[0-9]{1,20}$", re.ASCII)
_DECIMAL = re.compile(r"^-?[0-9]{1,20}(\.[0-9]{1,20})?$", re.ASCII)
_SYMBOL = re.compile(r"^[A-Z0-9_]{1,20}$", re.ASCII)
_WORD = re.compile(r"^[A-Za-z0-9_]{1,40}$", re.ASCII)
_BOOLEAN = re.compile(r"^(true|false|TRUE|FALSE|True|False)$", re.ASCII)
_PRINTABLE = re.compile(r"^[\x20-\x7e]+$", re.ASCII)
_NAME = re.compile(r"^[A-Za-z0-9_]{1,40}$", re.ASCII)

_FORMS: dict[str, re.Pattern[str]] = (
    dict.fromkeys(
        [
            "orderId",
            "timestamp",
            "recvWindow",
            "limit",
            "startTime",
            "endTime",
            "fromId",
            "countdownTime",
            "leverage",
            "modifyId",
            "goodTillDate",
            "page",
            "tranId",
            "algoId",
        ],
        _INTEGER,
    )
    | dict.fromkeys(
        [
            "price",
            "quantity",
            "amount",
            "stopPrice",
            "triggerPrice",
            "activatePrice",
            "activationPrice",
            "callbackRate",
            "amount",
            "icebergQty",
        ],
        _DECIMAL,
    )
    | dict.fromkeys(["symbol", "pair"], _SYMBOL)
    | dict.fromkeys(
        [
            "side",
            "type",
            "timeInForce",
            "positionSide",
            "workingType",
            "newOrderRespType",
            "selfTradePreventionMode",
            "priceMatch",
            "marginType",
            "incomeType",
            "interval",
        ],
        _WORD,
    )
    | dict.fromkeys(
        ["reduceOnly", "closePosition", "priceProtect", "dualSidePosition", "multiAssetsMargin", "feeBurn"], _BOOLEAN
    )
)
_JSON_LISTS = frozenset({"batchOrders", "orderIdList", "orderidlist", "origClientOrderIdList", "origclientorderidlist"})


def mandatory(name: str) -> VenueError:
    """-1102: the parameter is missing, empty or malformed."""
    return VenueError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def split_raw(*raws: str) -> list[tuple[str, str]]:
    """Decoded (name, value) pairs of query string and body, in order; refuses what cannot be decoded."""
    pairs: list[tuple[str, str]] = []
    for raw in raws:
        for part in raw.split("&") if raw else ():
            if part:
                name, _, text = part.partition("=")
                pairs.append((_decode(name), _decode(text)))
    if len(pairs) > MAX_PARAMETERS:
        raise VenueError(-1101, f"Too many parameters; expected '{MAX_PARAMETERS}' and received '{len(pairs)}'.")
    return pairs


def collect(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """One value per name, each checked for its form."""
    found: dict[str, str] = {}
    for name, text in pairs:
        if not _NAME.match(name):
            raise VenueError(-1100, "Illegal characters found in a parameter.")
        if name in found:
            raise VenueError(-1101, "Duplicate values for a parameter detected.")
        check_form(name, text)
        found[name] = text
    return found


def check_form(name: str, text: str) -> None:
    """Refuse an empty value (-1105) or one outside the legal characters of its kind (-1100)."""
    if text == "":
        raise VenueError(-1105, f"Parameter '{name}' was empty.")
    form = _FORMS.get(name, _PRINTABLE)
    if len(text) > MAX_VALUE_CHARS or not form.match(text) or text[-1] == "\n":
        legal = form.pattern if form is not _PRINTABLE else "printable ASCII"
        raise VenueError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")
    if form is _INTEGER and abs(int(text)) > INT64_MAX:
        raise VenueError(-1130, f"Data sent for parameter '{name}' is not valid.")


def with_lists(params: Mapping[str, str]) -> dict[str, Any]:
    """The parameters with the JSON of batch lists parsed; numbers inside stay the text the client sent."""
    return {name: _json_list(name, text) if name in _JSON_LISTS else text for name, text in params.items()}


def _decode(text: str) -> str:
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise VenueError(-1100, "Illegal characters found in a parameter.") from None


def _json_list(name: str, text: str) -> list[Any]:
    try:
        parsed = json.loads(text, parse_float=str, parse_int=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise VenueError(-1130, f"Data sent for parameter '{name}' is not valid.") from None
    if not isinstance(parsed, list) or not parsed or len(parsed) > MAX_BATCH_LEGS:
        raise VenueError(-1130, f"Data sent for parameter '{name}' is not valid.")
    return [_leg(name, item) for item in parsed]


def _leg(name: str, item: object) -> Any:
    if isinstance(item, dict) and name == "batchOrders":
        return {str(key): _scalar(name, inner) for key, inner in item.items() if inner is not None}
    if isinstance(item, str) and name != "batchOrders" and _PRINTABLE.match(item):
        return item
    raise VenueError(-1130, f"Data sent for parameter '{name}' is not valid.")


def _scalar(name: str, inner: object) -> str:
    if isinstance(inner, bool):
        return "true" if inner else "false"
    if isinstance(inner, str) and len(inner) <= MAX_VALUE_CHARS and _PRINTABLE.match(inner):
        return inner
    raise VenueError(-1130, f"Data sent for parameter '{name}' is not valid.")


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)
