"""Worst-case exposure bounds every way the orders can fill, and a request is classed by its effect."""

from dataclasses import replace
from itertools import product

import pytest
from gridops.decide import exposure
from gridops.domain.orders import Order, PendingWrite
from gridops.domain.plan import Request
from gridops.domain.vocabulary import Intent, OpKind, OrderState, OrderType, Side, TimeInForce
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples

B, A = Side.BUY, Side.SELL


def order(side: Side, lots: int, price: int, *, filled: int = 0, ro: bool = False, **kw: object) -> Order:
    base = Order(
        f"{side}{lots}{price}", "X", side, 0, price, lots, ro, OrderType.LIMIT, TimeInForce.GTX, OrderState.OPEN, 1, 0
    )
    return replace(base, filled_lots=filled, **kw)  # type: ignore[arg-type]


def request(kind: OpKind, side: Side, lots: int, price: int, *, ro: bool = False, **kw: object) -> Request:
    base = Request(
        kind=kind, intent=Intent.INCREASE, symbol="X", side=side, price_ticks=price, lots=lots, reduce_only=ro
    )
    return replace(base, **kw)  # type: ignore[arg-type]


orders = st.lists(
    st.builds(order, st.sampled_from(Side), st.integers(1, 3), st.integers(90, 110), ro=st.booleans()), max_size=4
)


def dearest(position: int, mark: int, fills: list[tuple[Side, int, int]]) -> int:
    """Value of what is held after these fills, its lots taken to be the dearest that were filled on its side."""
    net = position + sum(side.sign * lots for side, lots, _ in fills)
    side = B if net > 0 else A
    lots = [max(price, mark) for s, n, price in fills if s is side for _ in range(n)]
    if position * side.sign > 0:
        lots += [mark] * abs(position)
    return sum(sorted(lots, reverse=True)[: abs(net)])


@settings(max_examples=examples(150), deadline=None)
@given(orders, st.integers(-4, 4), st.none() | st.integers(-4, 4))
def test_no_way_to_fill_the_orders_exceeds_the_worst_case(book: list[Order], local: int, venue: int | None) -> None:
    worst = exposure.wce_units(local, venue, book, 100)
    for position in {local, local if venue is None else venue}:
        for filled in product(*[range(o.remaining + 1) for o in book]):
            outcome = [(o.side, n, o.price_ticks) for o, n in zip(book, filled, strict=True)]
            assert dearest(position, 100, outcome) <= worst


def test_the_worst_case_is_exact_when_orders_add_to_the_position() -> None:
    book = [order(B, 2, 90), order(B, 3, 120), order(A, 1, 105)]
    assert exposure.wce_units(4, None, book, 100) == 4 * 100 + 2 * 100 + 3 * 120
    assert exposure.wce_units(-4, None, [order(A, 2, 130)], 100) == 4 * 100 + 2 * 130
    assert exposure.wce_units(1, 7, [], 100) == exposure.wce_units(7, 1, [], 100) == 700


@pytest.mark.parametrize("state", OrderState)
def test_unknown_orders_count_and_terminal_ones_do_not(state: OrderState) -> None:
    live = state not in {"FILLED", "CANCELED", "REJECTED", "EXPIRED", "FAILED"}
    assert exposure.wce_units(0, None, [order(B, 2, 100, state=state)], 100) == (200 if live else 0)


def test_an_amend_in_flight_counts_as_the_larger_of_its_outcomes() -> None:
    grows = order(B, 2, 100, pending=PendingWrite(1, OpKind.AMEND, 0, 100, 5))
    shrinks = order(B, 5, 100, filled=1, pending=PendingWrite(1, OpKind.AMEND, 0, 100, 2))
    assert exposure.wce_units(0, None, [grows], 100) == 500
    assert exposure.wce_units(0, None, [shrinks], 100) == 400


amends = st.tuples(st.integers(1, 6), st.integers(90, 110), st.integers(1, 6), st.integers(90, 110))


@settings(max_examples=examples(150), deadline=None)
@given(orders, st.integers(-4, 4), amends, st.sampled_from(Side))
def test_a_request_counts_exactly_as_it_would_once_it_is_in_flight(
    book: list[Order], position: int, amend: tuple[int, int, int, int], side: Side
) -> None:
    lots, price, new_lots, new_price = amend
    resting = order(side, lots, price)
    sums = exposure.sums([*book, resting], 100)
    asked = request(OpKind.AMEND, side, new_lots, new_price)
    after = replace(resting, pending=PendingWrite(1, OpKind.AMEND, 0, new_price, new_lots))
    assert sums.wce_with(asked, resting, position, None) == exposure.wce_units(position, None, [*book, after], 100)
    placed = request(OpKind.PLACE, side, new_lots, new_price)
    both = [*book, resting, order(side, new_lots, new_price)]
    assert sums.wce_with(placed, None, position, None) == exposure.wce_units(position, None, both, 100)


CLASSES = [
    (request(OpKind.CANCEL, B, 0, 0), None, None, Intent.CANCEL),
    (request(OpKind.DEADMAN, B, 0, 0), None, None, Intent.CANCEL),
    (request(OpKind.PLACE, B, 1, 100), 5, None, Intent.INCREASE),
    (request(OpKind.PLACE, A, 1, 100), 5, None, Intent.INCREASE),
    (request(OpKind.PLACE, A, 1, 100, ro=True), 5, None, Intent.REDUCE),
    (request(OpKind.PLACE, B, 1, 100, ro=True), 5, None, Intent.INCREASE),
    (request(OpKind.PLACE, A, 1, 100, ro=True), 0, None, Intent.INCREASE),
    (request(OpKind.PLACE, A, 1, 100, ro=True), None, None, Intent.INCREASE),
    (request(OpKind.AMEND, A, 9, 100, ro=True), 5, order(A, 2, 100, ro=True), Intent.REDUCE),
    (request(OpKind.AMEND, B, 3, 100), 0, order(B, 2, 100), Intent.INCREASE),
    (request(OpKind.AMEND, B, 2, 101), 0, order(B, 2, 100), Intent.INCREASE),
    (request(OpKind.AMEND, B, 2, 99), 0, order(B, 2, 100), Intent.INCREASE),
    (request(OpKind.AMEND, B, 1, 100), 0, order(B, 2, 100), Intent.REDUCE),
    (request(OpKind.AMEND, B, 1, 99), 0, order(B, 2, 100), Intent.REDUCE),
    (request(OpKind.AMEND, B, 1, 101), 0, order(B, 2, 100), Intent.INCREASE),
    (request(OpKind.AMEND, A, 9, 200), 0, order(A, 10, 100), Intent.INCREASE),
    (request(OpKind.AMEND, B, 1, 100), 0, None, Intent.INCREASE),
]


@pytest.mark.parametrize(("asked", "position", "original", "intent"), CLASSES)
def test_requests_are_classed_by_their_effect(
    asked: Request, position: int | None, original: Order | None, intent: Intent
) -> None:
    assert exposure.classify(asked, position, original) is intent


@settings(max_examples=examples(200), deadline=None)
@given(amends, st.sampled_from(Side), st.integers(0, 3), st.integers(80, 120))
def test_an_amend_classed_as_reduction_never_adds_exposure(
    amend: tuple[int, int, int, int], side: Side, filled: int, mark: int
) -> None:
    lots, price, new_lots, new_price = amend
    resting = order(side, lots + filled, price, filled=filled)
    asked = request(OpKind.AMEND, side, new_lots + filled, new_price)
    if exposure.classify(asked, 0, resting) is Intent.REDUCE:
        assert exposure.added_units(asked, resting, mark) == 0


def test_reduce_only_lots_add_up_per_side() -> None:
    sums = exposure.sums([order(A, 3, 100, ro=True), order(A, 2, 100), order(B, 4, 90, ro=True)], 100)
    assert (sums.ro_sell, sums.ro_buy) == (3, 4)
    assert exposure.reduce_only_after(request(OpKind.PLACE, A, 2, 100, ro=True), None, sums) == 5
    grown = request(OpKind.AMEND, A, 5, 100, ro=True)
    assert exposure.reduce_only_after(grown, order(A, 3, 100, ro=True), sums) == 5


def test_a_request_may_not_meet_our_own_other_side() -> None:
    sums = exposure.sums([order(A, 1, 105), order(B, 1, 95)], 100)
    assert exposure.self_cross(request(OpKind.PLACE, B, 1, 105), sums)
    assert not exposure.self_cross(request(OpKind.PLACE, B, 1, 104), sums)
    assert exposure.self_cross(request(OpKind.AMEND, A, 1, 95), sums)
    assert not exposure.self_cross(request(OpKind.CANCEL, A, 1, 95), sums)
    assert not exposure.self_cross(request(OpKind.PLACE, B, 1, 105), exposure.sums([], 100))


def test_an_unknown_order_of_ours_does_not_hold_up_a_reduction() -> None:
    sums = exposure.sums([order(A, 1, 105, state=OrderState.UNKNOWN)], 100)
    close = request(OpKind.PLACE, B, 1, 110, ro=True, order_type=OrderType.MARKET)
    assert exposure.self_cross(close, sums)
    assert not exposure.self_cross(replace(close, intent=Intent.REDUCE), sums)


def test_a_pending_amend_crosses_at_the_nearer_of_its_prices() -> None:
    moving = order(A, 1, 110, pending=PendingWrite(1, OpKind.AMEND, 0, 101, 1))
    assert exposure.sums([moving], 100).best_ask == 101
