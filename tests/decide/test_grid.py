"""The ladder is geometric, symmetric, passive, within the cap, and closes exactly the position, whatever the inputs."""

from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext

import pytest
from gridops.decide.grid import GridInputs, GridState, effective_spacing_cbps, ladder, respace, spacing_ticks
from gridops.decide.router_cases import SYMBOL, context
from gridops.domain.plan import Target
from gridops.domain.rules import GridRules
from gridops.domain.vocabulary import Regime, Side
from hypothesis import given
from hypothesis import strategies as st

INSTRUMENT = context().instrument


def inputs(**changes: object) -> GridInputs:
    plain = GridInputs(
        symbol=SYMBOL,
        instrument=INSTRUMENT,
        rules=GridRules(levels=5, spacing_cbps=2_000, first_level_pct=50, volatility_scaled=False),
        bid_ticks=599_999,
        ask_ticks=600_001,
        mark_ticks=600_000,
        position_lots=0,
        lots=10,
        cap_units=10**12,
        at_ms=0,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def side_of(targets: tuple[Target, ...], side: Side) -> list[Target]:
    return [one for one in targets if one.side is side]


def test_prices_are_the_formula_worked_out_in_decimal() -> None:
    """Sell k = mid (1 + s/2)(1 + s)^(k-1) rounded up, buy k = mid / the same rounded down."""
    targets = ladder(GridState(), inputs())[1]
    with localcontext() as exact:
        exact.prec = 50
        for rung in range(1, 6):
            factor = Decimal("1.001") * Decimal("1.002") ** (rung - 1)
            sell = int((600_000 * factor).to_integral_value(ROUND_CEILING))
            buy = int((600_000 / factor).to_integral_value(ROUND_FLOOR))
            by_level = {one.level: one.price_ticks for one in targets}
            assert (by_level[-rung], by_level[rung]) == (buy, sell)


def test_levels_are_numbered_outwards_and_carry_their_side() -> None:
    targets = ladder(GridState(), inputs())[1]
    assert [one.level for one in targets] == [-1, -2, -3, -4, -5, 1, 2, 3, 4, 5]
    assert all((one.level < 0) == (one.side is Side.BUY) for one in targets)


some_inputs = st.builds(
    lambda bid, spread, position, lots, cap, spacing, levels, pct, skew, allow, low: inputs(
        bid_ticks=bid,
        ask_ticks=bid + spread,
        mark_ticks=bid,
        position_lots=position,
        lots=max(lots, low),
        cap_units=cap * bid,
        allow_increase=allow,
        instrument=replace(INSTRUMENT, min_lots=low),
        rules=GridRules(levels=levels, spacing_cbps=spacing, first_level_pct=pct, skew_pct=skew),
    ),
    st.integers(200, 1_000_000),
    st.integers(1, 300),
    st.integers(-400, 400),
    st.integers(1, 60),
    st.integers(0, 600),
    st.integers(1, 10_000),
    st.integers(1, 25),
    st.integers(0, 150),
    st.integers(0, 200),
    st.booleans(),
    st.integers(1, 5),
)


@given(some_inputs)
def test_prices_are_passive_and_strictly_apart(what: GridInputs) -> None:
    targets = ladder(GridState(), what)[1]
    buys = [one.price_ticks for one in side_of(targets, Side.BUY)]
    sells = [one.price_ticks for one in side_of(targets, Side.SELL)]
    assert all(price <= what.bid_ticks for price in buys)
    assert all(price >= what.ask_ticks for price in sells)
    assert buys == sorted(set(buys), reverse=True)
    assert sells == sorted(set(sells))


@given(some_inputs)
def test_exposure_if_one_side_fills_stays_within_the_cap_or_shrinks(what: GridInputs) -> None:
    targets = ladder(GridState(), what)[1]
    for side in Side:
        mine = side_of(targets, side)
        worth = sum(one.lots * max(one.price_ticks, what.mark_ticks) for one in mine)
        reached = what.position_lots * side.sign * what.mark_ticks + worth
        opened = sum(one.lots for one in mine if not one.reduce_only)
        assert not opened or reached <= what.cap_units


@given(some_inputs)
def test_reduce_only_rungs_are_nearest_and_never_exceed_the_position(what: GridInputs) -> None:
    targets = ladder(GridState(), what)[1]
    for side in Side:
        mine = side_of(targets, side)
        flags = [one.reduce_only for one in mine]
        assert flags == sorted(flags, reverse=True), "closing rungs come before opening ones"
        closing = sum(one.lots for one in mine if one.reduce_only)
        assert closing <= max(0, -what.position_lots * side.sign)
        assert all(one.lots >= what.instrument.min_lots for one in mine if one.reduce_only)
    if not what.allow_increase:
        assert all(one.reduce_only for one in targets)


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (0, [(10, False), (10, False), (10, False)]),
        (4, [(4, True), (10, False), (10, False)]),
        (10, [(10, True), (10, False), (10, False)]),
        (25, [(10, True), (10, True), (5, True)]),
        (22, [(10, True), (12, True), (10, False)]),
        (2, [(10, False), (10, False), (10, False)]),
        (90, [(10, True), (10, True), (10, True)]),
    ],
)
def test_the_position_is_split_over_the_nearest_rungs(position: int, expected: list[tuple[int, bool]]) -> None:
    """Rungs of 10, smallest order 3: a rest below it joins the rung before, or stays with an opening rung."""
    what = inputs(
        position_lots=position,
        instrument=replace(INSTRUMENT, min_lots=3, min_notional=Decimal(0)),
        rules=GridRules(levels=3, volatility_scaled=False),
    )
    sells = side_of(ladder(GridState(), what)[1], Side.SELL)
    assert [(one.lots, one.reduce_only) for one in sells] == expected


def test_the_cap_drops_the_outer_rungs_first() -> None:
    what = inputs(cap_units=25 * 606_000, position_lots=0)
    buys = side_of(ladder(GridState(), what)[1], Side.BUY)
    assert [one.level for one in buys] == [-1, -2]


def test_a_long_position_moves_the_centre_down_by_the_stated_share() -> None:
    """Half the cap held, skew 50 %: half of half of (spacing x levels) = 0.25 x 1 % of 600,000 = 1,500 ticks."""
    flat = ladder(GridState(), inputs())[1]
    what = inputs(position_lots=500, cap_units=1_000 * 600_000)
    long = ladder(GridState(), what)[1]
    buy = {one.level: one.price_ticks for one in long}[-5]
    was = {one.level: one.price_ticks for one in flat}[-5]
    assert was - buy == pytest.approx(1_500, rel=0.02)


def test_a_rung_waits_for_its_refill_but_a_closing_rung_does_not() -> None:
    targets = ladder(GridState(), inputs(waits={-1: 777, 1: 888}, position_lots=10))[1]
    waits = {one.level: one.wait_until_ms for one in targets}
    assert (waits[-1], waits[1], waits[-2]) == (777, 0, 0)


def test_a_book_that_is_crossed_or_absent_gives_no_ladder() -> None:
    assert ladder(GridState(), inputs(bid_ticks=0))[1] == ()
    assert ladder(GridState(), inputs(bid_ticks=5, ask_ticks=5))[1] == ()


def volatile(minute_cbps: int | None, at_ms: int = 0, **changes: object) -> GridInputs:
    rules = GridRules(spacing_cbps=200, max_spacing_cbps=3_000, volatility_multiple_pct=50, regime_scaled=False)
    return inputs(rules=rules, volatility_cbps=minute_cbps, at_ms=at_ms, **changes)


@pytest.mark.parametrize(
    ("minute_cbps", "spacing"), [(None, 200), (100, 200), (1_000, 500), (5_999, 2_999), (90_000, 3_000)]
)
def test_spacing_is_half_a_minutes_deviation_between_its_limits(minute_cbps: int | None, spacing: int) -> None:
    assert respace(GridState(), volatile(minute_cbps)).spacing_cbps == spacing


def test_spacing_stays_until_it_is_a_quarter_off_and_ten_seconds_old() -> None:
    state = respace(GridState(), volatile(1_000))
    assert respace(state, volatile(1_250, 60_000)) is state
    assert respace(state, volatile(1_260, 9_999)) is state
    assert respace(state, volatile(1_260, 10_000)).spacing_cbps == 630
    assert respace(state, volatile(740, 10_000)).spacing_cbps == 370


def test_the_throttle_widens_at_once_and_leaves_no_trace() -> None:
    calm = volatile(1_000)
    state = respace(GridState(), calm)
    throttled = replace(calm, throttle_spacing_pct=150, throttle_size_pct=60)
    assert effective_spacing_cbps(state, throttled) == 750
    assert ladder(state, throttled)[0] is state
    assert {one.lots for one in ladder(state, throttled)[1]} == {6}


def test_spacing_is_never_less_than_a_tick() -> None:
    coarse = inputs(bid_ticks=99, ask_ticks=101, rules=GridRules(levels=2, spacing_cbps=10, volatility_scaled=False))
    assert spacing_ticks(GridState(10), coarse) == 1
    assert [one.price_ticks for one in ladder(GridState(), coarse)[1]] == [99, 98, 101, 102]


def test_a_regime_scales_spacing_and_size_when_it_may() -> None:
    rules = GridRules(levels=2, spacing_cbps=2_000, volatility_scaled=False)
    thin = inputs(regime=Regime.THIN, rules=rules)
    state, targets = ladder(GridState(), thin)
    assert state.spacing_cbps == 4_000
    assert {one.lots for one in targets} == {5}
    fixed = replace(thin, rules=replace(rules, regime_scaled=False))
    assert ladder(GridState(), fixed)[0].spacing_cbps == 2_000
