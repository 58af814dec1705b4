"""What answers a finding: the setting behind it, the runbook step, and the command to paste.

Data for the diagnosis ladder. A condition's step is its own heading on the lifecycle page; every other finding has its
question's heading on the triage page. It judges nothing.
"""

from gridops.domain.vocabulary import FsmReason

R = FsmReason
SETTINGS: dict[str, str] = {
    R.DISK_LOW: "operations.min_free_mb",
    R.DRAWDOWN: "risk.max_drawdown",
    R.MARGIN_CRITICAL: "risk.max_margin_ratio",
    R.EXPOSURE_CAP: "risk.symbol_cap",
    R.ENVIRONMENT_CHANGED: "account.fingerprint",
    R.LOOP_LAG: "health.loop_lag_seconds",
    R.CLOCK_SKEW: "health.clock_skew_seconds",
    R.FEED_STALE: "health.feed_stale_seconds",
    R.FILTERS_STALE: "health.filters_stale_seconds",
    R.ORDERS_UNKNOWN: "health.unknown_order_seconds",
    R.SYNC_FAILING: "health.sync_stale_seconds",
    R.DEADMAN_PRESUMED_FIRED: "operations.deadman_seconds",
    R.DAILY_DRAWDOWN: "risk.daily_drawdown",
    R.EXPOSURE_HIGH: "risk.symbol_cap",
    R.TOXICITY_HIGH: "health.spread_high_bps",
    R.TOXICITY_MID: "health.spread_mid_bps",
    R.OUT_OF_RANGE: "grid.low_price",
    R.MARKET_ENDED: "venue.market",
    "no_targets": "grid.levels",
    "no_symbols": "grid.symbols",
    "out_of_reach": "grid.spacing_bps",
    "gate_exposure": "risk.symbol_cap",
    "gate_order_size": "risk.max_order_notional",
    "gate_pending": "risk.max_pending",
    "gate_churn": "risk.churn_per_hour",
    "gate_whitelist": "grid.symbols",
    "gate_deadman": "operations.deadman",
    "gate_drawdown": "risk.max_drawdown",
}
"""Settings an operator may change; where none is named, no setting is the answer."""

_ACK = 'gridops fsm ack --reason "cause found, account flat"'
_SYNC = "gridops sync"
COMMANDS: dict[str, str] = {
    "hung": 'gridops kill --direct --reason "the engine hangs"',
    "dead": "gridops run",
    "absent": "gridops run",
    "not_stepping": 'gridops kill --direct --reason "the engine does not step"',
    "locked": "gridops fsm show",
    "unreadable": "gridops replay",
    "config_refused": "gridops config check",
    "keys_missing": "gridops doctor",
    R.DISK_LOW: "gridops evidence prune --keep 200",
    R.JOURNAL_FAILED: "gridops doctor",
    R.EVIDENCE_FAILED: "gridops doctor",
    R.KILL_SWITCH: _ACK,
    R.DRAWDOWN: _ACK,
    R.MARGIN_CRITICAL: _ACK,
    R.EXPOSURE_CAP: _ACK,
    "emergency_latched": _ACK,
    R.AUTH_REJECTED: "gridops doctor",
    R.ENVIRONMENT_CHANGED: "gridops doctor",
    R.MODE_CHANGED: "gridops doctor",
    R.CLOCK_SKEW: "gridops doctor",
    R.INVARIANT_BROKEN: _SYNC,
    R.POSITION_MISMATCH: _SYNC,
    R.ORDERS_UNKNOWN: _SYNC,
    R.SYNC_FAILING: _SYNC,
    R.DEADMAN_PRESUMED_FIRED: _SYNC,
    R.OPERATOR_PAUSE: 'gridops fsm resume --reason "cause found"',
    R.DISARMED: "gridops run --armed",
    R.BOOT_STUCK: "gridops fsm show",
    "no_targets": "gridops run --dry-run",
    "venue_refuses": "gridops replay --explain -1",
    "out_of_reach": "gridops config show",
    "no_symbols": "gridops config show",
}
_MISMATCH_QUESTION = "truth"
_OF_LEVELS = frozenset(reason.value for reason in FsmReason)


def advice(question: str, reason: str, process: str) -> tuple[str, str, str]:
    """(setting, runbook step, command to paste) of a finding. The step is `page#heading`."""
    page = f"fsm#{reason}" if reason in _OF_LEVELS else f"triage#{question}"
    command = COMMANDS.get(reason, "")
    if not command:
        command = _SYNC if question == _MISMATCH_QUESTION else "gridops fsm show"
    if process == "dead" and command == _ACK:
        # Nobody is there to take an ack: the latch is carried into the next run, which waits for it.
        command = "gridops run"
    return SETTINGS.get(reason, ""), page, command
