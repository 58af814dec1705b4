"""The regime follows spread, touch, volatility and trend, harsher at once and milder only after the hold."""

from gridops.decide.regime import HOLD_MS, MIN_WINDOW, SCALES, RegimeState, classify
from gridops.domain.market import MarketView
from gridops.domain.vocabulary import Regime


def view(mid: int = 600_000, spread: int = 2, lots: int = 1_000) -> MarketView:
    return MarketView(
        symbol="X", bid_ticks=mid - spread // 2, ask_ticks=mid + spread // 2, bid_lots=lots, ask_lots=lots
    )


def settled(minute_cbps: int = 500) -> tuple[RegimeState, int]:
    """A state that has watched a flat market for a minute; and the time."""
    state = RegimeState()
    for second in range(60):
        classify(state, view(600_000 + second % 2), minute_cbps, at_ms=1_000 * second + 1_000)
    return state, 60_000


def watch(state: RegimeState, minute_cbps: int, *, after_ms: int, until_ms: int) -> Regime:
    for at_ms in range(after_ms + 500, until_ms + 1, 500):
        got = classify(state, view(), minute_cbps, at_ms=at_ms)
    return got


def test_every_regime_has_a_scale() -> None:
    assert set(SCALES) == set(Regime)
    assert all(scale.spacing_pct >= 100 and 0 < scale.size_pct <= 100 for scale in SCALES.values())


def test_too_little_history_is_unknown() -> None:
    state = RegimeState()
    for second in range(MIN_WINDOW - 1):
        assert classify(state, view(), 500, at_ms=1_000 * second + 1_000) is Regime.UNKNOWN
    assert classify(state, view(), 500, at_ms=1_000 * MIN_WINDOW) is Regime.NORMAL


def test_unknown_volatility_or_no_book_is_unknown() -> None:
    state, now = settled()
    assert classify(state, view(), None, at_ms=now + 1_000) is Regime.UNKNOWN
    state, now = settled()
    assert classify(state, MarketView(symbol="X"), 500, at_ms=now + 1_000) is Regime.UNKNOWN


def test_volatility_enters_at_its_threshold_and_leaves_below_a_lower_one() -> None:
    state, now = settled()
    assert classify(state, view(), 1_999, at_ms=now) is Regime.NORMAL
    assert classify(state, view(), 2_000, at_ms=now) is Regime.VOLATILE
    assert watch(state, 1_399, after_ms=now, until_ms=now + HOLD_MS - 500) is Regime.VOLATILE
    assert watch(state, 1_400, after_ms=now + HOLD_MS - 500, until_ms=now + HOLD_MS + 5_000) is Regime.VOLATILE
    assert classify(state, view(), 1_399, at_ms=now + HOLD_MS + 5_001) is Regime.NORMAL


def test_a_wide_spread_is_thin_at_once_and_beats_volatility() -> None:
    state, now = settled()
    classify(state, view(), 3_000, at_ms=now)
    assert classify(state, view(spread=602), 3_000, at_ms=now + 1) is Regime.THIN


def test_one_tick_is_never_a_wide_spread() -> None:
    state = RegimeState()
    for second in range(40):
        got = classify(state, MarketView(symbol="X", bid_ticks=100, ask_ticks=101, bid_lots=9, ask_lots=9), 500,
                       at_ms=1_000 * second + 1_000)  # fmt: skip
    assert got is Regime.NORMAL


def test_a_touch_smaller_than_a_rung_is_thin() -> None:
    state, now = settled()
    for second in range(40):
        got = classify(state, view(lots=5), 500, at_ms=now + 1_000 * second + 1_000, rung_lots=20)
    assert got is Regime.THIN


def test_a_straight_move_is_a_trend_and_a_zigzag_is_not() -> None:
    straight, zigzag = RegimeState(), RegimeState()
    for second in range(60):
        at_ms = 1_000 * second + 1_000
        up = classify(straight, view(600_000 + 20 * second), 500, at_ms=at_ms)
        none = classify(zigzag, view(600_000 + 20 * second + 150 * (second % 2)), 500, at_ms=at_ms)
    assert (up, none) == (Regime.TREND, Regime.NORMAL)


def test_a_quiet_market_is_calm_after_the_hold() -> None:
    state, now = settled()
    assert classify(state, view(), 149, at_ms=now) is Regime.CALM
    assert watch(state, 249, after_ms=now, until_ms=now + HOLD_MS) is Regime.CALM
    assert classify(state, view(), 250, at_ms=now + HOLD_MS + 1) is Regime.NORMAL
