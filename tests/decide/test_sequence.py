"""At every prefix of a plan, whatever is acknowledged, filled or unknown, exposure stays within its bounds.

The worlds are small and searched in full: every set of operations sent and confirmed that the `after` links allow, with
every single fill before it. Exposure, reduce-only sums and crossings are recomputed here from the state alone.
"""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from gridops.decide.route_context import RouteContext
from gridops.decide.router import route
from gridops.decide.router_cases import context, order, target
from gridops.decide.router_rules import Case, judge, shape
from gridops.decide.sequence import Exposure, make_move
from gridops.domain.orders import Order
from gridops.domain.plan import Op, Plan, Request, Target, Verdict
from gridops.domain.vocabulary import Gate, Intent, OpKind, Side
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples

MARK = 1_000


@dataclass(frozen=True, slots=True)
class Rest:
    """One order as it may stand at the venue."""

    side: Side
    price: int
    lots: int
    """Remaining."""
    reduce_only: bool


@dataclass(frozen=True, slots=True)
class World:
    targets: tuple[Target, ...]
    orders: tuple[Order, ...]
    ctx: RouteContext


def worst(position: int, rests: list[Rest]) -> int:
    """Worst-case exposure by its definition: either nothing more fills, or everything of one side does."""
    buys = sum(rest.lots * max(rest.price, MARK) for rest in rests if rest.side is Side.BUY)
    sells = sum(rest.lots * max(rest.price, MARK) for rest in rests if rest.side is Side.SELL)
    return max(abs(position) * MARK, position * MARK + buys, sells - position * MARK)


def reduce_only_lots(rests: list[Rest], side: Side) -> int:
    return sum(rest.lots for rest in rests if rest.reduce_only and rest.side is side)


def crossings(rests: list[Rest]) -> set[tuple[Rest, Rest]]:
    buys = [rest for rest in rests if rest.side is Side.BUY]
    sells = [rest for rest in rests if rest.side is Side.SELL]
    return {(buy, sell) for buy in buys for sell in sells if buy.price >= sell.price}


def outcomes(op: Op, origin: Order | None, filled: int, status: str) -> list[Rest]:
    """What may rest because of one operation: `sent` has no answer, so both its outcomes count."""
    old = [] if origin is None else _rest(origin, origin.price_ticks, origin.lots - filled)
    if op.kind is OpKind.CANCEL:
        return old if status != "confirmed" else []
    new = []
    left = op.lots - (filled if op.kind is OpKind.AMEND else 0)
    if left > 0:
        new = [Rest(op.side, op.price_ticks, left, op.reduce_only)]
    if status == "unsent":
        return old
    return new if status == "confirmed" else [*old, *new]


def _rest(origin: Order, price: int, lots: int) -> list[Rest]:
    return [Rest(origin.side, price, lots, origin.reduce_only)] if lots > 0 else []


def counted(alternatives: list[Rest]) -> list[Rest]:
    """Of two outcomes of one order only one can be true: for the sums the worse counts."""
    return [max(alternatives, key=lambda rest: (rest.lots * max(rest.price, MARK), rest.lots))] if alternatives else []


def statuses(ops: tuple[Op, ...]) -> Iterator[tuple[str, ...]]:
    """Every reachable assignment: an operation leaves only when all it waits for is confirmed."""
    for chosen in itertools.product(("unsent", "sent", "confirmed"), repeat=len(ops)):
        if all(
            status == "unsent" or all(chosen[index] == "confirmed" for index in op.after)
            for op, status in zip(ops, chosen, strict=True)
        ):
            yield chosen


def fills(orders: tuple[Order, ...]) -> Iterator[dict[str, int]]:
    yield {}
    for one in orders:
        for lots in {1, one.remaining // 2, one.remaining} - {0}:
            yield {one.client_id: lots}


def search(world: World, plan: Plan) -> int:
    """Check the law on every reachable state; the number of states looked at."""
    by_id = {one.client_id: one for one in world.orders}
    final = states(world, plan, tuple("confirmed" for _ in plan.ops), {}, by_id)
    start = states(world, plan, tuple("unsent" for _ in plan.ops), {}, by_id)
    position = world.ctx.position_lots
    before, after = worst(position, start[0]), worst(position, final[0])
    seen = 0
    for chosen in statuses(plan.ops):
        for filled in fills(world.orders):
            if leaves_after_a_surprise(plan, chosen, filled, by_id):
                continue
            seen += 1
            now = position + sum(lots * by_id[name].side.sign for name, lots in filled.items())
            sums, possible = states(world, plan, chosen, filled, by_id)
            where = f"{chosen} after {filled}: {plan.ops}"
            assert worst(now, sums) <= max(before, after), where
            assert worst(now, sums) <= max(before, world.ctx.limit_units), where
            if not filled:
                check_sides(world, start[0], sums, where)
            assert crossings(possible) <= crossings(start[1]) or filled, where
    assert plan.wce_before == before
    assert plan.wce_after == after
    return seen


def leaves_after_a_surprise(
    plan: Plan, chosen: tuple[str, ...], filled: dict[str, int], by_id: dict[str, Order]
) -> bool:
    """A cancel that came too late for a fill is not the confirmation that a waiting operation waits for."""
    for op, status in zip(plan.ops, chosen, strict=True):
        for index in op.after if status != "unsent" else ():
            first = plan.ops[index]
            lots = filled.get(first.client_id, 0)
            if lots and (first.kind is OpKind.CANCEL or by_id[first.client_id].filled_lots + lots >= first.lots):
                return True
    return False


def check_sides(world: World, start: list[Rest], sums: list[Rest], where: str) -> None:
    for side in Side:
        room = max(0, -world.ctx.position_lots * side.sign)
        allowed = max(room, reduce_only_lots(start, side))
        assert reduce_only_lots(sums, side) <= allowed, where
        count = sum(rest.side is side for rest in sums)
        wanted = sum(one.side is side for one in world.targets)
        assert count <= max(wanted, sum(rest.side is side for rest in start)), where


def states(
    world: World, plan: Plan, chosen: tuple[str, ...], filled: dict[str, int], by_id: dict[str, Order]
) -> tuple[list[Rest], list[Rest]]:
    """Orders as they count in the sums, and every price at which one may rest."""
    sums: list[Rest] = []
    possible: list[Rest] = []
    touched = set()
    for op, status in zip(plan.ops, chosen, strict=True):
        origin = by_id.get(op.client_id)
        done = 0 if origin is None else origin.filled_lots + filled.get(op.client_id, 0)
        alternatives = outcomes(op, origin, done, status)
        sums += counted(alternatives)
        possible += alternatives
        touched.add(op.client_id)
    for one in world.orders:
        if one.client_id not in touched:
            rest = _rest(one, one.price_ticks, one.remaining - filled.get(one.client_id, 0))
            sums += rest
            possible += rest
    return sums, possible


def refuse_over_cap(world_orders: tuple[Order, ...], position: int, cap: int) -> object:
    """The exposure gate as the last hop has it: everything resting, and the request on top."""

    def permit(request: Request) -> Verdict | None:
        if request.intent is not Intent.INCREASE:
            return None
        rests = [rest for one in world_orders for rest in _rest(one, one.price_ticks, one.remaining)]
        if request.kind is OpKind.AMEND:
            origin = next(one for one in world_orders if one.client_id == request.client_id)
            rests.remove(Rest(origin.side, origin.price_ticks, origin.remaining, origin.reduce_only))
            lots = request.lots - origin.filled_lots
        else:
            lots = request.lots
        rests.append(Rest(request.side, request.price_ticks, lots, request.reduce_only))
        return None if worst(position, rests) <= cap else Verdict(Gate.EXPOSURE, allowed=False)

    return permit


def random_world(chance: random.Random, levels: int) -> World:
    position = chance.randrange(-5, 6)
    targets = [*_targets(chance, Side.BUY, levels, position), *_targets(chance, Side.SELL, levels, position)]
    orders = [*_orders(chance, Side.BUY, levels, position), *_orders(chance, Side.SELL, levels, position)]
    rests = [rest for one in orders for rest in _rest(one, one.price_ticks, one.remaining)]
    cap = max(0, worst(position, rests) + chance.choice((-2, -1, 0, 1, 3, 50)) * MARK)
    ctx = context(
        bid_ticks=MARK - 1,
        ask_ticks=MARK + 1,
        mark_ticks=MARK,
        position_lots=position,
        venue_position_lots=position,
        spacing_ticks=3,
        cap_units=cap,
        account_cap_units=cap,
        instrument={"min_notional": "0", "percent_up": "2", "percent_down": "0"},
        rules={"amend_supported": chance.random() < 0.8},
    )
    world_orders = tuple(orders)
    ctx = context_with_permit(ctx, refuse_over_cap(world_orders, position, cap))
    return World(tuple(targets), world_orders, ctx)


def context_with_permit(ctx: RouteContext, permit: object) -> RouteContext:
    from dataclasses import replace

    return replace(ctx, permit=permit)  # type: ignore[arg-type]


def _targets(chance: random.Random, side: Side, levels: int, position: int) -> Iterator[Target]:
    room = max(0, -position * side.sign)
    for rung in range(1, chance.randrange(levels + 1) + 1):
        lots = chance.randrange(1, 5)
        closes = room > 0
        if closes:
            lots = min(lots, room)
            room -= lots
        price = MARK - side.sign * (3 * rung - 1 + chance.randrange(3))
        yield target(-side.sign * rung, price, lots, ro=closes)


def _orders(chance: random.Random, side: Side, levels: int, position: int) -> Iterator[Order]:
    room = max(0, -position * side.sign)
    for rung in range(1, chance.randrange(levels + 1) + 1):
        lots, filled = chance.randrange(1, 6), 0
        if lots > 1 and chance.random() < 0.3:
            filled = chance.randrange(1, lots)
        closes = lots - filled <= room and chance.random() < 0.7
        room -= lots - filled if closes else 0
        price = MARK - side.sign * (3 * rung - 2 + chance.randrange(9))
        state = "UNKNOWN" if chance.random() < 0.1 else None
        name = f"{side[0]}{rung}"
        yield order(name, -side.sign * rung, price, lots, ro=closes, filled=filled, state=state)


def search_worlds(seed: str, levels: int, wanted: int, longest: int) -> tuple[int, int]:
    chance = random.Random(seed)
    seen = plans = 0
    while seen < wanted:
        world = random_world(chance, levels)
        plan = route(world.targets, world.orders, world.ctx)
        if len(plan.ops) <= longest:
            plans += 1
            seen += search(world, plan)
    return plans, seen


@pytest.mark.parametrize("levels", [2, 3])
def test_the_law_holds_in_every_state_of_small_worlds(levels: int) -> None:
    plans, _seen = search_worlds(f"small worlds {levels}", levels, 12_000, 6)
    assert plans > 30


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
def test_the_law_holds_in_a_million_states() -> None:
    plans, seen = search_worlds("a million", 3, 1_000_000, 7)
    print(f"{plans} plans, {seen} states, 0 violations")
    assert seen >= 1_000_000


@settings(max_examples=examples(150), deadline=None)
@given(st.integers(0, 2**32))
def test_the_law_holds_along_random_paths_of_large_ladders(seed: int) -> None:
    chance = random.Random(seed)
    world = random_world(chance, 12)
    plan = route(world.targets, world.orders, world.ctx)
    by_id = {one.client_id: one for one in world.orders}
    position = world.ctx.position_lots
    before = worst(position, states(world, plan, tuple("unsent" for _ in plan.ops), {}, by_id)[0])
    after = worst(position, states(world, plan, tuple("confirmed" for _ in plan.ops), {}, by_id)[0])
    status = ["unsent"] * len(plan.ops)
    for _ in range(3 * len(plan.ops)):
        index = chance.randrange(len(plan.ops))
        ready = all(status[other] == "confirmed" for other in plan.ops[index].after)
        if ready:
            status[index] = {"unsent": "sent", "sent": "confirmed", "confirmed": "confirmed"}[status[index]]
        sums = states(world, plan, tuple(status), {}, by_id)[0]
        assert worst(position, sums) <= max(before, after), f"seed {seed}: {status} {plan.ops}"


def judge_in_drawdown(seed: int, levels: int) -> int:
    """With every increase refused, nothing may raise what the account could come to; the operations judged.

    Potential exposure by the definition above: whatever may have left counts with the worse of its outcomes, before
    the first answer and after any of them.
    """
    world = random_world(random.Random(seed), levels)

    def closed(request: Request) -> Verdict | None:
        return Verdict(Gate.DRAWDOWN, allowed=False) if request.intent is Intent.INCREASE else None

    plan = route(world.targets, world.orders, context_with_permit(world.ctx, closed))
    by_id = {one.client_id: one for one in world.orders}
    before = worst(world.ctx.position_lots, states(world, plan, tuple("unsent" for _ in plan.ops), {}, by_id)[0])
    at_once = tuple("unsent" if op.after else "sent" for op in plan.ops)
    answered = tuple("sent" if op.after else "confirmed" for op in plan.ops)
    for chosen in (at_once, answered, tuple("confirmed" for _ in plan.ops)):
        sums = states(world, plan, chosen, {}, by_id)[0]
        assert worst(world.ctx.position_lots, sums) <= before, f"seed {seed}, {levels} levels: {chosen} {plan.ops}"
    assert plan.wce_after <= plan.wce_before == before
    assert all(op.intent is not Intent.INCREASE for op in plan.ops)
    return len(plan.ops)


@settings(max_examples=examples(300), deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 8))
def test_a_closed_gate_never_lets_exposure_grow(seed: int, levels: int) -> None:
    judge_in_drawdown(seed, levels)


@pytest.mark.nightly
@settings(max_examples=10_000, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 8))
def test_a_closed_gate_never_lets_exposure_grow_in_ten_thousand_plans(seed: int, levels: int) -> None:
    judge_in_drawdown(seed, levels)


def test_a_replacement_waits_for_its_own_cancel_and_for_nothing_else() -> None:
    orders = [order("near", 1, 1_003, 4), order("far", 2, 1_006, 4)]
    wanted = [target(1, 1_003, 4, ro=True), target(2, 1_006, 4)]
    ctx = context(bid_ticks=999, ask_ticks=1_001, mark_ticks=1_000, position_lots=4, venue_position_lots=4,
                  spacing_ticks=3, instrument={"min_notional": "0"})  # fmt: skip
    plan = route(wanted, orders, ctx)
    assert [(op.kind, op.client_id, op.after) for op in plan.ops] == [
        (OpKind.CANCEL, "near", ()),
        (OpKind.PLACE, "", (0,)),
    ]


def test_growth_that_fits_on_top_of_everything_does_not_wait() -> None:
    orders = [order("gone", -2, 900, 1)]
    ctx = context(bid_ticks=999, ask_ticks=1_001, mark_ticks=1_000, spacing_ticks=3, instrument={"min_notional": "0"})
    plan = route([target(1, 1_003, 5), target(2, 1_006, 5)], orders, ctx)
    assert [op.after for op in plan.ops if op.kind is OpKind.PLACE] == [(), ()]


def test_an_amend_that_frees_one_sum_and_grows_the_other_lends_nothing() -> None:
    """Price down from 1,500 to 1,003 frees units, three lots become four: nobody may count on the freed units."""
    orders = [order("tp", 1, 1_500, 3, ro=True)]
    ctx = context(bid_ticks=999, ask_ticks=1_001, mark_ticks=1_000, position_lots=4, venue_position_lots=4,
                  spacing_ticks=3, instrument={"min_notional": "0", "percent_up": "2"})  # fmt: skip
    exposure = Exposure(orders, ctx)
    case = judge(Case(ctx, target(1, 1_003, 4, ro=True), orders[0]))
    move = make_move(case, shape(case), exposure)
    assert (move.grows, move.grows_reduce, move.forgone_units) == (0, 1, 4_500 - 4_012)
    plan = route([target(1, 1_003, 4, ro=True)], orders, ctx)
    assert (plan.wce_before, plan.wce_after) == (4_000, 4_000)


def test_a_write_in_flight_counts_with_the_worse_of_its_outcomes() -> None:
    orders = [order("a", -1, 990, 5, pending=["amend", 980, 9]), order("b", 1, 1_010, 5, pending=["cancel", 0, 0])]
    plan = route([], orders, context(bid_ticks=999, ask_ticks=1_001, mark_ticks=1_000))
    assert plan.wce_before == 9 * 1_000
    assert plan.ops == ()


@pytest.mark.parametrize(("unbooked", "grown"), [((0, 0), 2), ((2_000, 0), 1), ((0, 2_000), 2), ((4_000, 0), 0)])
def test_fills_that_are_not_booked_yet_take_room_from_all_places_of_a_plan_together(
    unbooked: tuple[int, int], grown: int
) -> None:
    """Each place fits by itself; the room left beside what has happened already is for one of them, or none."""
    wanted = [target(-1, 1_000, 2), target(-2, 990, 2)]
    ctx = context(
        bid_ticks=999, ask_ticks=1_001, mark_ticks=1_000, position_lots=6, venue_position_lots=None, spacing_ticks=3,
        cap_units=10_000, account_cap_units=10_000, unbooked_units=unbooked, instrument={"min_notional": "0"},
    )  # fmt: skip
    plan = route(wanted, [], ctx)
    assert len(plan.ops) == grown
    assert plan.wce_before == max(6_000 + unbooked[0], unbooked[1] - 6_000)
