"""Which conditions the facts show now, each with its figures: one line per condition, nothing remembered.

The lower half of `health`. A threshold is reached at `>=`, and `next_change_ms` names the moments at which time alone
reaches one, so a deadline and its condition stand beside each other. It opens no level and asserts no event.
"""

from gridops.decide.health_facts import HealthFacts, SymbolFacts
from gridops.decide.levels import ACCOUNT, Levels, level_key
from gridops.domain.rules import HealthRules, Rules
from gridops.domain.vocabulary import FsmReason, Severity

VENUE_FAILURES = 5
"""This many failed calls in a row and the venue counts as down."""
TOXICITY_MID, TOXICITY_HIGH = 1_000, 2_000
TOXICITY_LOW = 800
"""Below the MID trigger, so that a value on the trigger does not flap."""
BUDGET_BAND_PCT = 20
"""A low budget is back only this far below its trigger."""

R = FsmReason
Found = dict[tuple[FsmReason, str], str]
"""(reason, scope) -> detail of every condition that is true."""


def find(facts: HealthFacts, levels: Levels, now_ms: int, rules: Rules) -> Found:
    """Every condition that is true now. `levels` are read for hysteresis only."""
    found: Found = {}
    _operator(facts, found)
    _danger(facts, found, rules)
    _account(facts, found, now_ms, rules.health)
    _venue(facts, found, now_ms)
    _process(facts, found, now_ms, rules.health)
    for symbol in facts.symbols:
        _feed(symbol, found, now_ms, rules.health)
        _symbol(symbol, found)
        _spread(symbol, found, levels, rules.health)
    _market(facts, found, levels, rules)
    _readiness(facts, found)
    return found


def next_change_ms(facts: HealthFacts, now_ms: int, rules: Rules) -> int | None:
    """Earliest moment after now at which `find` could answer differently without a new input."""
    health = rules.health
    times = [
        facts.lease_until_ms,
        facts.banned_until_ms,
        facts.day_ends_ms,
        facts.signals_expire_ms,
        facts.budget_frees_ms,
        _plus(facts.filters_ms, health.filters_stale_ms),
        _plus(facts.unknown_since_ms, health.orders_unknown_ms),
        _plus(facts.reconcile_ended_ms, health.sync_stale_ms),
        _plus(facts.loop_lag_seen_ms, health.loop_lag_ms),
    ]
    if not facts.user_up:
        times.append(_plus(facts.user_since_ms, health.user_stale_ms))
    for symbol in facts.symbols:
        times.append(_plus(symbol.book_seen_ms, health.feed_stale_ms - max(0, symbol.book_lag_ms)))
        times.append(_plus(symbol.mark_seen_ms, health.mark_stale_ms - max(0, symbol.mark_lag_ms)))
    return min([time for time in times if time is not None and time > now_ms], default=None)


def feed_deadline_ms(symbol: SymbolFacts, rules: HealthRules) -> int | None:
    """When the first of the symbol's feeds goes stale if nothing more arrives; None when one never came."""
    book_ms = _plus(symbol.book_seen_ms, rules.feed_stale_ms - max(0, symbol.book_lag_ms))
    mark_ms = _plus(symbol.mark_seen_ms, rules.mark_stale_ms - max(0, symbol.mark_lag_ms))
    return None if book_ms is None or mark_ms is None else min(book_ms, mark_ms)


def _plus(since_ms: int | None, limit_ms: int) -> int | None:
    return None if since_ms is None else since_ms + limit_ms


def _operator(facts: HealthFacts, found: Found) -> None:
    if facts.kill_latched:
        found[R.KILL_SWITCH, ACCOUNT] = "the kill switch is latched"
    if facts.stop is not None:
        found[facts.stop, ACCOUNT] = "asked to stop"
    if facts.operator_pause:
        found[R.OPERATOR_PAUSE, ACCOUNT] = facts.operator_pause


def _danger(facts: HealthFacts, found: Found, rules: Rules) -> None:
    if facts.drawdown_latched:
        found[R.DRAWDOWN, ACCOUNT] = f"drawdown confirmed, limit {rules.risk.max_drawdown_bps} bps"
    if facts.daily_drawdown:
        found[R.DAILY_DRAWDOWN, ACCOUNT] = f"daily limit {rules.risk.daily_drawdown_bps} bps, until the UTC day rolls"
    ratio = facts.margin_ratio_bps
    if ratio is not None and ratio >= rules.risk.margin_ratio_bps:
        found[R.MARGIN_CRITICAL, ACCOUNT] = f"margin ratio {ratio} bps >= {rules.risk.margin_ratio_bps}"
    for symbol in facts.symbols:
        if _over_cap(symbol, rules.risk.breach_exposure_pct):
            figures = f"{symbol.symbol} filled {symbol.filled_units} units, cap {symbol.cap_units}"
            found.setdefault((R.EXPOSURE_CAP, ACCOUNT), figures)


def _over_cap(symbol: SymbolFacts, pct: int) -> bool:
    """By a venue read only: an account whose position was never read is not in breach, it is untrusted."""
    return symbol.filled_units is not None and symbol.filled_units * 100 > symbol.cap_units * pct


def _account(facts: HealthFacts, found: Found, now_ms: int, rules: HealthRules) -> None:
    if not facts.user_up and (facts.user_since_ms is None or now_ms - facts.user_since_ms >= rules.user_stale_ms):
        found[R.USER_STREAM_LOST, ACCOUNT] = _age("user stream down", facts.user_since_ms, now_ms)
    if facts.clock_offset_ms is None or abs(facts.clock_offset_ms) >= rules.clock_skew_ms:
        found[R.CLOCK_SKEW, ACCOUNT] = f"clock offset {facts.clock_offset_ms} ms, limit {rules.clock_skew_ms}"
    if _older(facts.filters_ms, rules.filters_stale_ms, now_ms):
        found[R.FILTERS_STALE, ACCOUNT] = _age("instrument rules", facts.filters_ms, now_ms)
    if facts.orders_unknown >= rules.orders_unknown_max:
        found[R.ORDERS_UNKNOWN, ACCOUNT] = f"{facts.orders_unknown} orders unknown"
    elif facts.unknown_since_ms is not None and _older(facts.unknown_since_ms, rules.orders_unknown_ms, now_ms):
        found[R.ORDERS_UNKNOWN, ACCOUNT] = _age("oldest unknown order", facts.unknown_since_ms, now_ms)
    if _older(facts.reconcile_ended_ms, rules.sync_stale_ms, now_ms):
        found[R.SYNC_FAILING, ACCOUNT] = _age("full reconcile", facts.reconcile_ended_ms, now_ms)
    for symbol in facts.symbols:
        if symbol.mismatch is Severity.CRITICAL:
            found.setdefault((R.POSITION_MISMATCH, ACCOUNT), f"{symbol.symbol} {symbol.mismatch_detail}")


def _venue(facts: HealthFacts, found: Found, now_ms: int) -> None:
    if facts.banned_until_ms is not None and now_ms < facts.banned_until_ms:
        found[R.RATE_BANNED, ACCOUNT] = "the venue bans this address"
    if facts.auth_rejected:
        found[R.AUTH_REJECTED, ACCOUNT] = "key or signature refused"
    if facts.venue_failures >= VENUE_FAILURES:
        found[R.VENUE_DOWN, ACCOUNT] = f"{facts.venue_failures} calls failed in a row"
    if not facts.fingerprint_ok:
        found[R.ENVIRONMENT_CHANGED, ACCOUNT] = "venue, account or key is not the one this journal is bound to"
    if facts.modes_ok is not True:
        found[R.MODE_CHANGED, ACCOUNT] = "account modes " + ("unknown" if facts.modes_ok is None else "not supported")
    if facts.foreign_writer:
        found[R.FOREIGN_WRITER, ACCOUNT] = "an order with our tag and a newer epoch exists"


def _process(facts: HealthFacts, found: Found, now_ms: int, rules: HealthRules) -> None:
    if not facts.lease_held or facts.lease_until_ms is None or now_ms >= facts.lease_until_ms:
        found[R.LEASE_LOST, ACCOUNT] = "the lease is not held"
    if not facts.journal_ok:
        found[R.JOURNAL_FAILED, ACCOUNT] = "the journal cannot commit"
    if not facts.evidence_ok:
        found[R.EVIDENCE_FAILED, ACCOUNT] = "evidence bundles cannot be written"
    if not facts.disk_ok:
        found[R.DISK_LOW, ACCOUNT] = "disk space is low"
    if facts.resumed:
        found[R.RESUMED, ACCOUNT] = "the process was suspended"
    seen_ms = facts.loop_lag_seen_ms
    if facts.loop_lag_ms >= rules.loop_lag_ms and seen_ms is not None and now_ms - seen_ms < rules.loop_lag_ms:
        found[R.LOOP_LAG, ACCOUNT] = f"the loop lagged {facts.loop_lag_ms} ms, limit {rules.loop_lag_ms}"
    if facts.invariant_broken:
        found[R.INVARIANT_BROKEN, ACCOUNT] = facts.invariant_broken


def _feed(symbol: SymbolFacts, found: Found, now_ms: int, rules: HealthRules) -> None:
    if _older(symbol.book_seen_ms, rules.feed_stale_ms - max(0, symbol.book_lag_ms), now_ms):
        found[R.FEED_STALE, symbol.symbol] = _age("book", symbol.book_seen_ms, now_ms)
    elif _older(symbol.mark_seen_ms, rules.mark_stale_ms - max(0, symbol.mark_lag_ms), now_ms):
        found[R.FEED_STALE, symbol.symbol] = _age("mark price", symbol.mark_seen_ms, now_ms)
    if not symbol.book_valid:
        found[R.BOOK_INVALID, symbol.symbol] = "the book is empty or crossed"


def _symbol(symbol: SymbolFacts, found: Found) -> None:
    if symbol.mismatch is Severity.WARN:
        found[R.POSITION_MISMATCH, symbol.symbol] = symbol.mismatch_detail
    if symbol.deadman_fired:
        found[R.DEADMAN_PRESUMED_FIRED, symbol.symbol] = "the dead-man switch has probably cancelled every order"
    if symbol.out_of_range:
        found[R.OUT_OF_RANGE, symbol.symbol] = "the price left the grid's range"
    if symbol.wce_units > symbol.cap_units:
        found[R.EXPOSURE_HIGH, symbol.symbol] = f"worst case {symbol.wce_units} units, cap {symbol.cap_units}"


def _spread(symbol: SymbolFacts, found: Found, levels: Levels, rules: HealthRules) -> None:
    bands = (rules.spread_low_bps * 100, rules.spread_mid_bps * 100, rules.spread_high_bps * 100)
    spread, what = symbol.spread_cbps, "spread in cbps"
    if symbol.touch_alone and spread is not None and spread < bands[1]:
        # Own orders hide how far the next one of the market is.
        spread, what = bands[1], "alone at the touch, spread in cbps at least"
    _band(spread, bands, symbol.symbol, what, found, levels)


def _market(facts: HealthFacts, found: Found, levels: Levels, rules: Rules) -> None:
    if facts.toxicity is not None:
        bands = (TOXICITY_LOW, TOXICITY_MID, TOXICITY_HIGH)
        _band(facts.toxicity, bands, ACCOUNT, "toxicity x 1000", found, levels)
    if facts.loss_streak:
        found[R.LOSS_STREAK, ACCOUNT] = "the loss streak signal is on"
    if facts.maintenance:
        found[R.MAINTENANCE, ACCOUNT] = "the venue announced maintenance"
    if facts.account_wce > facts.account_cap:
        found[R.EXPOSURE_HIGH, ACCOUNT] = f"worst case {facts.account_wce} micro, cap {facts.account_cap}"
    trigger = rules.budget.low_pct
    if levels and level_key(R.RATE_BUDGET_LOW, ACCOUNT) in levels:
        trigger -= BUDGET_BAND_PCT
    if facts.budget_used_pct >= trigger:
        found[R.RATE_BUDGET_LOW, ACCOUNT] = f"{facts.budget_used_pct} % of a rate budget used"


def _band(value: int | None, bands: tuple[int, int, int], scope: str, what: str, found: Found, levels: Levels) -> None:
    """Opens at MID or HIGH, closes only in LOW; an unknown value keeps what is open."""
    low, mid, high = bands
    for reason, trigger in ((R.TOXICITY_MID, mid), (R.TOXICITY_HIGH, high)):
        if value is not None and value < low:
            continue
        if (value is not None and value >= trigger) or (levels and level_key(reason, scope) in levels):
            found[reason, scope] = f"{what}: {value}"


def _readiness(facts: HealthFacts, found: Found) -> None:
    if not facts.armed:
        found[R.DISARMED, ACCOUNT] = "not armed"
    if not facts.leader:
        found[R.FOLLOWER, ACCOUNT] = "follows another instance"
    if not facts.feeds_ready:
        found[R.FEEDS_NOT_READY, ACCOUNT] = "waits for the first view of every symbol"


def _older(since_ms: int | None, limit_ms: int, now_ms: int) -> bool:
    """Never received is older than any limit."""
    return since_ms is None or now_ms - since_ms >= limit_ms


def _age(what: str, since_ms: int | None, now_ms: int) -> str:
    return f"{what}: never" if since_ms is None else f"{what}: {now_ms - since_ms} ms"
