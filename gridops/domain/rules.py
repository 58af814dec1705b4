"""The settings the decisions need, as frozen slices: the engine never sees a config file.

Fractions are parts of one, bps 1/10,000, cbps 1/1,000,000, times milliseconds. Money is in the settlement asset.
"""

from decimal import Decimal

from gridops.domain.values import record
from gridops.domain.vocabulary import FsmReason, OnBreach, StopMode


@record
class GridRules:
    levels: int = 10
    """Rungs on each side."""
    spacing_cbps: int = 200
    """Distance between rungs when volatility asks for less: 2 bps."""
    max_spacing_cbps: int = 10_000
    volatility_scaled: bool = True
    volatility_multiple_pct: int = 50
    """Spacing asked for by volatility = this share of one minute's standard deviation."""
    regime_scaled: bool = True
    first_level_pct: int = 50
    """Distance of the first rung from the mid, in percent of the spacing."""
    skew_pct: int = 50
    """At full inventory the centre moves against the position by this percent of (spacing x levels)."""
    refill_delay_ms: int = 1_000
    rung_fraction_bps: int = 100
    """Notional of one rung as a part of equity: 1 %."""
    rung_notional: Decimal = Decimal(0)
    """Fixed notional of a rung; 0 = sized from equity."""
    low_price: Decimal = Decimal(0)
    """Below it the grid pauses; 0 = no lower bound."""
    high_price: Decimal = Decimal(0)
    """Above it the grid pauses; 0 = no upper bound."""


@record
class RiskRules:
    symbol_cap: Decimal = Decimal("20000")
    """Worst-case exposure of a symbol."""
    account_cap: Decimal = Decimal("20000")
    max_order_notional: Decimal = Decimal("5000")
    max_pending: int = 40
    """Live and UNKNOWN orders of one symbol."""
    max_drawdown_bps: int = 500
    daily_drawdown_bps: int = 300
    drawdown_samples: int = 3
    margin_ratio_bps: int = 8_000
    """Maintenance margin over margin balance at which the account is in danger."""
    breach_exposure_pct: int = 125
    churn_per_hour: int = 6_000
    """Places and amends that raise exposure."""
    on_kill: OnBreach = OnBreach.FLATTEN
    on_drawdown: OnBreach = OnBreach.FLATTEN
    on_margin: OnBreach = OnBreach.FLATTEN
    on_exposure: OnBreach = OnBreach.REDUCE_TO_CAP


@record
class HealthRules:
    feed_stale_ms: int = 3_000
    user_stale_ms: int = 5_000
    mark_stale_ms: int = 5_000
    clock_skew_ms: int = 1_000
    filters_stale_ms: int = 3_600_000
    orders_unknown_max: int = 3
    orders_unknown_ms: int = 15_000
    loop_lag_ms: int = 1_000
    dwell_ms: int = 30_000
    boot_stuck_ms: int = 60_000
    sync_stale_ms: int = 90_000
    spread_mid_bps: int = 10
    spread_high_bps: int = 50
    spread_low_bps: int = 5
    alone_ms: int = 3_000
    """Time of being alone at a touch that counts as a spread of `spread_mid_bps`."""
    flat_stop_ms: int = 30_000
    kill_stop_ms: int = 60_000
    shadow: tuple[FsmReason, ...] = ()
    """Conditions that are recorded when they would have opened, and open nothing."""
    signals_live: bool = False
    """Whether an operator may set test signals in live mode."""


@record
class RouterRules:
    hold_band_pct: int = 100
    """An order is kept while it rests within this percent of the spacing around its target."""
    queue_gain_pct: int = 100
    """Share of a queue place's value that widens the band of an order at the touch."""
    hold_lots_pct: int = 20
    amend_supported: bool = True
    amend_headroom: int = 10
    """Stop amending this many before the venue's limit."""
    place_batch: int = 5
    amend_batch: int = 5
    cancel_batch: int = 10
    refusals_before_probe: int = 3
    refused_wait_ms: int = 250
    """After a refusal, until then: a few views of the market."""
    probe_ms: int = 60_000
    partial_settle_ms: int = 200


@record
class BudgetRules:
    weight_1m: int = 2_400
    orders_10s: int = 300
    orders_1m: int = 1_200
    reserve_pct: int = 20
    """Kept for cancels, reductions and truth."""
    low_pct: int = 70
    """Used share at which quoting is throttled."""


@record
class SyncRules:
    inflight_ms: int = 2_000
    open_orders_ms: int = 10_000
    positions_ms: int = 30_000
    positions_degraded_ms: int = 5_000
    income_ms: int = 60_000
    settle_ms: int = 2_000
    recv_window_ms: int = 3_000
    query_timeout_ms: int = 8_000
    confirm_reads: int = 2
    auto: tuple[str, ...] = ("import", "adopt")
    """Remedies the running engine carries out by itself; every other one waits for an operator."""


@record
class DeadmanRules:
    enabled: bool = True
    countdown_ms: int = 120_000
    beat_ms: int = 30_000
    margin_ms: int = 5_000


@record
class Rules:
    symbols: tuple[str, ...]
    """The whitelist; empty = nothing may be traded."""
    grid: GridRules = GridRules()
    risk: RiskRules = RiskRules()
    health: HealthRules = HealthRules()
    router: RouterRules = RouterRules()
    budget: BudgetRules = BudgetRules()
    sync: SyncRules = SyncRules()
    deadman: DeadmanRules = DeadmanRules()
    stop_mode: StopMode = StopMode.CANCEL
    throttle_spacing_pct: int = 150
    throttle_size_pct: int = 60
    sweep_price_bps: int = 50
    """How far through the mark a flattening slice may reach."""
    require_confirmed_fingerprint: bool = False
