"""A simulated run whose single messages can be struck: the verbs of drills that pick calls and frames one by one.

Between `Day` and `DrillDay`. Each verb adds a rule to the links or acts as the venue would; rules end by their time,
by their count, or with `calm`. It keeps what was asked and what the venue itself refused, and judges nothing.
"""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

from gridops.adapters.ccxt_client import Reply
from gridops.domain.values import value
from gridops.errors import ConfigError
from gridops.sim import link_faults as links
from gridops.sim.day import ACCOUNT, WARM_NS, Day
from gridops.sim.drill_fault_words import TEXTS
from gridops.sim.link_faults import CallRule, FrameRule, Params, Pick
from gridops.sim.scheduler import MS
from gridops.venue.core import VenueCore, VenueError

FOREVER_MS = 1 << 62


@value
class Asked:
    """A request that left the process, since the first start. `refused` is the venue's own code, of order requests."""

    at_ms: int
    method: str
    path: str
    refused: int = 0


class FaultDay(Day):
    """One run with rules on its links."""

    def __init__(self, *args: Any, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.symbol = self.rules.symbols[0]
        self.struck_by = links.Rules(Random(f"{self.seed}|rules"))
        self.acts: Counter[str] = Counter()
        """Step name -> how often a fill or an end that it announced really happened."""
        self.asked: list[Asked] = []
        self.refused: list[Asked] = []
        self.step = ""
        """Name of the step that is carried out."""
        self._draws = Random(f"{self.seed}|holds")
        self.rest.rule_for = self._rule_for
        self.rest.on_refusal = self._venue_refused

    def struck(self, step: str) -> int:
        """How often the rules of a step struck."""
        return self.struck_by.struck().get(step, 0) + self.acts[step]

    # Calls.

    def verb_call_fault(self, *, fault: str, **which: Any) -> None:
        rule = self._picked(which)
        if fault in TEXTS:
            done, status, body, text = TEXTS[fault]
            answer = links.said(status, body, text) if status else links.cut_off()
            if done:
                rule.after = lambda _path, _params, _reply: answer
            else:
                rule.before = lambda _method, _path, _params: answer
        else:
            rule.fate = fault
        self.struck_by.calls.append(rule)

    def verb_call_slow(self, *, hold_s: Decimal, **which: Any) -> None:
        rule = self._picked(which)
        rule.hold_ms = int(hold_s * 1_000)
        self.struck_by.calls.append(rule)

    def verb_call_refuse(self, *, status: int, code: int, message: str, **which: Any) -> None:
        rule = self._picked(which)
        error = {"code": code, "msg": message}

        def refuse(method: str, path: str, params: Params) -> Reply:
            legs = params.get("batchOrders")
            if legs is None or not rule.kind:
                return links.said(status, error)
            wanted = [(leg.get("reduceOnly") == "true") is (rule.kind == "exit") for leg in legs]
            return self._batch(method, path, params, ["refused" if each else "done" for each in wanted], error)

        rule.before = refuse
        self.struck_by.calls.append(rule)

    def verb_batch_mixed(self, *, cut: bool, **which: Any) -> None:
        rule = self._picked({**which, "path": "batchOrders", "kind": ""})
        fates = ("done", "refused", "unknown_done", "unknown_undone")
        error = {"code": -2019, "msg": "Margin is insufficient."}

        def mix(method: str, path: str, params: Params) -> Reply:
            legs = [self._draws.choice(fates) for _ in params["batchOrders"]]
            reply = self._batch(method, path, params, legs, error)
            if cut and isinstance(reply.payload, list):
                del reply.payload[self._draws.randrange(len(reply.payload))]
            return reply

        rule.before = mix
        self.struck_by.calls.append(rule)

    def verb_call_stale(self, **which: Any) -> None:
        """What is read is the venue of this moment."""
        then, then_ms = VenueCore.load(self.core.dump()), self.clock.true_ms()
        rule = self._picked({**which, "method": "GET"})

        def read(method: str, path: str, params: Params) -> Reply:
            account = ACCOUNT if VenueCore.knows(method, path) == "private" else None
            try:
                return links.said(200, then.call(account, method, path, dict(params), then_ms))
            except VenueError as refusal:
                return links.said(refusal.status, refusal.body())

        rule.before = read
        self.struck_by.calls.append(rule)

    def verb_call_change(self, *, field: str, value: str, remove: bool, **which: Any) -> None:
        rule = self._picked(which)

        def change(_path: str, _params: Params, reply: Reply) -> Reply:
            return links.said(reply.status, links.changed(reply.payload, field, None if remove else value))

        rule.after = change
        self.struck_by.calls.append(rule)

    def verb_call_omit(self, *, rows: int, **which: Any) -> None:
        rule = self._picked({**which, "method": "GET"})

        def omit(_path: str, _params: Params, reply: Reply) -> Reply:
            if not isinstance(reply.payload, list):
                return reply
            kept = list(reply.payload)
            for _ in range(min(rows or len(kept), len(kept))):
                del kept[self._draws.randrange(len(kept))]
            return links.said(reply.status, kept)

        rule.after = omit
        self.struck_by.calls.append(rule)

    def verb_row_added(self, *, row: dict[str, str], **which: Any) -> None:
        rule = self._picked({**which, "method": "GET", "path": "exchangeInfo"})

        def add(_path: str, _params: Params, reply: Reply) -> Reply:
            body = links.changed(reply.payload, "", "")
            body["symbols"].insert(0, dict(row))
            return links.said(reply.status, body)

        rule.after = add
        self.struck_by.calls.append(rule)

    def verb_fill_at(self, *, when: str, lots: int, lost: bool, **which: Any) -> None:
        """Somebody trades with the very order a request is about, just before or after the venue has the request."""
        rule = self._picked(which)
        step = self.step

        def fill(params: Params) -> None:
            for leg in params.get("batchOrders", [params]):
                for name in _named(leg):
                    done = self.core.interfere("fill_order", self.symbol, name, lots or None, account=ACCOUNT)
                    self.acts[step] += bool(done)
            self.pump()

        def before(_method: str, _path: str, params: Params) -> None:
            fill(params)

        def after(_path: str, params: Params, reply: Reply) -> Reply:
            fill(params)
            return reply

        rule.before, rule.after = (before, None) if when == "before" else (None, after)
        rule.step = ""  # It counts what it filled, not the requests it saw.
        rule.fate = "drop_reply" if lost else ""
        self.struck_by.calls.append(rule)

    # Frames.

    def verb_frames_lost(self, **which: Any) -> None:
        self._frames("lost", which)

    def verb_frames_twice(self, *, wait_s: Decimal, **which: Any) -> None:
        self._frames("twice", which, wait_ms=lambda: self._draws.randint(1, max(1, int(wait_s * 1_000))))

    def verb_frames_late(self, *, wait_s: Decimal, **which: Any) -> None:
        self._frames("late", which, wait_ms=lambda: int(wait_s * 1_000))

    def verb_frames_mixed(self, *, wait_s: Decimal, **which: Any) -> None:
        self._frames("late", which, wait_ms=lambda: self._draws.randint(0, int(wait_s * 1_000)))

    def verb_frames_changed(self, *, field: str, value: str, remove: bool, **which: Any) -> None:
        self._frames("changed", which, field=field, value=None if remove else value)

    # The venue with our orders.

    def verb_own_ended(self, *, status: str, side: str, orders: int, silent: bool) -> None:
        """The venue ends own orders by itself, those nearest to the market first."""
        sign = 1 if side == "BUY" else -1
        own = [(number, each) for number, each in self.judge.live.items() if each.ours and each.sign == sign]
        own.sort(key=lambda each: -each[1].sign * each[1].price_ticks)
        if not own:
            raise ConfigError(f"own_ended: no own order rests on the side {side}")
        mute, self._user_mute = self._user_mute, self._user_mute or silent
        for number, _ in own[: orders or len(own)]:
            self.core.interfere("end_order", self.symbol, {"orderId": number}, status, account=ACCOUNT)
            self.acts[self.step] += 1
        self.pump()
        self._user_mute = mute

    def verb_foreign_burst(self, *, lots: int, times: int) -> None:
        for number in range(times):
            params = {
                "symbol": self.symbol,
                "side": "SELL" if number % 2 else "BUY",
                "type": "MARKET",
                "quantity": self.grid.quantity.text(lots),
                "newClientOrderId": f"web_burst_{self.scheduler.events}_{number}",
            }
            self.rest.by_another_hand("POST", "/fapi/v1/order", params)

    # Parts.

    def _picked(self, which: dict[str, Any]) -> CallRule:
        method = which.get("method", "any")
        return CallRule(
            step=self.step,
            pick=self._pick(which),
            method="" if method == "any" else method,
            path=which.get("path", ""),
            kind="" if which.get("kind", "any") == "any" else which["kind"],
        )

    def _pick(self, which: dict[str, Any]) -> Pick:
        for_s = which["for_s"]
        return Pick(
            until_ms=self.clock.true_ms() + int(for_s * 1_000) if for_s else FOREVER_MS,
            skip=which["skip"],
            left=which["count"] or -1,
            share_ppm=int(which["share_pct"] * 10_000),
        )

    def _frames(self, act: str, which: dict[str, Any], wait_ms: Callable[[], int] = lambda: 0, **change: Any) -> None:
        rule = FrameRule(
            step=self.step,
            pick=self._pick(which),
            event=which["event"],
            execution=which["execution"],
            act=act,
            wait_ms=wait_ms,
            **change,
        )
        self.struck_by.frames.append(rule)

    def _batch(self, method: str, path: str, params: Params, fates: list[str], error: dict[str, Any]) -> Reply:
        """Each leg by its own fate: done, refused, or unknown and done or not."""
        legs = params["batchOrders"]
        doing = [leg for leg, fate in zip(legs, fates, strict=True) if fate in ("done", "unknown_done")]
        answered: list[Any] = []
        if doing:
            reply = self.rest.by_another_hand(method, path, {**params, "batchOrders": doing})
            if not isinstance(reply.payload, list):
                return reply
            answered = list(reply.payload)
        unknown = {"code": -1007, "msg": "Timeout waiting for response from backend server."}
        done = iter(answered)
        rows: list[Any] = []
        for fate in fates:
            row = next(done) if fate in ("done", "unknown_done") else None
            rows.append(row if fate == "done" else error if fate == "refused" else unknown)
        return links.said(200, rows)

    def _rule_for(self, method: str, path: str, params: dict[str, Any]) -> CallRule | None:
        self.asked.append(Asked(self._since_start_ms(), method, path))
        return self.struck_by.call(method, path, params, self.clock.true_ms())

    def _venue_refused(self, method: str, path: str, code: int) -> None:
        self.refused.append(Asked(self._since_start_ms(), method, path, code))

    def _since_start_ms(self) -> int:
        return (self.scheduler.now_ns - WARM_NS) // MS

    def _tell_user(self, payload: dict[str, Any]) -> None:
        if not self.struck_by.frames:
            Day._tell_user(self, payload)
            return
        for wait_ms, frame in self.struck_by.told(payload, self.clock.true_ms()):
            self._sent(Day._tell_user, wait_ms, frame)

    def _tell_market(self, payload: dict[str, Any]) -> None:
        if not self.struck_by.frames:
            Day._tell_market(self, payload)
            return
        for wait_ms, frame in self.struck_by.told(payload, self.clock.true_ms()):
            self._sent(Day._tell_market, wait_ms, frame)

    def _sent(self, tell: Callable[[Day, dict[str, Any]], None], wait_ms: int, frame: dict[str, Any]) -> None:
        if wait_ms:
            self.scheduler.after(wait_ms * MS, lambda: tell(self, frame))
        else:
            tell(self, frame)


def _named(leg: Params) -> list[dict[str, Any]]:
    """The orders an order request is about, as the venue is asked for them; of a list of ids, every one."""
    found = [{name: leg[name]} for name in ("orderId", "origClientOrderId") if name in leg][:1]
    if "newClientOrderId" in leg:
        found.append({"origClientOrderId": leg["newClientOrderId"]})
    found += [{"orderId": each} for each in leg.get("orderidlist", ())]
    return found + [{"origClientOrderId": each} for each in leg.get("origclientorderidlist", ())]
