"""The matching is order-preserving, one to one, and as cheap as the best of all matchings tried one by one."""

import itertools
import random
from collections.abc import Callable, Iterator

import pytest
from gridops.decide import pairing
from gridops.decide.matching import Pair, match
from gridops.decide.router_cases import context, order, target
from hypothesis import given
from hypothesis import strategies as st

Cost = Callable[[int, int], int]


def every_matching(targets: int, orders: int) -> Iterator[tuple[Pair, ...]]:
    """All order-preserving one-to-one matchings, the empty one included."""
    for size in range(min(targets, orders) + 1):
        for chosen_targets in itertools.combinations(range(targets), size):
            for chosen_orders in itertools.combinations(range(orders), size):
                yield tuple(zip(chosen_targets, chosen_orders, strict=True))


def price_of(pairs: tuple[Pair, ...] | list[Pair], targets: int, orders: int, cost: Cost, gap: int) -> int:
    return sum(cost(*pair) for pair in pairs) + gap * (targets + orders - 2 * len(pairs))


def cheapest(targets: int, orders: int, cost: Cost, gap: int) -> int:
    return min(price_of(pairs, targets, orders, cost, gap) for pairs in every_matching(targets, orders))


def banded(target_prices: list[int], order_prices: list[int], band: int) -> Cost:
    """The router's shape of cost: the distance inside the band, a jump outside it."""

    def cost(target: int, order: int) -> int:
        distance = abs(target_prices[target] - order_prices[order])
        return distance if distance <= band else 1_000 + distance

    return cost


def test_every_size_up_to_six_by_six_agrees_with_trying_all_matchings() -> None:
    seed = 20240718
    chance = random.Random(seed)
    for targets, orders in itertools.product(range(7), range(7)):
        for _ in range(12):
            target_prices = sorted(chance.sample(range(14), targets))
            order_prices = sorted(chance.choices(range(14), k=orders))
            cost, gap = banded(target_prices, order_prices, chance.randrange(3)), chance.choice((1, 300, 501))
            pairs = match(targets, orders, cost, gap)
            where = f"seed {seed}: {target_prices} to {order_prices}, gap {gap}"
            assert price_of(pairs, targets, orders, cost, gap) == cheapest(targets, orders, cost, gap), where


@given(st.data())
def test_any_cost_at_all_agrees_with_trying_all_matchings(data: st.DataObject) -> None:
    targets, orders = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 5))
    table = data.draw(
        st.lists(st.lists(st.integers(0, 9), min_size=orders, max_size=orders), min_size=targets, max_size=targets)
    )
    gap = data.draw(st.integers(0, 6))
    pairs = match(targets, orders, lambda t, o: table[t][o], gap)
    assert price_of(pairs, targets, orders, lambda t, o: table[t][o], gap) == cheapest(
        targets, orders, lambda t, o: table[t][o], gap
    )
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(pairs))


def test_a_long_shift_leaves_the_first_band_and_is_still_exact() -> None:
    """Nine places of shift: the narrow band alone would pay nine jumps, the widened one finds the free diagonal."""
    count, shift = 30, 9
    prices = [10 * index for index in range(count)]
    shifted = [10 * (index + shift) for index in range(count)]
    cost = banded(shifted, prices, 0)
    pairs = match(count, count, cost, 501)
    assert pairs == [(index, index + shift) for index in range(count - shift)]


@pytest.mark.parametrize(("targets", "orders"), [(0, 0), (0, 3), (3, 0)])
def test_an_empty_side_matches_nothing(targets: int, orders: int) -> None:
    assert match(targets, orders, lambda _t, _o: 0, 5) == []


def test_held_orders_are_not_torn_from_their_neighbours_by_an_equal_pair_in_the_middle() -> None:
    """Peeling the equal pair 20-20 would leave 10-30 to pay; all three stay when it is not peeled."""
    cost = banded([10, 20], [20, 30], 10)
    assert match(2, 2, cost, 501) == [(0, 0), (1, 1)]


def test_the_narrow_table_pairs_a_ladder_as_the_whole_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ladders of equal and unequal length, moved by up to three rungs: how far a pair may be kept bounds the search."""
    chance = random.Random(7)
    for number in range(300):
        ladder = [
            (level, 10_000 + 20 * level + chance.randrange(8), 100) for level in range(1, chance.randrange(2, 14))
        ]
        shift = chance.choice((0, 3, 19, 25, 41, 60))
        lots = (100, 100, 100, 130)
        held = [(f"o{n}", n, price + shift, chance.choice(lots)) for n, price, _ in ladder if chance.random() < 0.85]
        ctx, targets = context(spacing_ticks=20), [target(*each) for each in ladder]
        orders = [order(*each) for each in held]
        with monkeypatch.context() as patched:
            patched.setattr(pairing, "_free_width", lambda *_: None)
            whole = pairing.pair_up(targets, orders, ctx)
        assert pairing.pair_up(targets, orders, ctx) == whole, f"{number}: {ladder} {held}"
