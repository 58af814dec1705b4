"""Small worlds searched in full: after every interleaving of what a venue may do to a plan, its own books obey the law.

The venue here is a few lines of its own: an operation leaves, takes effect or not, is answered or not, and orders fill
in between. Judged is what really rests, never what the router thinks. Worlds are three levels a side, each level in one
of eight situations, with the cap at the edge.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from gridops.decide.route_context import RouteContext
from gridops.decide.router import route
from gridops.decide.router_cases import context, order, target
from gridops.domain.orders import Order
from gridops.domain.plan import Plan, Target
from gridops.domain.vocabulary import OpKind, Side

MARK = 1_000
UNSENT, FLYING, LANDED, ACKED, DEAD, SILENT = range(6)
"""Of an operation. DEAD: refused, or lost on the way there. SILENT: took effect, and the answer was lost."""
FILLS = 2
"""Fills along one path."""
SITUATIONS = ["empty", "target", "order", "same", "moved", "bigger", "smaller", "kind"]
State = tuple[tuple[int, ...], tuple[tuple[str, int], ...]]
"""Status of each operation, and lots filled since the plan by order."""


@dataclass(frozen=True, slots=True)
class Resting:
    level: int
    sign: int
    price: int
    lots: int
    filled: int
    reduce_only: bool

    @property
    def rest(self) -> int:
        return self.lots - self.filled


class World:
    """One plan at a venue. `orders` rest when it is made; `position` is both our figure and the venue's."""

    def __init__(self, plan: Plan, orders: tuple[Order, ...], position: int, limit: int) -> None:
        serves = {choice.client_id: choice.level if choice.to_lots else 0 for choice in plan.choices}
        """Levels that orders serve from now on; 0 = one on its way out, whose level another may have taken."""
        self.plan, self.position, self.limit = plan, position, limit
        self.start = {
            one.client_id: Resting(
                serves[one.client_id], one.side.sign, one.price_ticks, one.lots, one.filled_lots, one.reduce_only
            )
            for one in orders
        }
        nothing: State = (tuple(UNSENT for _ in plan.ops), ())
        everything: State = (tuple(ACKED for _ in plan.ops), ())
        self.bound = max(self._worst(nothing), self._worst(everything))
        self.before = self._worst(nothing)
        self.most = {
            sign: max(
                sum(each.sign == sign for each in self.start.values()),
                len({c.level for c in plan.choices if c.to_lots and c.side.sign == sign}),
            )
            for sign in (1, -1)
        }
        """Orders a side may have: those it had, or one for each level wanted."""
        self._paths: dict[State, int] = {}

    def search(self) -> tuple[int, int]:
        """States looked at, and ways through them from the start to where nothing more can happen."""
        paths = self._walk((tuple(UNSENT for _ in self.plan.ops), ()))
        return len(self._paths), paths

    def _walk(self, state: State) -> int:
        known = self._paths.get(state)
        if known is None:
            self._check(state)
            known = sum(times * self._walk(then) for then, times in self._events(state)) or 1
            self._paths[state] = known
        return known

    def books(self, state: State) -> dict[str, Resting]:
        """What rests at the venue: operations that took effect applied in the order of the plan."""
        statuses, fills = state
        done = dict(fills)
        held = dict(self.start)
        for op, status in zip(self.plan.ops, statuses, strict=True):
            if status not in (LANDED, ACKED, SILENT):
                continue
            if op.kind is OpKind.PLACE:
                held[f"new{op.index}"] = Resting(op.level, op.side.sign, op.price_ticks, op.lots, 0, op.reduce_only)
            elif op.kind is OpKind.AMEND:
                held[op.client_id] = replace(held[op.client_id], price=op.price_ticks, lots=op.lots)
            else:
                held[op.client_id] = replace(held[op.client_id], lots=0)
        for name, lots in done.items():
            held[name] = replace(held[name], filled=held[name].filled + lots)
        return {name: each for name, each in held.items() if each.rest > 0}

    def _events(self, state: State) -> Iterator[tuple[State, int]]:
        """What may come next, and in how many guises: refused and lost on the way are one for the venue's books.

        The market takes the better price first, so of one side only the nearest order may fill.
        """
        statuses, fills = state
        done = dict(fills)
        for index, status in enumerate(statuses):
            op = self.plan.ops[index]
            for then, times in _steps(status):
                if status == UNSENT and not all(self._confirmed(other, statuses, done) for other in op.after):
                    continue
                if then == LANDED and op.kind is not OpKind.PLACE and op.client_id not in self.books(state):
                    continue
                yield ((*statuses[:index], then, *statuses[index + 1 :]), fills), times
        if sum(1 for _ in fills) < FILLS:
            held = self.books(state)
            for name, resting in held.items():
                nearer = any(
                    e.sign == resting.sign and e.price * e.sign > resting.price * e.sign for e in held.values()
                )
                if name not in done and not nearer:
                    for lots in {1, resting.rest}:
                        yield (statuses, tuple(sorted({**done, name: lots}.items()))), 1

    def _confirmed(self, index: int, statuses: tuple[int, ...], done: dict[str, int]) -> bool:
        """A cancel that came too late for a fill frees less than was counted on: it confirms nothing."""
        return statuses[index] == ACKED and not done.get(self.plan.ops[index].client_id)

    def _check(self, state: State) -> None:
        held, where = self.books(state), f"{state} of {self.plan.ops}"
        worst = self._worst(state)
        assert worst <= self.bound, f"worst case {worst} above {self.bound}: {where}"
        assert worst <= max(self.before, self.limit), f"worst case {worst} above the cap {self.limit}: {where}"
        levels = [each.level for each in held.values() if each.level]
        assert len(levels) == len(set(levels)), f"two orders on one level: {where}"
        for sign, most in self.most.items():
            assert sum(each.sign == sign for each in held.values()) <= most, f"more than {most} orders: {where}"
        bids = [each.price for each in held.values() if each.sign > 0]
        asks = [each.price for each in held.values() if each.sign < 0]
        assert not bids or not asks or max(bids) < min(asks), f"own orders meet: {where}"
        untouched = self.books((tuple(UNSENT for _ in state[0]), tuple(e for e in state[1] if e[0] in self.start)))
        for sign in (1, -1):
            # An opening order that fills takes room too; the venue then expires what is too much (er = 4).
            room = max(0, -sign * self._position(state) + self._opened(state, sign))
            allowed = max(room, _reduce_only(untouched, sign))
            assert _reduce_only(held, sign) <= allowed, f"reduce-only above {allowed}: {where}"

    def _order(self, name: str) -> tuple[int, bool]:
        """Sign, and whether it is reduce-only, of an order that rested or was placed."""
        if name in self.start:
            return self.start[name].sign, self.start[name].reduce_only
        op = self.plan.ops[int(name.removeprefix("new"))]
        return op.side.sign, op.reduce_only

    def _position(self, state: State) -> int:
        return self.position + sum(lots * self._order(name)[0] for name, lots in state[1])

    def _opened(self, state: State, sign: int) -> int:
        """Lots that orders of this side filled which were not reduce-only."""
        return sum(lots for name, lots in state[1] if self._order(name) == (sign, False))

    def _worst(self, state: State) -> int:
        """By definition: nothing more fills, or everything of one side does, at its price or the mark."""
        position, held = self._position(state), self.books(state).values()
        buys = sum(each.rest * max(each.price, MARK) for each in held if each.sign > 0)
        sells = sum(each.rest * max(each.price, MARK) for each in held if each.sign < 0)
        return max(abs(position) * MARK, position * MARK + buys, sells - position * MARK)


def _steps(status: int) -> tuple[tuple[int, int], ...]:
    if status == UNSENT:
        return ((FLYING, 1),)
    if status == FLYING:
        return ((LANDED, 1), (DEAD, 2))
    return ((ACKED, 1), (SILENT, 1)) if status == LANDED else ()


def _reduce_only(held: dict[str, Resting], sign: int) -> int:
    return sum(each.rest for each in held.values() if each.reduce_only and each.sign == sign)


Situation = tuple[str, ...]


def situations() -> Iterator[tuple[int, Situation, Situation, int]]:
    """(position, buy side, sell side, room above the cap in lots) of every world, spread over the whole by a stride."""
    sides = list(itertools.product(SITUATIONS, repeat=3))
    everything = len(sides) ** 2 * 12
    stride = 7_919_003  # a prime: every world is met once, and neighbours are unlike each other
    for number in range(everything):
        at = number * stride % everything
        rest, edge = divmod(at, 4)
        rest, held = divmod(rest, 3)
        buys, sells = divmod(rest, len(sides))
        yield (-4, 0, 4)[held], sides[buys], sides[sells], (-1, 0, 2, 100)[edge]


def made(position: int, buys: Situation, sells: Situation, edge: int) -> World:
    """The plan for one world."""
    targets: list[Target] = []
    orders: list[Order] = []
    for side, which in ((Side.BUY, buys), (Side.SELL, sells)):
        room = max(0, -position * side.sign)
        for rung, situation in enumerate(which, 1):
            room = _level(side, rung, situation, room, targets, orders)
    ctx = world_context(position, orders, edge)
    plan = route(targets, orders, ctx)
    return World(plan, tuple(orders), position, ctx.cap_units)


def _level(side: Side, rung: int, situation: str, room: int, targets: list[Target], orders: list[Order]) -> int:
    """Adds one level; returns what room is left to reduce."""
    level, price, lots = -side.sign * rung, MARK - side.sign * 5 * rung, 2
    closes = room >= lots
    wanted = {"moved": price - side.sign * 4, "kind": price}.get(situation, price)
    many = {"bigger": 4, "smaller": 1}.get(situation, lots)
    closing = closes and room >= many
    if situation not in ("empty", "order"):
        targets.append(target(level, wanted, many, ro=closing != (situation == "kind") and room >= many))
    if situation not in ("empty", "target"):
        orders.append(order(f"{side[0]}{rung}", level, price, lots, ro=closes))
    return room - max(many, lots) if closes else room


def world_context(position: int, orders: list[Order], edge: int) -> RouteContext:
    """The cap so many lots above what the orders may come to."""
    buys = sum(one.lots * max(one.price_ticks, MARK) for one in orders if one.side is Side.BUY)
    sells = sum(one.lots * max(one.price_ticks, MARK) for one in orders if one.side is Side.SELL)
    worst = max(abs(position) * MARK, position * MARK + buys, sells - position * MARK)
    cap = max(0, worst + edge * MARK)
    return context(
        bid_ticks=MARK - 1,
        ask_ticks=MARK + 1,
        mark_ticks=MARK,
        position_lots=position,
        venue_position_lots=position,
        spacing_ticks=3,
        cap_units=cap,
        account_cap_units=cap,
        instrument={"min_notional": "0", "percent_up": "2", "percent_down": "0"},
    )


def searched(wanted_plans: int, longest: int) -> tuple[int, int, int]:
    """Plans, states and interleavings, without a violation."""
    plans = states = paths = 0
    for situation in situations():
        world = made(*situation)
        if 0 < len(world.plan.ops) <= longest:
            seen, ways = world.search()
            plans, states, paths = plans + 1, states + seen, paths + ways
            if plans >= wanted_plans:
                break
    return plans, states, paths


@pytest.mark.simulation
def test_every_interleaving_of_a_share_of_the_small_worlds() -> None:
    plans, states, paths = searched(20, 3)
    print(f"{plans} plans, {states} states, {paths} interleavings, 0 violations")
    assert plans == 20 and paths > 1_000_000


@pytest.mark.nightly
@pytest.mark.timeout(3_000)
def test_every_interleaving_of_many_small_worlds() -> None:
    plans, states, paths = searched(400, 3)
    print(f"{plans} plans, {states} states, {paths} interleavings, 0 violations")
    assert plans == 400 and paths >= 1_000_000


def test_the_search_sees_a_plan_that_forgets_to_wait() -> None:
    """With its `after` links removed a replacement may rest beside the order it replaces."""
    orders = [order("a", 1, 1_005, 4)]
    ctx = world_context(4, orders, 100)
    plan = route([target(1, 1_005, 4, ro=True)], orders, ctx)
    assert [op.after for op in plan.ops] == [(), (0,)]
    World(plan, tuple(orders), 4, ctx.cap_units).search()
    hasty = replace(plan, ops=tuple(replace(op, after=()) for op in plan.ops))
    with pytest.raises(AssertionError, match=r"worst case|two orders on one level"):
        World(hasty, tuple(orders), 4, ctx.cap_units).search()
