"""What a drill does to single messages: which calls or frames it picks, and what becomes of each.

Rules are consulted by the REST link and by the streams of a drill's day; the first that picks a message has it. Each
counts what it struck, so that a fault which never struck is noticed. Nothing here knows the engine.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any

from gridops.adapters.ccxt_client import Reply

Params = Mapping[str, Any]
PAGE = "<html><head><title>503 Backend fetch failed</title></head><body>Guru Meditation</body></html>"


@dataclass(slots=True)
class Pick:
    """Which messages: the first `skip` that match go free, then `left` are struck (negative = all), by chance."""

    until_ms: int
    skip: int
    left: int
    share_ppm: int
    struck: int = 0

    def takes(self, now_ms: int, chance: Random) -> bool:
        """Is this matching message struck? Counts it."""
        if now_ms >= self.until_ms or self.left == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.share_ppm < 1_000_000 and chance.randrange(1_000_000) >= self.share_ppm:
            return False
        self.left -= 1
        self.struck += 1
        return True


@dataclass(slots=True)
class CallRule:
    """What becomes of the calls it picks: a fate the link knows, or something done before or after the venue's part."""

    step: str
    pick: Pick
    method: str
    path: str
    kind: str = ""
    """`risk`: only orders that may raise it; `exit`: only those that cannot; else all."""
    fate: str = ""
    before: Callable[[str, str, Params], Reply | None] | None = None
    """At the venue's door; a reply keeps the call from the venue."""
    after: Callable[[str, Params, Reply], Reply] | None = None
    hold_ms: int = 0
    """The answer stays away that much longer."""

    def takes(self, method: str, path: str, params: Params, now_ms: int, chance: Random) -> bool:
        """Is this call struck?"""
        if self.method not in ("", method) or self.path.lower() not in path.lower() or not self._kind_is(params):
            return False
        return self.pick.takes(now_ms, chance)

    def _kind_is(self, params: Params) -> bool:
        if not self.kind:
            return True
        exits = [leg.get("reduceOnly") == "true" for leg in params.get("batchOrders", [params])]
        return all(exits) if self.kind == "exit" else not all(exits)


@dataclass(slots=True)
class FrameRule:
    """What becomes of the frames it picks."""

    step: str
    pick: Pick
    event: str
    execution: str
    act: str
    """lost, twice, late, changed."""
    wait_ms: Callable[[], int] = lambda: 0
    """How much later a late or second frame comes."""
    field: str = ""
    value: str | None = None
    """None = the field is taken away."""

    def takes(self, payload: Params, now_ms: int, chance: Random) -> bool:
        """Is this frame struck?"""
        if self.event not in ("", payload["e"]):
            return False
        if self.execution and payload.get("o", {}).get("x") != self.execution:
            return False
        return self.pick.takes(now_ms, chance)


@dataclass(slots=True)
class Rules:
    """Every rule in force."""

    chance: Random
    calls: list[CallRule] = field(default_factory=list)
    frames: list[FrameRule] = field(default_factory=list)
    ended: list[CallRule | FrameRule] = field(default_factory=list)

    def call(self, method: str, path: str, params: Params, now_ms: int) -> CallRule | None:
        """The rule that has this call."""
        return next((rule for rule in self.calls if rule.takes(method, path, params, now_ms, self.chance)), None)

    def told(self, payload: dict[str, Any], now_ms: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """(ms later, frame) for each frame that is sent in place of this one."""
        rule = next((rule for rule in self.frames if rule.takes(payload, now_ms, self.chance)), None)
        if rule is None:
            yield 0, payload
        elif rule.act == "changed":
            yield 0, changed(payload, rule.field, rule.value)
        elif rule.act == "late":
            yield rule.wait_ms(), payload
        elif rule.act == "twice":
            yield 0, payload
            yield rule.wait_ms(), payload

    def end(self) -> None:
        """No rule strikes any more; what each struck stays known."""
        self.ended += [*self.calls, *self.frames]
        self.calls, self.frames = [], []

    def struck(self) -> dict[str, int]:
        """Step name -> messages struck."""
        return {rule.step: rule.pick.struck for rule in (*self.ended, *self.calls, *self.frames)}


def changed(body: Any, path: str, value: str | None) -> Any:
    """A copy with the field at a dotted path set or taken away, in every row of a list; None takes away."""
    body = deepcopy(body)
    _change(body, path.split("."), value)
    return body


def _change(body: Any, names: list[str], value: str | None) -> None:
    if isinstance(body, list):
        for each in body:
            _change(each, names, value)
    elif isinstance(body, dict) and names[0] in body:
        if len(names) > 1:
            _change(body[names[0]], names[1:], value)
        elif value is None:
            del body[names[0]]
        else:
            body[names[0]] = int(value) if _whole(body[names[0]], value) else value


def said(status: int, body: object, text: str = "") -> Reply:
    """An answer as the client library would hand it over."""
    reply = Reply()
    reply.status, reply.payload, reply.body = status, body, text
    return reply


def cut_off() -> Reply:
    """The connection broke before an answer came."""
    reply = Reply()
    reply.failure = "NetworkError"
    return reply


def _whole(old: object, value: str) -> bool:
    """A field that was a whole number stays one, as long as its new value is."""
    return isinstance(old, int) and not isinstance(old, bool) and value.lstrip("-").isdigit()
