"""The queue estimate against a queue of single orders, and what a place is worth to the router's decisions."""

import random
from dataclasses import replace

import pytest
from gridops.decide import queue_place
from gridops.decide.costs import hold_ticks, queue_cbps
from gridops.decide.queue_place import UNSEEN, Touch, keep_cbps, lots_ahead, touch_permille
from gridops.decide.route_context import RouteContext
from gridops.decide.router import route
from gridops.decide.router_cases import context, order, target
from gridops.domain.orders import Order
from gridops.domain.vocabulary import Decision, RouterReason
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples

OWN, PRICE = 7, 1_000
seeds = st.integers(0, 2**32)


class Queue:
    """One price of a venue, order by order. Ours is 0; it never trades here, for nothing is left to judge then."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.lots = {number: chance.randint(1, 40) for number in range(1, chance.randint(2, 12))}
        self.lots[0] = OWN
        self.next = 100

    @property
    def ahead(self) -> int:
        numbers = list(self.lots)
        return sum(self.lots[number] for number in numbers[: numbers.index(0)])

    def touch(self) -> Touch:
        return Touch(PRICE, sum(self.lots.values()))

    def join(self) -> None:
        self.lots[self.next] = self.chance.randint(1, 40)
        self.next += 1

    def trade(self) -> int:
        """Takers eat some of the front; the lots they took."""
        wanted = taken = self.chance.randint(0, self.ahead)
        for number in list(self.lots):
            part = min(self.lots[number], wanted)
            self.lots[number] -= part
            wanted -= part
            if not self.lots[number]:
                del self.lots[number]
        return taken

    def cancel(self) -> None:
        others = [number for number in self.lots if number]
        if others:
            del self.lots[self.chance.choice(others)]


@given(seeds)
@settings(max_examples=examples(300), deadline=None)
def test_without_cancellations_the_estimate_is_the_queue(seed: int) -> None:
    queue = Queue(random.Random(seed))
    before, ahead = queue.touch(), UNSEEN
    for _ in range(20):
        traded = 0
        if queue.chance.random() < 0.5 and ahead != UNSEEN:
            traded = queue.trade()
        elif ahead != UNSEEN:
            queue.join()
        now = queue.touch()
        ahead = lots_ahead(ahead, OWN, before, now, traded)
        assert ahead == queue.ahead
        before = now


@given(seeds)
@settings(max_examples=examples(300), deadline=None)
def test_with_cancellations_it_only_falls_and_stays_within_what_is_visible(seed: int) -> None:
    queue = Queue(random.Random(seed))
    before, ahead = queue.touch(), UNSEEN
    for _ in range(30):
        traded = 0
        match queue.chance.randrange(3):
            case 0:
                traded = queue.trade()
            case 1:
                queue.join()
            case _:
                queue.cancel()
        now, known = queue.touch(), ahead
        ahead = lots_ahead(known, OWN, before, now, traded)
        assert 0 <= ahead <= now.lots - OWN
        assert known == UNSEEN or ahead <= known
        before = now


def test_cancellations_anywhere_are_estimated_without_bias() -> None:
    off = seen = 0
    for seed in range(400):
        queue = Queue(random.Random(seed))
        for _ in range(8):
            queue.join()
        true, before = queue.ahead, queue.touch()
        ahead = lots_ahead(UNSEEN, OWN, replace(before, lots=true + OWN), replace(before, lots=true + OWN), 0)
        assert ahead == true
        for _ in range(6):
            queue.cancel()
            now = queue.touch()
            ahead = lots_ahead(ahead, OWN, before, now, 0)
            before = now
        off, seen = off + ahead - queue.ahead, seen + before.lots
    assert abs(off) * 100 < 4 * seen


def test_a_touch_that_went_and_came_back_tells_no_more_than_its_size() -> None:
    away, back = Touch(PRICE - 3, 50), Touch(PRICE, 30)
    assert lots_ahead(90, OWN, away, back, 500) == 23
    assert lots_ahead(11, OWN, away, back, 500) == 11


def test_a_better_place_has_better_odds() -> None:
    odds = [touch_permille(ahead, 100) for ahead in range(101)]
    assert odds == sorted(odds, reverse=True)
    assert list(queue_place.AWAY_PERMILLE) == sorted(queue_place.AWAY_PERMILLE, reverse=True)
    assert min(odds) >= 0
    assert max(odds) <= 1_000


@given(st.integers(0, 1_000), st.integers(0, 1_000), st.integers(0, 500), st.integers(-300, 300))
def test_keeping_is_worth_less_the_worse_the_price(kept: int, moved: int, edge: int, worse: int) -> None:
    assert keep_cbps(kept, edge, worse + 10, moved) <= keep_cbps(kept, edge, worse, moved)
    assert keep_cbps(kept, edge, worse, moved) >= 0
    assert keep_cbps(kept, edge, 0, kept) == 0


def at_touch(ahead: int, *, target_ticks: int, band_pct: int = 25, gain_pct: int = 100) -> tuple[RouteContext, Order]:
    """A buy that rests at the bid, 1,000 lots shown there, its target lower: the market came down to it."""
    ctx = context(
        bid_lots=1_000, ask_lots=1_000, rules={"hold_band_pct": band_pct, "queue_gain_pct": gain_pct}
    )  # fmt: skip
    resting = order("a", -1, ctx.bid_ticks, 100)
    resting.ahead_lots, resting.ahead_ticks = ahead, resting.price_ticks
    assert target_ticks < ctx.bid_ticks
    return ctx, resting


def decided(ahead: int, off_ticks: int, **rules: int) -> tuple[Decision, RouterReason]:
    ctx, resting = at_touch(ahead, target_ticks=9_999 - off_ticks, **rules)
    (choice,) = route([target(-1, 9_999 - off_ticks, 100)], [resting], ctx).choices
    assert choice.ahead_lots == ahead
    return choice.decision, choice.reason


HELD = (Decision.NOOP, RouterReason.WITHIN_HOLD_BAND)
MOVED = (Decision.AMEND, RouterReason.OUTSIDE_HOLD_BAND)


def test_a_good_place_is_kept_where_a_poor_one_is_moved() -> None:
    assert decided(0, 7) == HELD
    assert decided(900, 7) == MOVED
    assert decided(UNSEEN, 7) == MOVED


def test_the_band_shrinks_with_the_mispricing() -> None:
    ctx, resting = at_touch(0, target_ticks=9_998)
    bands = [hold_ticks(resting, target(-1, ctx.bid_ticks - off, 100), ctx) for off in range(1, 40)]
    assert bands[-1] == ctx.band_ticks
    near = bands[: queue_place.AWAY_STEPS_CBPS[-1] * ctx.mid2 // (2 * queue_place.CBPS)]
    assert near == sorted(near, reverse=True)
    assert decided(0, 5) == HELD
    assert decided(0, 12) == MOVED


def test_without_gain_places_count_for_nothing() -> None:
    assert decided(0, 7, gain_pct=0) == MOVED


@pytest.mark.parametrize("ahead", [0, 240, 1_000, UNSEEN])
def test_the_value_is_that_of_the_better_odds(ahead: int) -> None:
    ctx, resting = at_touch(ahead, target_ticks=9_990)
    worth = queue_cbps(resting, ctx)
    edge = 20 * 2 * 1_000_000 // ctx.mid2 // 2
    gained = 0 if ahead < 0 else max(touch_permille(ahead, 1_000) - queue_place.NEW_PERMILLE, 0)
    assert worth == gained * edge // 1_000
    (choice,) = route([target(-1, 9_990, 100)], [resting], ctx).choices
    priced = choice.cost if choice.decision is Decision.AMEND else choice.runner_up_cost
    assert priced is not None
    assert (priced.queue_lots, priced.queue_cbps) == (100, worth)


def test_away_from_the_touch_no_place_is_known() -> None:
    ctx, resting = at_touch(0, target_ticks=9_990)
    assert queue_cbps(resting, replace(ctx, bid_ticks=ctx.bid_ticks + 1)) == 0
    resting.price_ticks -= 1
    assert queue_cbps(resting, ctx) == 0
    assert hold_ticks(resting, target(-1, 9_990, 100), ctx) == ctx.band_ticks
