"""Health: which conditions are true now, and which lifecycle events follow from what is held.

Values in, edges and signals out; called by the step after each fact was folded in. It keeps nothing (the levels do),
moves nothing (the machine does), and never takes silence for good news.
"""

from collections.abc import Sequence
from dataclasses import replace

from gridops.decide import conditions
from gridops.decide.clearing import CLEARED_BY
from gridops.decide.fsm import FsmMemory, Signal
from gridops.decide.health_facts import HealthFacts, SymbolFacts
from gridops.decide.levels import (
    ACCOUNT,
    CONDITIONS,
    ORDER,
    REASONS_OF,
    Edge,
    Level,
    Levels,
    asserted,
    is_open,
    last_bad_ms,
    level_key,
)
from gridops.domain.rules import Rules
from gridops.domain.vocabulary import FsmEvent, FsmReason, FsmState

E, R, S = FsmEvent, FsmReason, FsmState
_INIT, _ACTIVE, _STOPPING, _EMERGENCY = S.INIT, S.ACTIVE, S.STOPPING, S.EMERGENCY
"""Looked up once: these are asked for at nearly every step."""
_DWELLING = frozenset({S.READY, S.THROTTLED, S.PAUSED, S.DEGRADED})
_ACK_CLOSES = frozenset({R.KILL_SWITCH, R.DRAWDOWN})
_UP_BLOCKERS = {
    S.INIT: frozenset({E.KILL, E.BREACH, E.STOP, E.TRUST_LOST}),
    S.READY: frozenset({E.KILL, E.BREACH, E.STOP, E.TRUST_LOST, E.PAUSE, E.READY_LOST}),
    S.THROTTLED: frozenset({E.THROTTLE}),
    S.PAUSED: frozenset({E.PAUSE}),
    S.DEGRADED: frozenset({E.TRUST_LOST}),
    S.EMERGENCY: frozenset({E.KILL, E.BREACH}),
}
_NEVER: frozenset[FsmEvent] = frozenset()
NO_LEVELS: Levels = {}
"""Never written to."""


def detect(
    facts: HealthFacts, memory: FsmMemory, levels: Levels, now_ms: int, rules: Rules, shadow: Levels = NO_LEVELS
) -> tuple[Edge, ...]:
    """Levels to open and to close now, in the order of CONDITIONS. Empty when nothing changed.

    Edges of what the rules keep in shadow are marked and come last; `shadow` holds what would be open.
    """
    known = {**levels, **shadow} if shadow else levels
    found = conditions.find(facts, known, now_ms, rules)
    if memory.state is _INIT and now_ms - memory.since_ms >= rules.health.boot_stuck_ms:
        found[R.BOOT_STUCK, ACCOUNT] = f"in INIT for {(now_ms - memory.since_ms) // 1000} s"
    if not found and not known:
        return ()
    if not rules.health.shadow and not shadow:
        return _edges(found, levels, now_ms)
    hidden = {key: found.pop(key) for key in list(found) if _in_shadow(key[0], rules)}
    quiet = tuple(replace(edge, shadow=True) for edge in _edges(hidden, shadow, now_ms))
    return _edges(found, levels, now_ms) + quiet


def _in_shadow(reason: FsmReason, rules: Rules) -> bool:
    """Rules that name what may not be in shadow are not believed."""
    return reason in rules.health.shadow and CONDITIONS[reason].shadowable


def signals(
    state: FsmState,
    since_ms: int,
    memory: FsmMemory,
    levels: Levels,
    facts: HealthFacts,
    now_ms: int,
    rules: Rules,
) -> Sequence[Signal]:
    """Events that are true now for an account in `state` since `since_ms`, in table order.

    The way up is among them only when no held level forbids it, its dwell has passed and trust is proven.
    """
    if state is _ACTIVE and not levels:
        return ()
    held = asserted(levels, rules.symbols)
    out = [_signal(level) for level in held]
    upward = _upward(state, since_ms, memory, levels, facts, held, now_ms, rules)
    if upward is None or upward.event is not E.QUOTE:
        # THROTTLE lifts READY, so READY hears of it only when it may quote.
        out = out if state is not S.READY else [signal for signal in out if signal.event is not E.THROTTLE]
    if upward is not None:
        out.append(upward)
    return out


def view_is_quiet(symbol: SymbolFacts, levels: Levels, deadline_ms: int | None, rules: Rules) -> bool:
    """Whether a fresher view of this symbol, and nothing else, left `detect` and `next_deadline` with nothing new.

    Lets the step skip health on a quiet tick before `deadline_ms`, its newest deadline, which the view must not have
    brought nearer. Answers False whenever in doubt.
    """
    if levels or deadline_ms is None or not symbol.book_valid or symbol.spread_cbps is None:
        return False
    if symbol.touch_alone or symbol.out_of_range:
        return False
    if symbol.spread_cbps >= rules.health.spread_mid_bps * 100 or symbol.wce_units > symbol.cap_units:
        return False
    stale_ms = conditions.feed_deadline_ms(symbol, rules.health)
    return stale_ms is not None and stale_ms >= deadline_ms


def next_deadline(memory: FsmMemory, facts: HealthFacts, now_ms: int, rules: Rules) -> int | None:
    """Earliest time after now at which levels or signals could change without a new input; None = never."""
    times = [conditions.next_change_ms(facts, now_ms, rules), stop_deadline_ms(memory, rules)]
    if memory.state is _INIT:
        times.append(memory.since_ms + rules.health.boot_stuck_ms)
    elif memory.state in _DWELLING:
        times.append(dwell_end_ms(memory.state, memory.since_ms, memory, rules))
    return min([time for time in times if time is not None and time > now_ms], default=None)


def stop_deadline_ms(memory: FsmMemory, rules: Rules) -> int | None:
    """When a stop ends even if nothing is proven: orderly, or out of EMERGENCY. None while no stop is under way."""
    if memory.state is _STOPPING:
        return memory.since_ms + rules.health.flat_stop_ms
    if memory.state is _EMERGENCY and memory.exit_requested:
        return memory.exit_since_ms + rules.health.kill_stop_ms
    return None


def ack_refusal(memory: FsmMemory, levels: Levels, facts: HealthFacts) -> str:
    """Why an operator's ack cannot be accepted now; empty when it can.

    An accepted one closes the kill level and re-bases the drawdown; a danger that still stands would only come back.
    """
    if memory.state is not S.EMERGENCY:
        return f"the state is {memory.state}, there is nothing to acknowledge"
    latch_ms = memory.since_ms
    for level in levels.values():
        if CONDITIONS[level.reason].event in (E.KILL, E.BREACH):
            if level.reason not in _ACK_CLOSES:
                return f"{level.reason} still holds: {level.detail}; clears by {CLEARED_BY[level.reason]}"
            latch_ms = max(latch_ms, level.since_ms)
    if facts.ack_accepts_position:
        return ""
    if facts.flat_read_ms is None or facts.flat_read_ms <= latch_ms:
        return "no venue read newer than the latch shows the account flat; --accept-position takes over what is open"
    return ""


def reconciled(memory: FsmMemory, facts: HealthFacts) -> bool:
    """A full reconcile succeeded that was started after the last loss of trust."""
    started = facts.reconcile_started_ms
    return started is not None and facts.reconcile_ended_ms is not None and started >= memory.loss_ms


def _upward(
    state: FsmState,
    since_ms: int,
    memory: FsmMemory,
    levels: Levels,
    facts: HealthFacts,
    held: Sequence[Level],
    now_ms: int,
    rules: Rules,
) -> Signal | None:
    blockers = _UP_BLOCKERS.get(state, _NEVER)
    if not blockers or any(CONDITIONS[level.reason].event in blockers for level in held):
        return None
    if state is S.EMERGENCY:
        accepted = facts.ack_requested and not ack_refusal(memory, levels, facts)
        return Signal(E.ACK, R.OPERATOR_ACK, _ack_detail(facts)) if accepted else None
    if state is S.INIT:
        ready = facts.lease_held and facts.fingerprint_ok and facts.filters_ms is not None
        return Signal(E.BOOT_OK, R.HEALTH_OK, "reconciled") if ready and reconciled(memory, facts) else None
    if dwell_end_ms(state, since_ms, memory, rules) > now_ms:
        return None
    if state is S.READY:
        may = facts.armed and facts.leader and facts.feeds_ready
        return Signal(E.QUOTE, R.FEEDS_READY, "armed, leader, feeds ready") if may else None
    if state is S.DEGRADED:
        back = reconciled(memory, facts)
        return Signal(E.TRUST_BACK, R.TRUST_RESTORED, "reconciled since the last loss") if back else None
    if state is S.PAUSED:
        return _pause_over(memory, levels, since_ms)
    return Signal(E.THROTTLE_OVER, _restore(memory, E.THROTTLE, since_ms, R.RATE_BUDGET_BACK), "dwell passed")


def dwell_end_ms(state: FsmState, since_ms: int, memory: FsmMemory, rules: Rules) -> int:
    """When the dwell of a state ends as things stand. READY has none of its own, only what a pause left over."""
    end = since_ms if state is S.READY else since_ms + rules.health.dwell_ms
    bad = last_bad_ms(memory, state, since_ms)
    return end if bad is None else max(end, bad + rules.health.dwell_ms)


def _pause_over(memory: FsmMemory, levels: Levels, since_ms: int) -> Signal | None:
    toxic = memory.bad_ms.get(R.TOXICITY_HIGH, -1) >= since_ms
    if toxic and is_open(levels, R.TOXICITY_MID):
        return None
    return Signal(E.PAUSE_OVER, _restore(memory, E.PAUSE, since_ms, R.OPERATOR_RESUME), "dwell passed")


def _restore(memory: FsmMemory, event: FsmEvent, since_ms: int, otherwise: FsmReason) -> FsmReason:
    """The reason of the way up: of the cause that cleared last."""
    cleared = [
        (memory.bad_ms[reason], -ORDER[reason], reason) for reason in REASONS_OF[event] if reason in memory.bad_ms
    ]
    return CONDITIONS[max(cleared)[2]].restore if cleared and max(cleared)[0] >= since_ms else otherwise


def _signal(level: Level) -> Signal:
    event = CONDITIONS[level.reason].event
    assert event is not None, "asserted levels name an event"
    return Signal(event, level.reason, f"{level.scope}: {level.detail}")


def _ack_detail(facts: HealthFacts) -> str:
    return "position accepted" if facts.ack_accepts_position else "flat by a venue read"


def _edges(found: conditions.Found, levels: Levels, now_ms: int) -> tuple[Edge, ...]:
    edges = [
        Edge(level.reason, level.scope, False, level.detail, now_ms - level.since_ms)
        for level in levels.values()
        if (level.reason, level.scope) not in found
    ]
    edges += [
        Edge(reason, scope, True, detail)
        for (reason, scope), detail in found.items()
        if level_key(reason, scope) not in levels
    ]
    return tuple(sorted(edges, key=lambda edge: (ORDER[edge.reason], edge.scope)))
