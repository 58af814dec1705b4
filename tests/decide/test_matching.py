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


def test_pairs_found_at_the_ends_cost_no_more_than_any_pairing_tried_one_by_one() -> None:
    """Distances inside the band, a change outside it, half a change and a little for each side left over."""
    chance = random.Random(11)
    for number in range(400):
        ladder = sorted(chance.sample(range(10_000, 10_120), chance.randrange(1, 6)))
        prices = sorted(chance.choices(range(9_980, 10_140), k=chance.randrange(1, 6)))
        held = [(price, chance.choice((100, 100, 110, 300))) for price in prices]
        ctx = context(spacing_ticks=20)
        wanted = [target(level, price, 100) for level, price in enumerate(ladder, start=1)]
        orders = [order(f"o{n}", n + 1, price, lots) for n, (price, lots) in enumerate(held)]

        def cost(index: int, other: int, ladder: list[int] = ladder, held: list[tuple[int, int]] = held) -> int:
            price, lots = held[other]
            distance = abs(ladder[index] - price)
            kept = distance <= 20 and abs(lots - 100) <= 20
            return 2 * distance + (kept and lots != 100) + (0 if kept else pairing.CHANGE)

        found = pairing.pair_up(wanted, orders, ctx)
        best = cheapest(len(ladder), len(held), cost, pairing.GAP)
        ranked = [(wanted.index(one), orders.index(other)) for one, other in found.pairs]
        # Leftovers become changes afterwards, one for one; that is not part of the matching.
        matched = [pair for pair in ranked if cost(*pair) < pairing.CHANGE]
        kept = max(
            (sum(cost(*pair) < pairing.CHANGE for pair in pairs), pairs)
            for pairs in every_matching(len(ladder), len(held))
            if price_of(pairs, len(ladder), len(held), cost, pairing.GAP) == best
        )
        assert len(matched) == kept[0], f"{number}: {ladder} {held}"
        assert sum(map(sum_of(cost), matched)) <= sum(cost(*p) for p in kept[1] if cost(*p) < pairing.CHANGE), number


def sum_of(cost: Cost) -> Callable[[Pair], int]:
    return lambda pair: cost(*pair)


def test_pairing_is_the_same_when_no_pair_is_taken_for_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what the ends give nor what the ranks tell changes a pairing, whatever is in flight or filled."""
    chance = random.Random(12)
    for number in range(400):
        count = chance.randrange(1, 9)
        targets = [target(level, 10_000 + 20 * level, 100) for level in range(1, count + 1)]
        shift, lots = chance.choice((0, 3, 19, 25, 41)), (100, 100, 100, 119, 300)
        orders = [
            order(
                f"o{n}",
                n,
                10_000 + 20 * n + shift + chance.randrange(4),
                chance.choice(lots),
                pending=("amend", 10_000 + 20 * n, 100) if chance.random() < 0.1 else None,
            )
            for n in range(1, count + chance.choice((1, 1, 0, 2)))
        ]
        ctx = context(spacing_ticks=20)
        with monkeypatch.context() as patched:
            patched.setattr(pairing, "_peeled", lambda *_: (0, 0))
            patched.setattr(pairing, "_useful", lambda *_: True)
            whole = pairing.pair_up(targets, orders, ctx)
        assert pairing.pair_up(targets, orders, ctx) == whole, f"{number}: {orders}"
