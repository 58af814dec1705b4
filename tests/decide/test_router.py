"""What must hold for every plan: the quick way equals the table, amends are legal, quiet ticks stay quiet."""

import random
from dataclasses import replace

import pytest
from gridops.decide.grid import GridInputs, GridState, ladder, spacing_ticks
from gridops.decide.route_context import RouteContext
from gridops.decide.router import route
from gridops.decide.router_cases import NOW_MS, context, order, target
from gridops.domain.orders import Order
from gridops.domain.plan import Plan, Target
from gridops.domain.rules import GridRules
from gridops.domain.vocabulary import Decision, OpKind, OrderType, RouterReason, Side
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples

seeds = st.integers(0, 2**32)


def inputs(bid: int, ask: int, position: int = 0, spacing: int = 2_000, levels: int = 6) -> GridInputs:
    ctx = context()
    return GridInputs(
        symbol=ctx.symbol,
        instrument=ctx.instrument,
        rules=GridRules(levels=levels, spacing_cbps=spacing, volatility_scaled=False),
        bid_ticks=bid,
        ask_ticks=ask,
        mark_ticks=(bid + ask) // 2,
        position_lots=position,
        lots=100,
        cap_units=100_000_000,
        at_ms=NOW_MS,
    )


def placed(targets: tuple[Target, ...]) -> list[Order]:
    """The orders that rest when every target was set."""
    return [order(f"o{one.level}", one.level, one.price_ticks, one.lots, ro=one.reduce_only) for one in targets]


def context_of(what: GridInputs) -> RouteContext:
    return context(
        bid_ticks=what.bid_ticks,
        ask_ticks=what.ask_ticks,
        mark_ticks=what.mark_ticks,
        position_lots=what.position_lots,
        venue_position_lots=what.position_lots,
        spacing_ticks=spacing_ticks(GridState(what.rules.spacing_cbps), what),
    )


def random_case(seed: int) -> tuple[list[Target], list[Order], RouteContext]:
    chance = random.Random(seed)
    position = chance.choice((0, 0, 250, -130))
    what = inputs(9_999, 10_001, position)
    targets = list(ladder(GridState(), what)[1])
    orders = []
    for one in placed(tuple(targets)):
        if chance.random() < 0.15:
            continue
        one.price_ticks += chance.randrange(-30, 31) * (chance.random() < 0.6)
        one.lots = max(1, one.lots + chance.randrange(-40, 41) * (chance.random() < 0.4))
        if chance.random() < 0.2 and one.lots > 1:
            one.filled_lots = chance.randrange(1, one.lots)
            one.filled_ms = NOW_MS - chance.choice((50, 5_000))
        orders.append(one)
    chance.shuffle(orders)
    return targets, orders, context_of(what)


@given(seeds)
@settings(max_examples=examples(200), deadline=None)
def test_the_quick_way_gives_the_same_plan_as_the_table(seed: int) -> None:
    targets, orders, ctx = random_case(seed)
    quick = route(targets, orders, ctx)
    slow = route(targets, orders, replace(ctx, orphans=frozenset({"nobody"})))
    assert sorted(map(repr, quick.choices)) == sorted(map(repr, slow.choices))
    assert quick.ops == slow.ops
    assert (quick.quiet_low_mid2, quick.quiet_high_mid2) == (slow.quiet_low_mid2, slow.quiet_high_mid2)


@given(seeds)
@settings(max_examples=examples(200), deadline=None)
def test_neither_the_order_of_the_orders_nor_a_second_run_changes_a_plan(seed: int) -> None:
    targets, orders, ctx = random_case(seed)
    before = repr(orders)
    first = route(targets, orders, ctx)
    assert route(targets, orders, ctx) == first
    assert repr(orders) == before
    assert route(targets, list(reversed(orders)), ctx) == first


@given(seeds)
@settings(max_examples=examples(300), deadline=None)
def test_every_amend_is_one_the_venue_takes(seed: int) -> None:
    """Venue rules 5.1: a limit order, something changes, the total exceeds what has filled, post-only stays passive."""
    targets, orders, ctx = random_case(seed)
    by_id = {one.client_id: one for one in orders}
    plan = route(targets, orders, ctx)
    amended = [op for op in plan.ops if op.kind is OpKind.AMEND]
    for op in amended:
        was = by_id[op.client_id]
        assert was.order_type is OrderType.LIMIT
        assert (op.side, op.reduce_only, op.tif) == (was.side, was.reduce_only, was.tif)
        assert (op.price_ticks, op.lots) != (was.price_ticks, was.lots)
        assert op.lots > was.filled_lots
        assert op.price_ticks < ctx.ask_ticks if op.side is Side.BUY else op.price_ticks > ctx.bid_ticks
    assert len({op.client_id for op in amended}) == len(amended)


@given(seeds)
@settings(max_examples=examples(200), deadline=None)
def test_every_level_and_every_order_is_decided_once(seed: int) -> None:
    targets, orders, ctx = random_case(seed)
    plan = route(targets, orders, ctx)
    named = [choice.client_id for choice in plan.choices if choice.client_id]
    assert sorted(named) == sorted(one.client_id for one in orders)
    wanted = [choice.level for choice in plan.choices if choice.reason is not RouterReason.SURPLUS_LEVEL]
    assert sorted(wanted) == sorted(one.level for one in targets)


@given(seeds)
@settings(max_examples=examples(150), deadline=None)
def test_a_carried_out_plan_leaves_nothing_to_do(seed: int) -> None:
    """Sent, confirmed and routed again, at most three times (pairs and room take a turn each), every level rests."""
    targets, orders, ctx = random_case(seed)
    for one in orders:
        one.filled_ms = 1 if one.filled_lots else 0
    for _ in range(3):
        plan = route(targets, orders, ctx)
        orders = carried_out(plan, orders)
    done = route(targets, orders, ctx)
    assert done.ops == ()
    assert all(choice.decision is Decision.NOOP for choice in done.choices)


def carried_out(plan: Plan, orders: list[Order]) -> list[Order]:
    left = {one.client_id: one for one in orders}
    for op in plan.ops:
        if op.after:
            continue
        if op.kind is OpKind.CANCEL:
            del left[op.client_id]
        elif op.kind is OpKind.AMEND:
            left[op.client_id].price_ticks, left[op.client_id].lots = op.price_ticks, op.lots
        else:
            name = f"n{len(left)}x{op.level}x{op.price_ticks}"
            left[name] = order(name, op.level, op.price_ticks, op.lots, side=op.side, ro=op.reduce_only)
    return list(left.values())


@given(seeds)
@settings(max_examples=examples(200), deadline=None)
def test_inside_the_quiet_range_the_plan_stands(seed: int) -> None:
    """Move the book anywhere in the range, make the ladder anew, route anew: still nothing to do."""
    chance = random.Random(seed)
    spacing, position = chance.choice((200, 700, 2_000, 9_000)), chance.choice((0, 150, -220))
    start = inputs(99_999, 100_001, position, spacing)
    state, targets = ladder(GridState(), start)
    orders = placed(targets)
    for one in orders:
        one.price_ticks += chance.randrange(-3, 4)
    plan = route(targets, orders, context_of(start))
    if plan.ops:
        return
    low, high = plan.quiet_low_mid2, plan.quiet_high_mid2
    for mid2 in {low, high, chance.randrange(low, high + 1)}:
        bid = (mid2 - 1) // 2
        moved = inputs(bid, mid2 - bid, position, spacing)
        ctx = replace(context_of(moved), spacing_ticks=context_of(start).spacing_ticks)
        again = route(ladder(state, moved)[1], orders, ctx)
        assert again.ops == (), f"seed {seed}: {mid2} in [{low}, {high}]"
        assert {choice.decision for choice in again.choices} == {Decision.NOOP}


def test_the_quiet_range_is_wide_enough_for_quiet_ticks() -> None:
    start = inputs(99_999, 100_001, 0, 2_000)
    targets = ladder(GridState(), start)[1]
    plan = route(targets, placed(targets), context_of(start))
    assert plan.quiet_high_mid2 - 200_000 > 200, "a tenth of a spacing of 200 ticks is the least that helps"
    assert 200_000 - plan.quiet_low_mid2 > 200


def test_the_runner_up_of_an_amend_is_the_dearer_replacement() -> None:
    plan = route([target(-1, 9_900, 100)], [order("a", -1, 9_990, 100)], context())
    (choice,) = plan.choices
    assert choice.decision is Decision.AMEND
    assert choice.runner_up is Decision.CANCEL_REPLACE
    assert choice.runner_up_cost is not None
    assert (choice.cost.calls, choice.runner_up_cost.calls) == (1, 2)
    assert (choice.cost.bare_ms, choice.runner_up_cost.bare_ms > 0) == (0, True)


def test_a_held_order_shows_the_amend_it_was_spared() -> None:
    (choice,) = route([target(-1, 9_985, 100)], [order("a", -1, 9_990, 100)], context()).choices
    assert choice.reason is RouterReason.WITHIN_HOLD_BAND
    assert (choice.cost.calls, choice.runner_up) == (0, Decision.AMEND)
    assert choice.runner_up_cost is not None and choice.runner_up_cost.queue_lots == 100


@pytest.mark.parametrize("sign", [-1, 1], ids=["short", "long"])
def test_an_order_kept_with_a_lot_too_many_gives_it_to_a_rung_that_finds_no_room(sign: int) -> None:
    """Rungs of 5 and 6 want all of a position of 11, and the one that rests holds 6 of them inside its band."""

    def held(lots: int) -> RouteContext:
        return context(position_lots=sign * lots, venue_position_lots=sign * lots)

    near, far = 10_000 + 10 * sign, 10_000 + 20 * sign
    targets = [target(sign, near, 6, ro=True), target(2 * sign, far, 5, ro=True)]
    resting = order("a", 2 * sign, far, 6, ro=True)
    first = route(targets, [resting], held(11))
    assert [(op.kind, op.lots) for op in first.ops] == [(OpKind.AMEND, 5), (OpKind.PLACE, 6)]
    assert first.ops[1].after == (first.ops[0].index,)
    second = route(targets, [replace(resting, lots=5)], held(11))
    assert [(op.kind, op.level, op.lots) for op in second.ops] == [(OpKind.PLACE, sign, 6)]
    assert route(targets, [resting], held(12)).ops[0].kind is OpKind.PLACE, "there is room for both"


@pytest.mark.parametrize("shift", [-45, -25, 25, 45])
def test_a_ladder_that_moves_rolls_its_far_rungs_instead_of_moving_all(shift: int) -> None:
    """Spacing 20, band 20: after a move of one to two and a quarter spacings at most two rungs a side change."""
    targets = [target(-k, 9_990 - 20 * k + shift, 100) for k in range(1, 11)]
    targets += [target(k, 10_010 + 20 * k + shift, 100) for k in range(1, 11)]
    orders = [order(f"b{k}", -k, 9_990 - 20 * k, 100) for k in range(1, 11)]
    orders += [order(f"s{k}", k, 10_010 + 20 * k, 100) for k in range(1, 11)]
    plan = route(targets, orders, context(bid_ticks=9_999 + shift, ask_ticks=10_001 + shift, mark_ticks=10_000 + shift))
    assert 2 <= len(plan.ops) <= 2 * (abs(shift) // 20)
    assert {op.kind for op in plan.ops} == {OpKind.AMEND}


def test_a_level_deferred_while_a_slot_is_free_is_not_looked_at_every_millisecond() -> None:
    """The share of the rate that stops re-pricing is below the one that takes the last slot."""
    ctx = context(rate_low=True, budget_retry_ms=NOW_MS)
    plan = route([target(-1, 9_900, 100)], [order("a", -1, 9_990, 100)], ctx)
    assert [choice.reason for choice in plan.choices] == [RouterReason.DEFERRED_BUDGET]
    assert plan.wake_ms >= NOW_MS + 1_000
