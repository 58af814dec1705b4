"""What health judges: the newest facts about account, symbols and process, as times rather than ages.

Kept and filled by `runtime.observe`; every default says "unknown", and unknown is never healthy. Times are ms of the
boot clock. It holds no thresholds and draws no conclusion.
"""

from dataclasses import dataclass, field

from gridops.domain.vocabulary import FsmReason, Severity


@dataclass(slots=True, kw_only=True)
class SymbolFacts:
    symbol: str
    book_seen_ms: int | None = None
    """Receipt of the newest top of book. Trades are no sign of life: a quiet market has none."""
    book_lag_ms: int = 0
    """Venue time at that receipt minus the event's own time: an old event that just came in is old."""
    mark_seen_ms: int | None = None
    mark_lag_ms: int = 0
    book_valid: bool = False
    spread_cbps: int | None = None
    touch_alone: bool = False
    """Own orders alone have made a touch for a while: the market's own spread is wider than the one shown."""
    mismatch: Severity | None = None
    """Worst confirmed, open position mismatch: WARN freezes the symbol, CRITICAL degrades the account."""
    mismatch_detail: str = ""
    out_of_range: bool = False
    deadman_fired: bool = False
    """Presumed fired and not yet re-armed."""
    wce_units: int = 0
    """Worst-case exposure now, in ticks x lots."""
    cap_units: int = 0
    """0 = no cap known, which counts as exceeded by any exposure."""
    filled_units: int | None = None
    """|position| of the newest venue read x mark."""


@dataclass(slots=True, kw_only=True)
class HealthFacts:
    symbols: list[SymbolFacts] = field(default_factory=list)
    kill_latched: bool = False
    drawdown_latched: bool = False
    daily_drawdown: bool = False
    day_ends_ms: int | None = None
    """When the UTC day rolls, on the boot clock."""
    margin_ratio_bps: int | None = None
    """Maintenance margin over margin balance by venue figures; None before any read."""
    stop: FsmReason | None = None
    """OPERATOR_STOP, SIGNAL or MARKET_ENDED once asked for."""
    operator_pause: str = ""
    """Author and reason of the pause in force; empty = none."""
    ack_requested: bool = False
    """Only during the step of the operator's ack."""
    ack_accepts_position: bool = False
    flat_read_ms: int | None = None
    """Start of the newest venue read that showed no position in any symbol of ours."""
    user_up: bool = False
    user_since_ms: int | None = None
    """When the user stream last went up or down; None = never up."""
    clock_offset_ms: int | None = None
    filters_ms: int | None = None
    """When the instrument rules were last read."""
    orders_unknown: int = 0
    """Orders whose fate the venue said nothing of."""
    unknown_since_ms: int | None = None
    """Since when the oldest order in doubt has been so; one that the venue would not change counts here too."""
    reconcile_started_ms: int | None = None
    """Of the newest full reconcile of this boot that succeeded."""
    reconcile_ended_ms: int | None = None
    journal_ok: bool = False
    disk_ok: bool = True
    evidence_ok: bool = True
    lease_held: bool = False
    lease_until_ms: int | None = None
    foreign_writer: bool = False
    banned_until_ms: int | None = None
    auth_rejected: bool = False
    venue_failures: int = 0
    """Failed or unanswered calls in a row."""
    fingerprint_ok: bool = False
    modes_ok: bool | None = None
    """One-way, single-asset, cross, may trade; None before any read."""
    resumed: bool = False
    """The process was suspended, and no full reconcile has started and succeeded since."""
    loop_lag_ms: int = 0
    loop_lag_seen_ms: int | None = None
    invariant_broken: str = ""
    armed: bool = False
    leader: bool = False
    feeds_ready: bool = False
    """Every symbol has a view and the policy is warm."""
    toxicity: int | None = None
    """The signal of that name, 0..3 scaled by 1,000; None when absent or expired."""
    loss_streak: bool = False
    maintenance: bool = False
    signals_expire_ms: int | None = None
    """Earliest expiry of a signal used above."""
    account_wce: int = 0
    """Micro-units of the settlement asset, as is `account_cap`."""
    account_cap: int = 0
    budget_used_pct: int = 0
    budget_frees_ms: int | None = None
    """When the used share next falls by itself."""
