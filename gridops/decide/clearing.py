"""What ends each held condition: the words an operator gets with every refusal and with `fsm show`.

One text per reason. Beside `levels`, which knows what a level asserts; this says what a person can do or wait for.
It decides nothing.
"""

from collections.abc import Iterable, Mapping

from gridops.decide.levels import CONDITIONS, Level, Levels
from gridops.domain.vocabulary import FsmReason, FsmState

R, S = FsmReason, FsmState

CLEARED_BY: Mapping[FsmReason, str] = {
    R.KILL_SWITCH: "`gridops fsm ack --reason TEXT` once a venue read shows the account flat",
    R.DRAWDOWN: "`gridops fsm ack --reason TEXT` once flat; it re-bases the drawdown",
    R.MARGIN_CRITICAL: "a venue read with the margin ratio below risk.max_margin_ratio, then `gridops fsm ack`",
    R.EXPOSURE_CAP: "a venue read with the position below 1.25 x risk.symbol_cap, then `gridops fsm ack`",
    R.OPERATOR_STOP: "nothing: the run ends; start a new one",
    R.SIGNAL: "nothing: the run ends; start a new one",
    R.MARKET_ENDED: "nothing: the recording is over; start a new run",
    R.FEED_STALE: "a fresh book and mark price of the symbol; look at the market stream in `gridops triage`",
    R.USER_STREAM_LOST: "the private stream up again and a full reconcile started after that",
    R.CLOCK_SKEW: "the machine's clock within health.clock_skew_seconds of the venue's; check NTP",
    R.FILTERS_STALE: "a successful read of the trading rules; after a changed tick or step size, a restart",
    R.POSITION_MISMATCH: "two reads that agree with our books; `gridops sync --plan` shows the remedy",
    R.ORDERS_UNKNOWN: "the venue's answer about each unknown order; the engine keeps asking",
    R.SYNC_FAILING: "one full reconcile that succeeds; look at the venue's errors",
    R.JOURNAL_FAILED: "a journal that commits again: free the disk or repair it",
    R.LEASE_LOST: "the lease held again; if another engine has it, stop one of the two",
    R.FOREIGN_WRITER: "a restart after the other engine of this account is stopped",
    R.RATE_BANNED: "the end of the venue's ban; nothing may be sent before",
    R.AUTH_REJECTED: "a signed call that the venue accepts: check the key, its permissions and its address list",
    R.VENUE_DOWN: "one call that succeeds and a full reconcile started after it",
    R.ENVIRONMENT_CHANGED: "a restart with the venue, account and key this journal is bound to, or `--fresh`",
    R.MODE_CHANGED: "one-way, single-asset and cross margin again at the venue, seen by a read",
    R.BOOK_INVALID: "a valid top of book of the symbol",
    R.RESUMED: "a full reconcile started after the process woke up",
    R.LOOP_LAG: "a loop that keeps up for a second; look for what else uses the machine",
    R.DISK_LOW: "free space above operations.min_free_mb where the home lies",
    R.INVARIANT_BROKEN: "nothing by itself: our books contradict each other; stop, keep the bundle, report it",
    R.DEADMAN_PRESUMED_FIRED: "a dead-man beat that the venue acknowledges and a probe of every order",
    R.OPERATOR_PAUSE: "`gridops fsm resume --reason TEXT`",
    R.TOXICITY_HIGH: "toxicity and spread back in the LOW band",
    R.LOSS_STREAK: "the loss streak signal off or expired",
    R.DAILY_DRAWDOWN: "the next UTC day",
    R.EXPOSURE_HIGH: "the worst case below its cap again, by fills, cancels or a larger cap",
    R.OUT_OF_RANGE: "a price inside grid.low_price and grid.high_price",
    R.MAINTENANCE: "the maintenance signal off or expired",
    R.DISARMED: "a run with --armed",
    R.FOLLOWER: "the lease of the account",
    R.FEEDS_NOT_READY: "a first book and mark price of every symbol",
    R.TOXICITY_MID: "toxicity and spread back in the LOW band",
    R.RATE_BUDGET_LOW: "used budget 20 points below its trigger; it falls by itself within a minute",
    R.BOOT_STUCK: "whatever else is open: the engine leaves INIT only when nothing holds it",
    R.EVIDENCE_FAILED: "a bundle that can be written: check the evidence folder and its disk",
}
"""For every member of CONDITIONS."""

STATE_ENDS: Mapping[FsmState, str] = {
    S.INIT: "INIT ends when nothing is open and the first full reconcile is done",
    S.READY: "READY ends by itself when armed, leading and fed",
    S.ACTIVE: "",
    S.THROTTLED: "THROTTLED ends by itself after its dwell",
    S.PAUSED: "PAUSED ends by itself after its dwell",
    S.DEGRADED: "DEGRADED ends by itself after its dwell and a full reconcile started since the last loss",
    S.EMERGENCY: "EMERGENCY ends by `gridops fsm ack --reason TEXT` and by nothing else",
    S.STOPPING: "STOPPING ends with the process",
}
"""What ends the state itself once no level holds it."""


def blockers(levels: Levels, except_for: Iterable[FsmReason] = ()) -> str:
    """Every open level with what clears it, most restrictive first; empty when none is open."""
    passed = frozenset(except_for)
    held = sorted((level for level in levels.values() if level.reason not in passed), key=_order)
    return "; ".join(f"{_named(level)} clears by {CLEARED_BY[level.reason]}" for level in held)


def standing(state: FsmState, levels: Levels) -> str:
    """What holds the account where it is: its open levels, else how its state ends."""
    return blockers(levels) or STATE_ENDS[state] or "no level is open"


def _named(level: Level) -> str:
    scope = "" if level.scope == "account" else f" of {level.scope}"
    return f"{level.reason}{scope} ({level.detail})" if level.detail else f"{level.reason}{scope}"


_PLACE = {reason: place for place, reason in enumerate(CONDITIONS)}


def _order(level: Level) -> tuple[int, str]:
    return _PLACE[level.reason], level.scope
