"""What leaves the process, request by request: the judge's half that stands behind the socket.

Fed with every request at the instant it leaves. Filters are the venue's own, rates the venue's own limits; the engine's
opinion of either is not asked.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from gridops.domain import ids
from gridops.domain.rules import SyncRules
from gridops.sim.violation import Verdicts
from gridops.venue.market.events import SymbolSpec
from gridops.venue.server.routes import ROUTES

_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
RATES = ((10_000, 300), (60_000, 1_200))
"""(window in ms, orders in it): the venue's default limits."""
CONNECTS_MS, CONNECTS = 300_000, 300
"""Sockets that may be opened within so long: the venue's limit of one address."""
STAMP_MS, STAMP_WRONG_MS = 1_000, 90_000
"""A stamp off by more than the first for longer than the second: the measured offset is not used."""
TOLD_SLACK_MS = 50
"""Before a ban's end, as the journal knows it: no row says to the millisecond when it was made."""


class RequestJudge:
    """Invariants over the requests of one account."""

    def __init__(self, verdicts: Verdicts, now_ms: Callable[[], int]) -> None:
        self._say, self._now_ms = verdicts.broken, now_ms
        self.checks = 0
        self.spec: Callable[[], SymbolSpec | None] = lambda: None
        self.banned_until_ms: Callable[[], int] = lambda: 0
        self.hindered: Callable[[], bool] = lambda: False
        self.leads: Callable[[], bool] = lambda: True
        """Does the process that runs now hold the lease, by the lease itself?"""
        self.weight_1m = 0
        """Request weight of a minute, by the rules."""
        self.marks: Sequence[tuple[int, int]] = ()
        """(true ms, ticks) of the venue's recent marks."""
        self.tick_size = Decimal(0)
        """Of these ticks; the filters may have another one by now."""
        self._specs: deque[tuple[int, SymbolSpec]] = deque(maxlen=8)
        """Filters that were in force, with the last moment of each."""
        self._silent_until_ms = 0
        self._sent: tuple[deque[int], ...] = tuple(deque() for _ in RATES)
        self._stamp_wrong_ms: int | None = None
        self._minute = self._weight = 0
        """The venue's minute, and what the requests of it weigh by the venue's own table."""
        self._connects: deque[int] = deque()

    def ban_told(self, until_ms: int) -> None:
        """The row that says so is on the disk."""
        self._silent_until_ms = max(self._silent_until_ms, until_ms - TOLD_SLACK_MS)

    def hindered_now(self) -> None:
        """What stands still corrects no clock: time spent so does not count against it."""
        self._stamp_wrong_ms = None

    def stamps_wrong_ms(self) -> int | None:
        """Since when every request has been stamped off the venue's clock, in true ms; None while they are right."""
        return self._stamp_wrong_ms

    def connected(self, sockets: int) -> None:
        """So many sockets were opened now."""
        now_ms, opened = self._now_ms(), self._connects
        self.checks += 1
        opened.extend([now_ms] * sockets)
        while opened[0] <= now_ms - CONNECTS_MS:
            opened.popleft()
        if len(opened) > CONNECTS:
            self._say("I-27", f"{len(opened)} sockets opened within {CONNECTS_MS} ms, the venue takes {CONNECTS}")

    def fenced(self, method: str, path: str) -> None:
        """Without the lease nothing is written but cancels; which ones, the epoch in an id says."""
        self.checks += 1
        if method != "DELETE" and not self.leads() and ("rder" in path or "countdown" in path):
            self._say("I-25", f"{method} {path} leaves a process that does not hold the lease any more")

    def request(self, method: str, path: str, stamp_ms: int, params: Mapping[str, Any]) -> None:
        """Any request at all."""
        now_ms = self._now_ms()
        self.checks += 3
        self._weigh(method, path, params, now_ms)
        if now_ms < min(self._silent_until_ms, self.banned_until_ms()):
            self._say("I-27", f"{method} {path} leaves during a ban that the journal knows of")
        if abs(stamp_ms - now_ms) <= STAMP_MS or self.hindered():
            self._stamp_wrong_ms = None
        elif self._stamp_wrong_ms is None:
            self._stamp_wrong_ms = now_ms
        elif now_ms - self._stamp_wrong_ms > STAMP_WRONG_MS:
            self._say("I-23", f"{method} {path} is stamped {stamp_ms - now_ms} ms off, for over {STAMP_WRONG_MS} ms")

    def leg(self, method: str, leg: Mapping[str, Any], *, filled: int, newest_epoch: int) -> bool:
        """A leg of a place or an amend; False when it is wrong in itself. `filled` is what the journal has booked."""
        self.checks += 4
        self._rate()
        lots = self._lots(leg)
        if method == "PUT" and lots is not None and lots <= filled:
            self._say("I-13", f"amend of {leg.get('orderId')} to {leg['quantity']}, of which {filled} lots are filled")
            return False
        client_id = str(leg.get("newClientOrderId", ""))
        who = ids.owner(client_id)
        if method == "POST" and who is not None and who.epoch < newest_epoch:
            self._say("I-25", f"{client_id} is of epoch {who.epoch}; a run of epoch {newest_epoch} has begun")
            return False
        wrong = self._illegal(method, leg, client_id)
        if wrong:
            self._say("I-08", f"{method} {dict(leg)}: {wrong}")
        return not wrong

    def foreign(self, method: str, path: str, params: Mapping[str, Any], theirs: Mapping[int, str]) -> None:
        """A cancel or an amend must not name an order of somebody else; `theirs`: order id -> client id."""
        for leg in params.get("batchOrders", [params]):
            named = int(leg.get("orderId") or 0)
            if named in theirs or leg.get("origClientOrderId") in theirs.values():
                self._say("I-20", f"{method} {path} names {named or leg.get('origClientOrderId')}, which is not ours")
        if path.endswith("allOpenOrders") and theirs:
            self._say("I-20", f"{method} {path} takes {len(theirs)} orders of somebody else with it")

    def _rate(self) -> None:
        now_ms = self._now_ms()
        for (window_ms, most), sent in zip(RATES, self._sent, strict=True):
            sent.append(now_ms)
            while sent[0] <= now_ms - window_ms:
                sent.popleft()
            if len(sent) > most:
                self._say("I-27", f"{len(sent)} orders within {window_ms} ms, the venue takes {most}")

    def _weigh(self, method: str, path: str, params: Mapping[str, Any], now_ms: int) -> None:
        if now_ms // 60_000 != self._minute:
            self._minute, self._weight = now_ms // 60_000, 0
        route = ROUTES.get((method, path))
        self._weight += 0 if route is None else route.weight(params)
        if self._weight > self.weight_1m > 0:
            self._say("I-27", f"{method} {path} makes a weight of {self._weight} in a minute, allowed {self.weight_1m}")

    def _lots(self, leg: Mapping[str, Any]) -> int | None:
        spec = self.spec()
        if spec is None or "quantity" not in leg:
            return None
        return int(Decimal(str(leg["quantity"])) // spec.step_size)

    def _illegal(self, method: str, leg: Mapping[str, Any], client_id: str) -> str:
        """Why no filter of the last minutes would let it pass; empty when one does."""
        spec, now_ms = self.spec(), self._now_ms()
        if spec is None or leg.get("symbol") != spec.symbol:
            return ""
        if not self._specs or self._specs[-1][1] is not spec:
            self._specs.append((now_ms, spec))
        self._specs[-1] = (now_ms, spec)
        if method == "POST" and not _CLIENT_ID.fullmatch(client_id):
            return "no client id the venue takes"
        known_ms = SyncRules().positions_ms * 20 + 60_000
        wrong = [_refused(leg, each) for seen_ms, each in self._specs if seen_ms >= now_ms - known_ms]
        if all(wrong):
            return wrong[-1]
        beyond = ""
        for _, mark in reversed(self.marks):
            beyond = _beyond(leg, spec, mark * self.tick_size)
            if not beyond:
                break
        return beyond


def _refused(leg: Mapping[str, Any], spec: SymbolSpec) -> str:
    """The filter that a leg breaks."""
    lots = Decimal(str(leg["quantity"]))
    most = spec.market_max_qty if leg.get("type") == "MARKET" else spec.max_qty
    if not lots.is_finite() or lots % spec.step_size or not spec.min_qty <= lots <= most:
        return f"quantity {lots}: step {spec.step_size}, {spec.min_qty} to {most}"
    if "price" not in leg:
        return ""
    price = Decimal(str(leg["price"]))
    if not price.is_finite() or price % spec.tick_size or not spec.min_price <= price <= spec.max_price:
        return f"price {price}: tick {spec.tick_size}, {spec.min_price} to {spec.max_price}"
    if leg.get("reduceOnly") != "true" and "orderId" not in leg and lots * price < spec.min_notional:
        return f"notional {lots * price} below {spec.min_notional}"
    return ""


def _beyond(leg: Mapping[str, Any], spec: SymbolSpec, mark: Decimal) -> str:
    """The band around a mark that the price of a leg is beyond: a buy above it, a sell below."""
    if "price" not in leg:
        return ""
    price, buys = Decimal(str(leg["price"])), leg.get("side") == "BUY"
    if price > mark * spec.multiplier_up if buys else price < mark * spec.multiplier_down:
        return f"price {price}: mark {mark}, {spec.multiplier_down} to {spec.multiplier_up}"
    return ""
