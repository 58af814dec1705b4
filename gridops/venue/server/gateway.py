"""Every request, from REST or ws-api, through the same chain: faults, limits, key, form, signature, window, core.

Sits between the transports and the floor. It answers with venue codes only; what the core did not foresee becomes
-1000 with status 500, is kept for the oracle, and never shows a traceback to a client.
"""

import asyncio
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from gridops.domain.values import value
from gridops.venue.errors import VenueError
from gridops.venue.server import auth, params
from gridops.venue.server.faults import Facts, Fault
from gridops.venue.server.floor import Floor
from gridops.venue.server.journal import Entry
from gridops.venue.server.routes import ROUTES, Route, Security

ORDER_PATHS = frozenset({"/fapi/v1/order", "/fapi/v1/batchOrders"})
LISTEN_KEY = "/fapi/v1/listenKey"
_PREVIEW = 300
_TURNS = 3
"""Turns of the event loop a queued frame needs to reach its socket."""


@value
class Request:
    """One request as a transport understood it; `pairs` decodes lazily because decoding may refuse."""

    channel: str
    method: str
    path: str
    api_key: str | None
    pairs: Callable[[], list[tuple[str, str]]]
    signed: Callable[[dict[str, str]], Sequence[str]]


@value
class Answer:
    """What to send back. `body` is JSON already, unless a fault says otherwise."""

    status: int
    body: bytes
    headers: dict[str, str]
    content_type: str = "application/json"
    account: str | None = None


class Gateway:
    """The one way in."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    async def serve(self, request: Request) -> Answer | None:
        """Answer a request; None means that the client gets no reply at all."""
        floor = self._floor
        floor.touch()
        given, refusal = _read(request)
        entry = floor.journal.open(floor.clock.now_ms(), request.channel, request.method, request.path, given)
        faults = floor.faults_for(_facts(request, given, floor))
        if faults:
            entry.fault = ",".join(fault.verb for fault in faults)
        await _sleep_for(faults, "rest.delay")
        answer = _instead(faults, given, request)
        if answer is None and not _has(faults, "rest.drop_req"):
            answer = self._answer(request, given, refusal, entry)
            await _let_events_go()
            answer = _afterwards(faults, answer)
            await _sleep_for(faults, "rest.delay_resp")
        if answer is not None:
            answer.headers.update(floor.rates.weight_header(floor.clock.now_ms()))
            entry.status = answer.status
        return answer

    def _answer(
        self, request: Request, given: dict[str, str], refusal: VenueError | None, entry: Entry
    ) -> Answer | None:
        floor = self._floor
        route = ROUTES.get((request.method, request.path))
        headers: dict[str, str] = {}
        try:
            floor.settle()
            floor.rates.charge(floor.clock.now_ms(), route.weight(given) if route else 1)
            if route is None:
                floor.journal.count_unknown(request.method, request.path)
                text = f"Path {request.path[:_PREVIEW]}, Method {request.method[:16]} is invalid"
                raise VenueError(-5000, text, status=404)
            body = self._judged(request, route, given, refusal, entry, headers)
            return Answer(200, orjson.dumps(body), headers, account=entry.account)
        except VenueError as error:
            return self._refused(error, headers, entry)
        except Exception as error:
            return self._failed(error, entry)

    def _judged(
        self, request: Request, route: Route, given: dict[str, str], refusal: VenueError | None, entry: Entry,
        headers: dict[str, str],
    ) -> Any:  # fmt: skip
        """Key, form, signature, window, order limits, mandatory parameters, then the core."""
        floor = self._floor
        owner = None
        if route.security is not Security.NONE:
            owner = floor.keys.identify(request.api_key)
            entry.account = owner.account
        if refusal is not None:
            raise refusal
        if owner is not None and route.security is Security.SIGNED:
            if "timestamp" not in given:
                raise params.mandatory("timestamp")
            auth.check_signature(owner.api_secret, request.signed(given), given.get("signature"))
            auth.check_window(given, floor.clock.wire_ms())
        if owner is not None and route.orders_10s:
            self._charge_orders(owner.account, route, headers)
        for name in route.required:
            if name not in given:
                raise params.mandatory(name)
        return self._routed(request, route, given, entry)

    def _charge_orders(self, account: str, route: Route, headers: dict[str, str]) -> None:
        rates, now_ms = self._floor.rates, self._floor.clock.now_ms()
        try:
            rates.charge_orders(account, now_ms, route.orders_10s, route.orders_1m)
        finally:
            headers.update(rates.order_headers(account, now_ms))

    def _routed(self, request: Request, route: Route, given: dict[str, str], entry: Entry) -> Any:
        floor, account = self._floor, entry.account
        if request.path == LISTEN_KEY and account is not None:
            return self._listen_key(request.method, account)
        if request.path == "/fapi/v1/rateLimit/order" and account is not None:
            return floor.rates.order_limits(account, floor.clock.now_ms(), counted=False)
        sent = params.with_lists({name: held for name, held in given.items() if name not in _WIRE_ONLY})
        body = floor.call(account, request.method, request.path, sent, writes=route.changes_account)
        entry.applied = route.changes_account
        if request.path in ("/fapi/v1/time", "/fapi/v1/exchangeInfo"):
            return {**body, "serverTime": floor.clock.wire_ms()}
        return body

    def _listen_key(self, method: str, account: str) -> dict[str, Any]:
        floor = self._floor
        now_ms = floor.clock.now_ms()
        floor.on_dirty()
        if method == "POST":
            return {"listenKey": floor.listen_keys.start(account, now_ms)}
        if method == "PUT":
            return {"listenKey": floor.listen_keys.extend(account, now_ms)}
        if floor.listen_keys.close(account, now_ms) is not None:
            floor.hub.close_private(account)
        return {}

    def _refused(self, error: VenueError, headers: dict[str, str], entry: Entry) -> Answer:
        entry.code = error.code
        self._floor.journal.codes[str(error.code)] += 1
        return Answer(error.status, orjson.dumps(error.body()), headers | error.headers, account=entry.account)

    def _failed(self, error: Exception, entry: Entry) -> Answer:
        text = "".join(traceback.format_exception(error))
        self._floor.journal.internal_errors.append(f"request {entry.seq}: {text}")
        print(text, file=sys.stderr, flush=True)
        unforeseen = VenueError(-1000, "An unknown error occured while processing the request.", status=500)
        return self._refused(unforeseen, {}, entry)


_WIRE_ONLY = frozenset({"signature", "timestamp", "recvWindow", "apiKey"})


def _read(request: Request) -> tuple[dict[str, str], VenueError | None]:
    """The parameters, or what was readable of them and the refusal they have earned."""
    try:
        pairs = request.pairs()
    except VenueError as error:
        return {}, error
    try:
        return params.collect(pairs), None
    except VenueError as error:
        return {name[:40]: text[:_PREVIEW] for name, text in pairs}, error


def _facts(request: Request, given: dict[str, str], floor: Floor) -> Facts:
    client_id = given.get("newClientOrderId") or given.get("origClientOrderId") or ""
    account = next((each.account for each in floor.keys.all() if each.api_key == request.api_key), "")
    return Facts(
        request.channel, request.method, request.path, given.get("symbol", ""), account=account, client_id=client_id
    )


def _has(faults: Sequence[Fault], verb: str) -> bool:
    return any(fault.verb == verb for fault in faults)


async def _let_events_go() -> None:
    """Give the sockets' writers their turn: by default an event leaves before the reply to what caused it.

    The venue promises no order between the two; a `ws.delay` fault of some milliseconds turns it round.
    """
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def _sleep_for(faults: Sequence[Fault], verb: str) -> None:
    for fault in faults:
        if fault.verb == verb:
            await asyncio.sleep(fault.args.get("ms", 1_000) / 1_000)


def _instead(faults: Sequence[Fault], given: dict[str, str], request: Request) -> Answer | None:
    """The reply of a fault that keeps the request from being applied."""
    for fault in faults:
        if fault.verb == "rest.http":
            return _canned(fault)
        if fault.verb == "rest.html":
            page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
            return Answer(fault.args.get("status", 502), page, {}, "text/html")
        if fault.verb == "rest.overload" and _is_shed(given, request):
            text = "Request throttled by system-level protection. Reduce-only/close-position orders are exempt."
            return Answer(503, orjson.dumps({"code": -1008, "msg": f"{text} Please try again."}), {})
    return None


def _afterwards(faults: Sequence[Fault], answer: Answer | None) -> Answer | None:
    """What the client is told although the request was applied."""
    for fault in faults:
        if fault.verb == "rest.apply_then_http":
            return _canned(fault)
        if fault.verb == "rest.drop_resp":
            return None
        if fault.verb == "rest.trunc" and answer is not None:
            cut = answer.body[: fault.args.get("bytes", len(answer.body) // 2)]
            return Answer(answer.status, cut, answer.headers, answer.content_type, answer.account)
    return answer


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


def _is_shed(given: dict[str, str], request: Request) -> bool:
    """Whether overload protection sheds this order write; what is reduce-only in every leg is exempt."""
    if request.path not in ORDER_PATHS or request.method not in ("POST", "PUT"):
        return False
    if request.path.endswith("/order"):
        return given.get("reduceOnly", "").lower() != "true"
    try:
        legs = params.with_lists(given).get("batchOrders", [])
    except VenueError:
        return True
    return not all(leg.get("reduceOnly") == "true" for leg in legs)
