"""What an armed fault makes of a request: the reply instead, the reply afterwards, the time it takes.

Sits under the gateway. It reads the fault and the request; applying or not applying is the gateway's business.
"""

import asyncio
from collections.abc import Mapping, Sequence

import orjson

from gridops.domain.values import value
from gridops.venue.errors import VenueError
from gridops.venue.server import params, rewriting
from gridops.venue.server.faults import Fault

ORDER_PATHS = frozenset({"/fapi/v1/order", "/fapi/v1/batchOrders"})
REFUSALS: dict[int, tuple[int, str]] = {
    -1001: (503, "Internal error; unable to process your request. Please try again."),
    -1006: (400, "An unexpected response was received from the message bus. Execution status unknown."),
    -1007: (408, "Timeout waiting for response from backend server. Send status unknown; execution status unknown."),
    -1021: (400, "Timestamp for this request is outside of the recvWindow."),
    -2015: (401, "Invalid API-key, IP, or permissions for action."),
    -2019: (400, "Margin is insufficient."),
    -2022: (400, "ReduceOnly Order is rejected."),
    -4131: (400, "The counterparty's best price does not meet the PERCENT_PRICE filter limit"),
    -4192: (400, "Trade forbidden due to Cooling-off Period."),
    -4400: (
        400,
        "Futures Trading Quantitative Rules violated, only reduceOnly order is allowed, please try again later.",
    ),
    -5028: (400, "Timestamp for this request is outside of the ME recvWindow."),
    -5043: (400, "A pending modification already exists for this order."),
}
"""Status and text of refusals that a drill asks for by code alone."""


@value
class Answer:
    """What to send back. `body` is JSON already, unless a fault says otherwise."""

    status: int
    body: bytes
    headers: dict[str, str]
    content_type: str = "application/json"
    account: str | None = None


def has(faults: Sequence[Fault], verb: str) -> bool:
    return any(fault.verb == verb for fault in faults)


async def sleep_for(faults: Sequence[Fault], verb: str) -> None:
    for fault in faults:
        if fault.verb == verb:
            await asyncio.sleep(fault.args.get("ms", 1_000) / 1_000)


def instead(faults: Sequence[Fault], given: Mapping[str, str], method: str, path: str) -> Answer | None:
    """The reply of a fault that keeps the request from being applied."""
    for fault in faults:
        if fault.verb == "rest.http":
            return _canned(fault)
        if fault.verb == "venue.reject":
            return _rejected(fault)
        if fault.verb == "venue.maintenance":
            return Answer(503, b'{"code":-1016,"msg":"This service is no longer available."}', {})
        if fault.verb == "rest.html":
            page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
            return Answer(fault.args.get("status", 502), page, {}, "text/html")
        if fault.verb == "rest.overload" and _is_shed(given, method, path):
            text = "Request throttled by system-level protection. Reduce-only/close-position orders are exempt."
            return Answer(503, orjson.dumps({"code": -1008, "msg": f"{text} Please try again."}), {})
    return None


def afterwards(faults: Sequence[Fault], answer: Answer | None) -> Answer | None:
    """What the client is told although the request was applied."""
    for fault in faults:
        if fault.verb == "rest.apply_then_http":
            return _canned(fault)
        if fault.verb == "rest.drop_resp":
            return None
        if answer is None:
            return None
        if fault.verb in _REWRITTEN and answer.status == 200:
            body = _REWRITTEN[fault.verb](answer.body, fault)
            answer = _not_found(answer) if body is None else _with_body(answer, body)
        if fault.verb == "rest.trunc":
            cut = answer.body[: fault.args.get("bytes", len(answer.body) // 2)]
            return _with_body(answer, cut)
    return answer


_REWRITTEN = {
    "rest.mutate": rewriting.mutated,
    "rest.partial": rewriting.first_rows,
    "venue.forget": rewriting.forgets,
}


def _with_body(answer: Answer, body: bytes) -> Answer:
    return Answer(answer.status, body, answer.headers, answer.content_type, answer.account)


def _not_found(answer: Answer) -> Answer:
    body = orjson.dumps({"code": -2013, "msg": "Order does not exist."})
    return Answer(400, body, answer.headers, answer.content_type, answer.account)


def _rejected(fault: Fault) -> Answer:
    """A refusal by the venue's own choice; the request is not applied."""
    code = fault.args.get("code", -2019)
    status, text = REFUSALS.get(code, (400, "The request was rejected."))
    body = {"code": code, "msg": fault.args.get("msg", text)}
    return Answer(fault.args.get("status", status), orjson.dumps(body), {})


def _canned(fault: Fault) -> Answer:
    """Status and body of the fault; without a body the venue's 'execution status unknown' error."""
    args = fault.args
    body = args.get("body")
    if body is None:
        text = args.get("msg", "Unknown error, please check your request or try again later.")
        body = orjson.dumps({"code": args.get("code", -1000), "msg": text}).decode()
    kind = "application/json" if body[:1] in ("{", "[") else "text/plain"
    headers = {str(name): str(text) for name, text in args.get("headers", {}).items()}
    return Answer(args.get("status", 503), body.encode(), headers, kind)


def _is_shed(given: Mapping[str, str], method: str, path: str) -> bool:
    """Whether overload protection sheds this order write; what is reduce-only in every leg is exempt."""
    if path not in ORDER_PATHS or method not in ("POST", "PUT"):
        return False
    if path.endswith("/order"):
        return given.get("reduceOnly", "").lower() != "true"
    try:
        legs = params.with_lists(given).get("batchOrders", [])
    except VenueError:
        return True
    return not all(leg.get("reduceOnly") == "true" for leg in legs)
