"""Why the router decided as it did about one level: the case, the rule, and the decision that came second.

Looks on while a journal is re-run, so that its figures (band, book, spacing) are those the decision was made with. It
decides nothing and adds nothing to the journal: a decision record carries its reason, its cost and its runner-up.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gridops.domain.events import Event, Header
from gridops.domain.plan import Choice, Cost
from gridops.domain.records import Decided
from gridops.domain.values import record
from gridops.domain.vocabulary import Decision, RouterReason, Side
from gridops.runtime.engine import Engine
from gridops.runtime.ports_journal import InputRow
from gridops.runtime.state import EngineState
from gridops.runtime.step import Step


@record
class Explained:
    """One decision about the level. Prices and quantities as the venue writes them; times in venue ms."""

    seq: int
    at_ms: int
    symbol: str
    level: int
    decision: Decision
    rule: RouterReason
    """The first rule of the table that applied."""
    client_id: str
    case: str
    """What rested, what was wanted, and the book."""
    why: str
    cost: str
    instead: str
    """The runner-up: what would have been done had the rule not applied; `none` where nothing else was open."""
    instead_cost: str
    retry_ms: int


@dataclass(slots=True)
class _Seen:
    """One decision with the figures it was made by."""

    choice: Choice
    state: EngineState

    @property
    def band_ticks(self) -> int:
        symbol = self.state.symbols[self.choice.symbol]
        return symbol.spacing_ticks * self.state.rules.router.hold_band_pct // 100

    @property
    def off_ticks(self) -> int:
        return abs(self.choice.to_ticks - self.choice.from_ticks)

    @property
    def book(self) -> str:
        symbol = self.state.symbols[self.choice.symbol]
        price = symbol.instrument.price
        return f"{price(symbol.view.bid_ticks)}/{price(symbol.view.ask_ticks)}"


class Explainer:
    """Collects the decisions about one level of every symbol."""

    def __init__(self, level: int) -> None:
        self.level = level
        self.found: list[Explained] = []

    def before(self, engine: Engine, row: InputRow, header: Header, event: Event) -> None:
        """Nothing is asked of the state before a step."""

    def after(self, engine: Engine, header: Header, done: Step) -> None:
        """Keep what the step decided about the level."""
        for said in done.records:
            if isinstance(said, Decided) and said.choice.level == self.level:
                self.found.append(explain(said.choice, engine.state, header))

    def files(self) -> Mapping[str, bytes]:
        """One line a decision."""
        names = Explained.__dataclass_fields__
        rows = [{name: getattr(each, name) for name in names} for each in self.found]
        return {f"level{self.level:+d}.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows).encode()}


def explain(choice: Choice, state: EngineState, header: Header) -> Explained:
    """One decision in words. `state` is the state right after the step that made it."""
    seen = _Seen(choice, state)
    return Explained(
        seq=header.seq,
        at_ms=header.venue_ms,
        symbol=choice.symbol,
        level=choice.level,
        decision=choice.decision,
        rule=choice.reason,
        client_id=choice.client_id,
        case=_case(seen),
        why=WHY[choice.reason](seen),
        cost=cost_text(choice.cost),
        instead="none" if choice.runner_up is None else str(choice.runner_up),
        instead_cost="" if choice.runner_up_cost is None else cost_text(choice.runner_up_cost),
        retry_ms=choice.retry_ms,
    )


def why(choice: Choice, state: EngineState) -> str:
    """The rule that decided, in a sentence with the figures of this state."""
    return WHY[choice.reason](_Seen(choice, state))


def cost_text(cost: Cost) -> str:
    """A price in words: `1 call, 1 order, 300 lots of queue place`; `nothing` for none."""
    parts = [
        (cost.calls, "call" if cost.calls == 1 else "calls"),
        (cost.weight, "weight"),
        (cost.orders, "order" if cost.orders == 1 else "orders"),
        (cost.bare_ms, "ms bare"),
        (cost.queue_lots, "lots of queue place"),
        (cost.queue_cbps, "cbps that the place is worth"),
    ]
    return ", ".join(f"{count} {name}" for count, name in parts if count) or "nothing"


def _case(seen: _Seen) -> str:
    choice, made = seen.choice, seen.state.symbols[seen.choice.symbol].instrument
    rests = (
        f"{made.quantity(choice.from_lots)}@{made.price(choice.from_ticks)} rests" if choice.client_id else "nothing"
    )
    wants = f"{made.quantity(choice.to_lots)}@{made.price(choice.to_ticks)} wanted" if choice.to_lots else "no target"
    return f"{choice.side}: {rests}, {wants}, book {seen.book}"


def _held(seen: _Seen) -> str:
    pct = seen.state.rules.router.hold_lots_pct
    return (
        f"{seen.off_ticks} ticks from its target, within the band of {seen.band_ticks}, "
        f"and its size is within {pct} %: moving it would give up its queue place"
    )


def _crossing(seen: _Seen) -> str:
    touch = "ask" if seen.choice.side is Side.BUY else "bid"
    return f"post-only at this price would meet the {touch} of {seen.book}"


def _plain(text: str) -> Callable[[_Seen], str]:
    return lambda _seen: text


_R = RouterReason
WHY: Mapping[RouterReason, Callable[[_Seen], str]] = {
    _R.UNCHANGED: _plain("it rests exactly as wanted"),
    _R.WITHIN_HOLD_BAND: _held,
    _R.FROZEN_IN_FLIGHT: _plain("a write of ours for this order is not answered yet"),
    _R.FROZEN_UNKNOWN: _plain("what became of this order is not known; it counts in full until the venue has said"),
    _R.PARTIAL_IN_FLIGHT: lambda s: (
        f"it was partly filled less than {s.state.rules.router.partial_settle_ms} ms ago, and more may follow"
    ),
    _R.REFILL_WAIT: _plain("the rung was filled or refused a moment ago and waits before it is set again"),
    _R.BLOCKED_FILTER: _plain("a filter of the venue (price, size, notional, percent) would refuse it"),
    _R.BLOCKED_GATE: lambda s: f"gate {s.choice.gate} refuses it",
    _R.BLOCKED_POST_ONLY: _crossing,
    _R.BLOCKED_SELF_CROSS: _plain("it would meet an order of our own that does not leave"),
    _R.DEFERRED_BUDGET: _plain("the rate budget has no room for it; cancels and reductions keep theirs"),
    _R.DEFERRED_SEQUENCE: _plain("another operation must be confirmed before there is room for it"),
    _R.DEFERRED_REFUSED: lambda s: (
        f"the venue gave the same refusal {s.state.rules.router.refusals_before_probe} times; the next try is a probe"
    ),
    _R.OUTSIDE_HOLD_BAND: lambda s: (
        f"{s.off_ticks} ticks from its target, beyond the band of {s.band_ticks}; an amend keeps the level covered"
    ),
    _R.SIZE_CHANGED: lambda s: (
        f"its size is off by more than {s.state.rules.router.hold_lots_pct} %; an amend keeps the level covered"
    ),
    _R.NEW_LEVEL: _plain("nothing rests for this level"),
    _R.REPLACEMENT: _plain("the first leg has provably left; this is the second of the pair"),
    _R.SURPLUS_LEVEL: _plain("no target wants this order"),
    _R.IMMUTABLE_FIELD: _plain("side, reduce-only, type or time in force differ, which no amend can change"),
    _R.TARGET_AT_OR_BELOW_FILLED: _plain("as much as is wanted has filled: an amend to it would cancel the order"),
    _R.POST_ONLY_WOULD_CROSS: _crossing,
    _R.AMEND_LIMIT: _plain("the order is near the number of amends the venue allows"),
    _R.AMEND_UNSUPPORTED: _plain("this order cannot be amended here"),
    _R.STATE_FORBIDS: lambda s: f"state {s.state.fsm.state} lets nothing rest that may raise exposure",
    _R.ORPHAN: _plain("our own order, but none this journal knows a level for"),
    _R.KILL: _plain("the kill switch takes every order off"),
    _R.STOP: _plain("the run is being stopped"),
    _R.FLATTEN: _plain("the position is being closed"),
}
"""Every reason in a sentence; figures from the state that decided."""
