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
from gridops.venue.server import auth, outcomes, params
from gridops.venue.server.faults import Facts, Fault
from gridops.venue.server.floor import Floor
from gridops.venue.server.journal import Entry
from gridops.venue.server.outcomes import Answer
from gridops.venue.server.replica import Replicas
from gridops.venue.server.routes import ROUTES, Route, Security

LISTEN_KEY = "/fapi/v1/listenKey"
_PREVIEW = 300
_AFTER_REPLY_S = 0.02
"""How long events are held back where the reply goes first."""
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
class Visit:
    """One request on its way through, with what was readable of it and the faults that hit it."""

    request: Request
    given: dict[str, str]
    refusal: VenueError | None
    entry: Entry
    faults: Sequence[Fault]


class Gateway:
    """The one way in."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._replicas = Replicas(floor.core)

    async def serve(self, request: Request) -> Answer | None:
        """Answer a request; None means that the client gets no reply at all."""
        floor = self._floor
        floor.touch()
        given, refusal = _read(request)
        entry = floor.journal.open(floor.clock.now_ms(), request.channel, request.method, request.path, given)
        self._keep_past()
        faults = floor.faults_for(_facts(request, given, floor))
        if faults:
            entry.fault = ",".join(fault.verb for fault in faults)
        await outcomes.sleep_for(faults, "rest.delay")
        answer = outcomes.instead(faults, given, request.method, request.path)
        if answer is None and not outcomes.has(faults, "rest.drop_req"):
            answer = await self._applied(Visit(request, given, refusal, entry, faults))
        if answer is not None:
            answer.headers.update(floor.rates.weight_header(floor.clock.now_ms()))
            entry.status = answer.status
        return answer

    async def _applied(self, visit: Visit) -> Answer | None:
        """Apply the request; its events leave before the reply, or a moment after it."""
        floor, faults = self._floor, visit.faults
        events_first = floor.events_first()
        if not events_first:
            floor.hub.hold_back()
            asyncio.get_running_loop().call_later(_AFTER_REPLY_S, floor.hub.let_go)
        self._fill(visit, "before", None)
        answer = self._answer(visit)
        self._fill(visit, "after", answer)
        if events_first:
            await _let_events_go()
        told = outcomes.afterwards(faults, answer)
        await outcomes.sleep_for(faults, "rest.delay_resp")
        return told

    def _answer(self, visit: Visit) -> Answer:
        floor, request, entry = self._floor, visit.request, visit.entry
        route = ROUTES.get((request.method, request.path))
        headers: dict[str, str] = {}
        try:
            floor.settle()
            floor.rates.charge(floor.clock.now_ms(), route.weight(visit.given) if route else 1)
            if route is None:
                floor.journal.count_unknown(request.method, request.path)
                text = f"Path {request.path[:_PREVIEW]}, Method {request.method[:16]} is invalid"
                raise VenueError(-5000, text, status=404)
            body = self._judged(visit, route, headers)
            return Answer(200, orjson.dumps(body), headers, account=entry.account)
        except VenueError as error:
            return self._refused(error, headers, entry)
        except Exception as error:
            return self._failed(error, entry)

    def _judged(self, visit: Visit, route: Route, headers: dict[str, str]) -> Any:
        """Key, form, signature, window, order limits, mandatory parameters, then the core."""
        floor, given, request = self._floor, visit.given, visit.request
        owner = None
        if route.security is not Security.NONE:
            owner = floor.keys.identify(request.api_key)
            visit.entry.account = owner.account
        if visit.refusal is not None:
            raise visit.refusal
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
        return self._routed(visit, route)

    def _fill(self, visit: Visit, point: str, answer: Answer | None) -> None:
        """A `venue.fill` fault: the order of this request trades just before or just after it is applied."""
        floor, given = self._floor, visit.given
        for fault in visit.faults:
            if fault.verb != "venue.fill" or fault.args.get("point", "after") != point or "symbol" not in given:
                continue
            named = {name: given[name] for name in ("orderId", "origClientOrderId") if name in given}
            if answer is not None and answer.status == 200:
                named = {"orderId": str(orjson.loads(answer.body).get("orderId", 0))}
            account = floor.keys.owner_of(visit.request.api_key)
            if account is not None and named:
                lots = fault.args.get("lots")
                floor.core_hook("interfere", "fill_order", given["symbol"], named, lots, account=account)
                floor.on_dirty()
                floor.publish()

    def _keep_past(self) -> None:
        """Copies for later stale reads, taken before this request changes anything."""
        watching = self._floor.faults.watching("rest.stale_read")
        if not watching:
            self._replicas.forget()
        for fault in watching:
            self._replicas.watch(self._floor.clock.now_ms(), fault.args.get("lag_ms", 1_000))

    def _lagging(self, visit: Visit, sent: dict[str, Any]) -> Any | None:
        """What a read copy answers when a `rest.stale_read` fault asks one; None without such a fault."""
        floor, request = self._floor, visit.request
        now_ms = floor.clock.now_ms()
        for fault in visit.faults:
            if fault.verb == "rest.stale_read" and request.method == "GET":
                copy = self._replicas.as_of(now_ms - fault.args.get("lag_ms", 1_000))
                return copy.call(visit.entry.account, request.method, request.path, sent, copy.now_ms)
        return None

    def _charge_orders(self, account: str, route: Route, headers: dict[str, str]) -> None:
        rates, now_ms = self._floor.rates, self._floor.clock.now_ms()
        try:
            rates.charge_orders(account, now_ms, route.orders_10s, route.orders_1m)
        finally:
            headers.update(rates.order_headers(account, now_ms))

    def _routed(self, visit: Visit, route: Route) -> Any:
        floor, request, account = self._floor, visit.request, visit.entry.account
        if request.path == LISTEN_KEY and account is not None:
            return self._listen_key(request.method, account)
        if request.path == "/fapi/v1/rateLimit/order" and account is not None:
            return floor.rates.order_limits(account, floor.clock.now_ms(), counted=False)
        sent = params.with_lists({name: held for name, held in visit.given.items() if name not in _WIRE_ONLY})
        past = self._lagging(visit, sent)
        if past is not None:
            return past
        body = floor.call(account, request.method, request.path, sent, writes=route.changes_account)
        visit.entry.applied = route.changes_account
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
    account = floor.keys.owner_of(request.api_key) or ""
    return Facts(
        request.channel, request.method, request.path, given.get("symbol", ""), account=account, client_id=client_id
    )


async def _let_events_go() -> None:
    """Give the sockets' writers their turn, so that events leave before the reply to what caused them."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)
