"""REST without sockets: the adapter's own wire, whose calls travel through virtual time to the venue core and back.

Requests and replies are those of the production adapter; only transport and faults are here: lost requests, lost
replies, answers that hide a success, refusals by an overloaded venue, bans. It decides nothing.
"""

import re
from collections import Counter
from collections.abc import Callable, Generator
from functools import cache
from itertools import accumulate
from random import Random
from typing import Any

from gridops.adapters.ccxt_client import Reply, VenueSettings
from gridops.adapters.clock import Clock
from gridops.adapters.last_look import Objection
from gridops.adapters.venue_codes import error_number
from gridops.adapters.venue_wire import Wire
from gridops.domain.values import record
from gridops.sim.fault_gate import FaultGate
from gridops.sim.link_faults import CallRule
from gridops.sim.scheduler import MS, Link, Scheduler
from gridops.venue.core import VenueCore, VenueError

_ENDPOINT = re.compile(r"fapi(Public|Private)(?:V(\d))?(Get|Post|Put|Delete)(.)(.*)")
_AHEAD_MS = 1_000
Done = Callable[[Reply], None]


@record
class RestFaults:
    """Chances in parts per million of one call."""

    drop_request: int = 0
    drop_reply: int = 0
    hidden_success: int = 0
    """The venue did it and answers 503, execution unknown."""
    unavailable: int = 0
    """503, for certain not done."""
    unknown_undone: int = 0
    """503, execution unknown, and nothing was done."""
    late_request: int = 0
    """Held on its way for seconds: recvWindow must stop it."""


@cache
def _bounds(faults: RestFaults) -> tuple[tuple[int, str], ...]:
    """Running sums of the chances, by name."""
    names = RestFaults.__slots__  # type: ignore[attr-defined]
    sums = accumulate(getattr(faults, name) for name in names)
    return tuple(zip(sums, names, strict=True))


@record
class Refusal:
    """The venue refuses every call of this method (empty = any) whose path contains this text, until then."""

    path: str
    method: str
    status: int
    code: int
    message: str
    until_ms: int


class Ask:
    """One call under way; awaiting it gives the reply."""

    def __init__(self, endpoint: str, params: dict[str, Any], stamp_ms: int) -> None:
        self.endpoint, self.params, self.stamp_ms = endpoint, params, stamp_ms

    def __await__(self) -> Generator["Ask", Reply, Reply]:
        reply = yield self
        return reply


class SimWire(Wire):
    """The adapter's wire in virtual time: no client library, no session."""

    def __init__(self, settings: VenueSettings, clock: Clock, on_reply: Callable[[Reply], None]) -> None:
        super().__init__(settings, clock, on_reply)
        self._told = on_reply
        self._virtual = clock
        self._offset_ms = 0

    def set_offset(self, offset_ms: int) -> None:
        self._offset_ms = offset_ms

    async def call(
        self, endpoint: str, params: dict[str, Any] | None = None, _refusal: Objection = lambda: ""
    ) -> Reply:
        """Nothing lies between the task's own look and the wire here, so nothing is asked again."""
        reply = await Ask(endpoint, params or {}, self._virtual.wall_ms() + self._offset_ms)
        if reply.status:
            self._told(reply)
        return reply


@cache
def route(endpoint: str) -> tuple[bool, str, str]:
    """(signed, method, path) of one of the library's endpoint names."""
    found = _ENDPOINT.fullmatch(endpoint)
    assert found is not None, endpoint
    side, version, method, first, rest = found.groups()
    return side == "Private", method.upper(), f"/fapi/v{version or 1}/{first.lower()}{rest}"


class RestLink:
    """The way to the venue and back for one account."""

    def __init__(
        self,
        scheduler: Scheduler,
        core: VenueCore,
        *,
        account: str,
        there: Link,
        back: Link,
        faults: RestFaults,
        settings: VenueSettings,
        venue_ms: Callable[[], int],
        pump: Callable[[], None],
        seed: str,
    ) -> None:
        self._scheduler, self._core, self._account = scheduler, core, account
        self._there, self._back, self.faults = there, back, faults
        self._timeout_ns = settings.timeout_ms * MS
        self._recv_window_ms = settings.recv_window_ms
        self._venue_ms, self._pump = venue_ms, pump
        self._chance = Random(seed)
        self._summed = (faults, _bounds(faults))
        self.banned_until_ms = 0
        self.down = False
        """Nothing gets through, in either direction."""
        self.refusals: list[Refusal] = []
        self.used_weight = (0, 0)
        """(weight, until ms): what every answer says of the minute's request weight meanwhile."""
        self.struck = 0
        self.gate = FaultGate()
        self.calls = 0
        self.named: Counter[str] = Counter()
        """Requests that left the process, by the symbol they name."""
        self.unlisted: set[int] = set()
        """Trades that no history lists."""
        self.on_write: Callable[[str, str, dict[str, Any]], None] = lambda _m, _p, _q: None
        """Told of every order-changing request at the instant it leaves the process."""
        self.on_request: Callable[[str, str, int, dict[str, Any]], None] = lambda _m, _p, _s, _q: None
        """Told of every request at that instant, with its stamp."""
        self.rule_for: Callable[[str, str, dict[str, Any]], CallRule | None] = lambda _m, _p, _q: None
        """Asked for every call: the rule that has it, if any."""
        self.on_refusal: Callable[[str, str, int], None] = lambda _m, _p, _c: None
        """Told of every order request, or leg of one, that the venue itself refuses: method, path, its code."""

    def exchange(self, ask: Ask, done: Done) -> None:
        """Carry one call; `done` gets exactly one reply, an empty one after the client's time-out."""
        signed, method, path = route(ask.endpoint)
        self.calls += 1
        self.named.update(_symbols(ask.params))
        self.on_request(method, path, ask.stamp_ms, ask.params)
        if method != "GET":
            self.on_write(method, path, ask.params)
        told: list[Reply] = []

        def once(reply: Reply) -> None:
            if not told:
                told.append(reply)
                done(reply)

        gave_up = Reply()
        gave_up.failure = "RequestTimeout"
        rule = self.rule_for(method, path, ask.params)
        fate = rule.fate if rule and rule.fate else self._fate()
        if self.down or fate == "drop_request":
            self._scheduler.after(self._timeout_ns, lambda: once(gave_up))
            return
        delay_ns = self._there.delay_ns()
        if fate == "late_request":
            delay_ns += self._chance.randint(500, 6_000) * MS
        self._scheduler.after(delay_ns, lambda: self._arrive(ask, signed, method, path, fate, once, rule))
        self._scheduler.after(self._timeout_ns, lambda: once(gave_up))

    def by_another_hand(self, method: str, path: str, params: dict[str, Any]) -> Reply:
        """A request of somebody else with the same account, at once."""
        reply = self._answer(method, path, params, True)
        self._pump()
        return reply

    def _fate(self) -> str:
        rolled = self._chance.randrange(1_000_000)
        if self.faults is not self._summed[0]:
            self._summed = (self.faults, _bounds(self.faults))
        for below, name in self._summed[1]:
            if rolled < below:
                struck = self.gate.take(f"rest.{name}")
                self.struck += struck
                return name if struck else ""
        return ""

    def _arrive(
        self, ask: Ask, signed: bool, method: str, path: str, fate: str, once: Done, rule: CallRule | None
    ) -> None:
        reply = self._refusal(ask, signed, fate) or self._refused(method, path)
        if reply is None and rule is not None and rule.before is not None:
            reply = rule.before(method, path, ask.params)
        if reply is None:
            reply = self._answer(method, path, ask.params, signed)
            self._pump()
            self._tell_refusals(method, path, reply)
        if rule is not None and rule.after is not None:
            reply = rule.after(path, ask.params, reply)
        if fate == "hidden_success":
            reply = _said(503, {"code": -1007, "msg": "Timeout waiting for response from backend server."})
        if fate == "drop_reply" or self.down:
            return
        weight, until_ms = self.used_weight
        if self._venue_ms() < until_ms:
            reply.headers = {**reply.headers, "X-MBX-USED-WEIGHT-1M": str(weight)}
        held_ns = rule.hold_ms * MS if rule is not None else 0
        self._scheduler.after(self._back.delay_ns() + held_ns, lambda: once(reply))

    def _tell_refusals(self, method: str, path: str, reply: Reply) -> None:
        if method != "GET" and "order" in path.lower():
            legs = reply.payload if isinstance(reply.payload, list) else [reply.payload]
            for leg in legs:
                if number := error_number(leg):
                    self.on_refusal(method, path, number)

    def _refused(self, method: str, path: str) -> Reply | None:
        now_ms = self._venue_ms()
        for each in self.refusals:
            if now_ms < each.until_ms and each.path in path and each.method in ("", method):
                return _said(each.status, {"code": each.code, "msg": each.message})
        return None

    def _refusal(self, ask: Ask, signed: bool, fate: str) -> Reply | None:
        now_ms = self._venue_ms()
        if now_ms < self.banned_until_ms:
            body = {"code": -1003, "msg": f"Way too many requests; IP banned until {self.banned_until_ms}."}
            reply = _said(418, body)
            reply.headers = {"Retry-After": str((self.banned_until_ms - now_ms) // 1_000 + 1)}
            return reply
        if fate == "unavailable":
            return _said(503, {"code": -1008, "msg": "Request throttled by system-level protection."})
        if fate == "unknown_undone":
            message = "Unknown error, please check your request or try again later."
            return _said(503, {"code": -1000, "msg": message})
        late = now_ms - ask.stamp_ms > self._recv_window_ms or ask.stamp_ms - now_ms > _AHEAD_MS
        if signed and late:
            return _said(400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."})
        return None

    def _answer(self, method: str, path: str, params: dict[str, Any], signed: bool) -> Reply:
        try:
            body = self._core.call(self._account if signed else None, method, path, params, self._venue_ms())
        except VenueError as refusal:
            return _said(refusal.status, refusal.body())
        return _said(200, _without(body, self.unlisted) if self.unlisted else body)


def _without(body: Any, trades: set[int]) -> Any:
    """Rows of trades and of income that are not of these trades; anything else as it is."""
    if not isinstance(body, list):
        return body
    return [row for row in body if not (isinstance(row, dict) and _trade_of(row) in trades)]


def _trade_of(row: dict[str, Any]) -> int:
    """A row of userTrades has a `qty` and its own id; a row of income names its trade, or an empty text."""
    return int((row["id"] if "qty" in row else row.get("tradeId")) or 0) if "qty" in row or "tradeId" in row else 0


def _symbols(params: dict[str, Any]) -> set[str]:
    """Symbols a request names, in itself or in a leg."""
    return {str(leg["symbol"]) for leg in [params, *params.get("batchOrders", ())] if "symbol" in leg}


def _said(status: int, body: object) -> Reply:
    reply = Reply()
    reply.status, reply.payload = status, body
    return reply
