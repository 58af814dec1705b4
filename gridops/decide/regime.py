"""What kind of market it is: spread, volatility, trend and a thin book become one word, with hysteresis.

Below the grid policy, which takes spacing and size percentages from SCALES. It refuses to flap: a milder word waits for
the hold time and for the leave threshold, a harsher one does not wait.
"""

from dataclasses import dataclass, field
from itertools import pairwise

from gridops.domain.market import MarketView
from gridops.domain.values import record
from gridops.domain.vocabulary import Regime

WINDOW = 60
"""Mids kept, one a second."""
MIN_WINDOW = 20
HOLD_MS = 10_000
SAMPLE_MS = 1_000
GAP_MS = 5_000


@record
class Scale:
    """Percent of the spacing and of the size that the policy asks for."""

    spacing_pct: int = 100
    size_pct: int = 100


SCALES: dict[Regime, Scale] = {
    Regime.UNKNOWN: Scale(),
    Regime.CALM: Scale(),
    Regime.NORMAL: Scale(),
    Regime.TREND: Scale(spacing_pct=150, size_pct=70),
    Regime.VOLATILE: Scale(spacing_pct=150, size_pct=50),
    Regime.THIN: Scale(spacing_pct=200, size_pct=50),
}


@record
class Thresholds:
    """A regime is entered at or beyond `enter_*` and left below `leave_*` (for calm the other way round)."""

    enter_thin_cbps: int = 1_000
    """Spread of 10 bps."""
    leave_thin_cbps: int = 500
    enter_thin_pct: int = 100
    """Smaller side of the touch, in percent of one rung."""
    leave_thin_pct: int = 200
    enter_volatile_cbps: int = 2_000
    """Deviation of one minute: 20 bps. The lively half of the recordings stays near 5."""
    leave_volatile_cbps: int = 1_400
    enter_trend_pct: int = 60
    """Net displacement over path of the last minute."""
    leave_trend_pct: int = 40
    trend_cbps: int = 300
    """A smaller net displacement than 3 bps is no trend."""
    enter_calm_cbps: int = 150
    leave_calm_cbps: int = 250


DEFAULTS = Thresholds()
_HARSH = (Regime.THIN, Regime.VOLATILE, Regime.TREND)


@dataclass(slots=True)
class RegimeState:
    """Serialisable. Only `classify` changes it."""

    regime: Regime = Regime.UNKNOWN
    since_ms: int = 0
    last_ms: int = 0
    touch_lots: int = 0
    """Smaller side of the touch, averaged over about ten samples."""
    mids: list[int] = field(default_factory=list)


def classify(
    state: RegimeState,
    view: MarketView,
    minute_cbps: int | None,
    *,
    at_ms: int,
    rung_lots: int = 0,
    thresholds: Thresholds = DEFAULTS,
) -> Regime:
    """Fold one view in and name the regime. `at_ms` is venue time; `minute_cbps` comes from `volatility`."""
    if view.has_book:
        _sample(state, view, at_ms)
    wanted = _wanted(state, view, minute_cbps, rung_lots, thresholds)
    if wanted is not state.regime and (_harsher(wanted, state.regime) or at_ms - state.since_ms >= HOLD_MS):
        state.regime = wanted
        state.since_ms = at_ms
    return state.regime


def _sample(state: RegimeState, view: MarketView, at_ms: int) -> None:
    gap_ms = at_ms - state.last_ms
    if state.last_ms and gap_ms < SAMPLE_MS:
        return
    if gap_ms > GAP_MS:
        state.mids.clear()
        state.touch_lots = 0
    state.last_ms = at_ms
    state.mids.append(view.mid2_ticks)
    if len(state.mids) > WINDOW:
        del state.mids[0]
    touch = min(view.bid_lots, view.ask_lots)
    state.touch_lots = touch if not state.touch_lots else (state.touch_lots * 9 + touch) // 10


def _wanted(
    state: RegimeState, view: MarketView, minute_cbps: int | None, rung_lots: int, limits: Thresholds
) -> Regime:
    if not view.has_book or len(state.mids) < MIN_WINDOW or minute_cbps is None:
        return Regime.UNKNOWN
    if _thin(state, view, rung_lots, limits):
        return Regime.THIN
    was = state.regime
    if minute_cbps >= (limits.leave_volatile_cbps if was is Regime.VOLATILE else limits.enter_volatile_cbps):
        return Regime.VOLATILE
    if _trending(state.mids, limits.leave_trend_pct if was is Regime.TREND else limits.enter_trend_pct, limits):
        return Regime.TREND
    if minute_cbps < (limits.leave_calm_cbps if was is Regime.CALM else limits.enter_calm_cbps):
        return Regime.CALM
    return Regime.NORMAL


def _thin(state: RegimeState, view: MarketView, rung_lots: int, limits: Thresholds) -> bool:
    inside = state.regime is Regime.THIN
    spread_cbps = (view.ask_ticks - view.bid_ticks) * 2_000_000 // view.mid2_ticks
    if view.ask_ticks - view.bid_ticks > 1 and spread_cbps >= (
        limits.leave_thin_cbps if inside else limits.enter_thin_cbps
    ):
        return True
    return state.touch_lots * 100 < rung_lots * (limits.leave_thin_pct if inside else limits.enter_thin_pct)


def _trending(mids: list[int], efficiency_pct: int, limits: Thresholds) -> bool:
    net = abs(mids[-1] - mids[0])
    if net * 1_000_000 < limits.trend_cbps * mids[0]:
        return False
    path = sum(abs(later - earlier) for earlier, later in pairwise(mids))
    return net * 100 >= path * efficiency_pct


def _harsher(wanted: Regime, current: Regime) -> bool:
    if current is Regime.UNKNOWN or wanted is Regime.UNKNOWN:
        return True
    return wanted in _HARSH and (current not in _HARSH or _HARSH.index(wanted) < _HARSH.index(current))
