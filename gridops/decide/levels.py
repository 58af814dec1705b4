"""Held conditions: what is wrong now, since when, whom it concerns, and which lifecycle event it asserts.

`health.detect` says which levels should be open; this module keeps them and weighs scope. A level is changed only on an
edge, so a wake-up that changes nothing leaves no trace. It reads no feed and moves no state.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gridops.decide.fsm import FsmMemory
from gridops.domain.values import record, value
from gridops.domain.vocabulary import FsmEvent, FsmReason, FsmState

ACCOUNT = "account"
"""Scope of a level that concerns more than one symbol."""

E, R = FsmEvent, FsmReason


@dataclass(slots=True)
class Level:
    """An open condition. `scope` is ACCOUNT or a symbol; times are ms of the boot clock."""

    reason: FsmReason
    scope: str
    since_ms: int
    detail: str


Levels = dict[str, Level]
"""Open levels by `level_key`."""


@value
class Edge:
    """A level opens or closes now. `held_ms` is how long a closing one was open."""

    reason: FsmReason
    scope: str
    open: bool
    detail: str
    held_ms: int = 0
    shadow: bool = False
    """Only recorded: it would have opened or closed."""


@record
class Condition:
    """What an open level of this reason means."""

    event: FsmEvent | None
    """The event it asserts; None = a page for the operator, no event."""
    restore: FsmReason = R.TRUST_RESTORED
    """Reason of the way back up once it was the last to clear."""
    sampled: bool = True
    """Its dwell runs from the last bad sample; a discrete one's (an operator's word, a date) from its beginning."""
    truth: bool = False
    """What the account did meanwhile is unknown: only a full reconcile started after it closed restores trust."""
    weighs: bool = True
    """For one symbol: counts towards `all symbols are frozen`. A small position mismatch freezes and does no more."""
    shadowable: bool = False
    """A threshold of ours that may be tried out without effect. Never what latches, what the venue or an operator has
    said, or what makes our own word doubtful."""


def _lost(*, truth: bool = False, weighs: bool = True, shadowable: bool = False) -> Condition:
    return Condition(event=E.TRUST_LOST, truth=truth, weighs=weighs, shadowable=shadowable)


CONDITIONS: Mapping[FsmReason, Condition] = {
    R.KILL_SWITCH: Condition(event=E.KILL, restore=R.OPERATOR_ACK),
    R.DRAWDOWN: Condition(event=E.BREACH, restore=R.OPERATOR_ACK),
    R.MARGIN_CRITICAL: Condition(event=E.BREACH, restore=R.OPERATOR_ACK),
    R.EXPOSURE_CAP: Condition(event=E.BREACH, restore=R.OPERATOR_ACK),
    R.OPERATOR_STOP: Condition(event=E.STOP),
    R.SIGNAL: Condition(event=E.STOP),
    R.MARKET_ENDED: Condition(event=E.STOP),
    R.FEED_STALE: _lost(shadowable=True),
    R.USER_STREAM_LOST: _lost(truth=True),
    R.CLOCK_SKEW: _lost(shadowable=True),
    R.FILTERS_STALE: _lost(shadowable=True),
    R.POSITION_MISMATCH: _lost(weighs=False),
    R.ORDERS_UNKNOWN: _lost(shadowable=True),
    R.SYNC_FAILING: _lost(shadowable=True),
    R.JOURNAL_FAILED: _lost(),
    R.LEASE_LOST: _lost(truth=True),
    R.FOREIGN_WRITER: _lost(truth=True),
    R.RATE_BANNED: _lost(truth=True),
    R.AUTH_REJECTED: _lost(truth=True),
    R.VENUE_DOWN: _lost(truth=True, shadowable=True),
    R.ENVIRONMENT_CHANGED: _lost(truth=True),
    R.MODE_CHANGED: _lost(),
    R.BOOK_INVALID: _lost(),
    R.RESUMED: _lost(),
    R.LOOP_LAG: _lost(shadowable=True),
    R.DISK_LOW: _lost(shadowable=True),
    R.INVARIANT_BROKEN: _lost(),
    R.DEADMAN_PRESUMED_FIRED: _lost(),
    R.OPERATOR_PAUSE: Condition(event=E.PAUSE, restore=R.OPERATOR_RESUME, sampled=False),
    R.TOXICITY_HIGH: Condition(event=E.PAUSE, restore=R.TOXICITY_LOW, shadowable=True),
    R.LOSS_STREAK: Condition(event=E.PAUSE, restore=R.STREAK_COOLED, shadowable=True),
    R.DAILY_DRAWDOWN: Condition(event=E.PAUSE, restore=R.DAY_ROLLED, sampled=False),
    R.EXPOSURE_HIGH: Condition(event=E.PAUSE, restore=R.BACK_IN_RANGE, shadowable=True),
    R.OUT_OF_RANGE: Condition(event=E.PAUSE, restore=R.BACK_IN_RANGE, shadowable=True),
    R.MAINTENANCE: Condition(event=E.PAUSE, restore=R.HEALTH_OK),
    R.DISARMED: Condition(event=E.READY_LOST),
    R.FOLLOWER: Condition(event=E.READY_LOST),
    R.FEEDS_NOT_READY: Condition(event=E.READY_LOST),
    R.TOXICITY_MID: Condition(event=E.THROTTLE, restore=R.TOXICITY_LOW, shadowable=True),
    R.RATE_BUDGET_LOW: Condition(event=E.THROTTLE, restore=R.RATE_BUDGET_BACK, shadowable=True),
    R.BOOT_STUCK: Condition(event=None),
    R.EVIDENCE_FAILED: Condition(event=None),
}
SHADOWABLE = tuple(reason for reason, condition in CONDITIONS.items() if condition.shadowable)
ORDER = {reason: place for place, reason in enumerate(CONDITIONS)}
REASONS_OF = {
    event: tuple(reason for reason, condition in CONDITIONS.items() if condition.event is event) for event in FsmEvent
}
_FREEZING = frozenset({E.TRUST_LOST, E.PAUSE})


def level_key(reason: FsmReason, scope: str) -> str:
    return f"{reason}@{scope}"


def is_open(levels: Levels, reason: FsmReason) -> bool:
    """Whether the reason holds in any scope."""
    return any(level.reason is reason for level in levels.values())


def frozen_symbols(levels: Levels, symbols: Iterable[str]) -> frozenset[str]:
    """Symbols in which nothing may be increased now, whatever the account's state."""
    if not levels:
        return frozenset()
    named = {level.scope for level in levels.values() if CONDITIONS[level.reason].event in _FREEZING}
    return frozenset(symbol for symbol in symbols if symbol in named)


def asserted(levels: Levels, symbols: Sequence[str]) -> list[Level]:
    """Levels that speak for the account now, in the order of CONDITIONS.

    A symbol's level freezes the symbol; it concerns the account only while every symbol is frozen. A throttle of any
    symbol throttles the account, since the venue's budget and the caps are shared.
    """
    if not levels:
        return []
    weighty = {level.scope for level in levels.values() if _weighs(level)}
    all_frozen = bool(symbols) and weighty.issuperset(symbols)
    speaking = [
        level
        for level in levels.values()
        if (event := CONDITIONS[level.reason].event) is not None
        and (
            level.scope == ACCOUNT
            or (all_frozen and _weighs(level) and level.scope in symbols)
            or (event is E.THROTTLE and level.scope in symbols)
        )
    ]
    return sorted(speaking, key=_order)


def apply_edges(levels: Levels, memory: FsmMemory, edges: Sequence[Edge], symbols: Sequence[str], now_ms: int) -> None:
    """Open and close the levels and note where dwells begin and since when only a newer reconcile counts."""
    if not edges:
        return
    before = {level.reason: level for level in asserted(levels, symbols)}
    for edge in edges:
        key = level_key(edge.reason, edge.scope)
        if edge.open:
            levels[key] = Level(edge.reason, edge.scope, now_ms, edge.detail)
        else:
            del levels[key]
    after = {level.reason for level in asserted(levels, symbols)}
    for reason, level in before.items():
        if reason not in after:
            condition = CONDITIONS[reason]
            memory.bad_ms[reason] = now_ms if condition.sampled else level.since_ms
            if condition.truth:
                memory.loss_ms = now_ms
    if any(CONDITIONS[reason].event is E.TRUST_LOST and reason not in before for reason in after):
        memory.loss_ms = now_ms


def last_bad_ms(memory: FsmMemory, state: FsmState, since_ms: int) -> int | None:
    """Newest bad sample among the causes of `state` (entered at `since_ms`) that are over; None = there was none."""
    bad = memory.bad_ms
    if not bad:
        return None
    times = [bad[reason] for reason in _DWELL_REASONS.get(state, ()) if reason in bad]
    toxic = state is FsmState.PAUSED and bad.get(R.TOXICITY_HIGH, -1) >= since_ms
    if toxic and R.TOXICITY_MID in bad:
        # What was paused for toxicity is left from the LOW band, not merely from below HIGH.
        times.append(bad[R.TOXICITY_MID])
    return max(times, default=None)


_DWELL_REASONS: Mapping[FsmState, tuple[FsmReason, ...]] = {
    FsmState.DEGRADED: REASONS_OF[E.TRUST_LOST],
    FsmState.PAUSED: REASONS_OF[E.PAUSE],
    FsmState.THROTTLED: REASONS_OF[E.THROTTLE],
    # READY holds back too: a pause or throttle that ended under a deeper state must not be cut short by it.
    FsmState.READY: REASONS_OF[E.PAUSE] + REASONS_OF[E.THROTTLE],
}


def apply_shadow(shadow: Levels, edges: Sequence[Edge], now_ms: int) -> None:
    """The same for what only would have opened or closed: no dwell, no trust, no scope hangs on it."""
    for edge in edges:
        key = level_key(edge.reason, edge.scope)
        if edge.open:
            shadow[key] = Level(edge.reason, edge.scope, now_ms, edge.detail)
        else:
            del shadow[key]


def rebase(levels: Levels, now_ms: int) -> None:
    """After a start under another boot clock: times that lie in the future are drawn back to now."""
    for level in levels.values():
        level.since_ms = min(level.since_ms, now_ms)


def _weighs(level: Level) -> bool:
    condition = CONDITIONS[level.reason]
    return condition.weighs and condition.event in _FREEZING


def _order(level: Level) -> tuple[int, str]:
    return ORDER[level.reason], level.scope
