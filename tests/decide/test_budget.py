"""The rate ledger never lets more through than the venue's own fixed windows allow, and keeps its reserve."""

from gridops.decide import budget
from gridops.decide.budget import Cost, RateLedger
from gridops.domain.events import BudgetSeen
from gridops.domain.rules import BudgetRules
from gridops.domain.vocabulary import OpKind
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import examples

RULES = BudgetRules(weight_1m=100, orders_10s=10, orders_1m=30, reserve_pct=20, low_pct=70)


def spent(at: int, orders: int, weight: int = 0) -> RateLedger:
    ledger = budget.new_ledger()
    budget.spend(ledger, Cost(orders, orders, weight), at)
    return ledger


def headers(**kw: int | bool) -> BudgetSeen:
    fields = {"weight_1m": -1, "orders_10s": -1, "orders_1m": -1, "retry_after_ms": 0, "banned": False}
    return BudgetSeen(**(fields | kw))  # type: ignore[arg-type]


def test_increases_stop_at_the_reserve_and_protection_at_the_limit() -> None:
    room = budget.room(spent(1_000, 8, 80), RULES, 2_000)
    assert (room.orders, room.orders_reserve, room.weight, room.weight_reserve) == (0, 2, 0, 20)


def test_a_window_ends_on_the_venues_clock() -> None:
    ledger = spent(9_000, 8)
    assert budget.retry_ms(ledger, RULES, 9_100) == budget.frees_ms(ledger, 9_100) == 10_000
    assert budget.room(ledger, RULES, 9_999).orders == 0
    assert budget.room(ledger, RULES, 10_000).orders == 8
    assert budget.retry_ms(ledger, RULES, 10_000) == 10_000
    assert budget.frees_ms(ledger, 60_000) is None


def test_a_full_minute_waits_for_the_minute() -> None:
    ledger = budget.new_ledger()
    for at in (1_000, 11_000, 21_000):
        budget.spend(ledger, Cost(8, 8), at)
    assert budget.room(ledger, RULES, 31_000).orders == 0
    assert budget.retry_ms(ledger, RULES, 31_000) == 60_000


def test_the_venues_higher_count_is_taken_over_and_a_lower_one_is_not() -> None:
    ledger = spent(1_000, 2, 10)
    budget.seen(ledger, headers(orders_10s=7, weight_1m=5), 1_500)
    assert budget.room(ledger, RULES, 1_500).orders == 1
    assert budget.room(ledger, RULES, 1_500).weight_reserve == 90


def test_a_ban_stops_all_and_a_retry_after_stops_increases() -> None:
    ledger = budget.new_ledger()
    budget.seen(ledger, headers(retry_after_ms=5_000), 1_000)
    held = budget.room(ledger, RULES, 5_999)
    assert (held.orders, held.orders_reserve, held.banned) == (0, 10, False)
    assert budget.used_pct(ledger, RULES, 5_999) == 100 and budget.retry_ms(ledger, RULES, 5_999) == 6_000
    assert budget.room(ledger, RULES, 6_000).orders == 8
    budget.seen(ledger, headers(banned=True), 1_000)
    banned = budget.room(ledger, RULES, 120_999)
    assert (banned.banned, banned.orders_reserve, banned.weight_reserve) == (True, 0, 0)
    assert not budget.room(ledger, RULES, 121_000).banned


def test_the_used_share_is_that_of_the_tightest_budget() -> None:
    assert budget.used_pct(spent(1_000, 3, 95), RULES, 1_000) == 95
    assert budget.used_pct(spent(1_000, 7, 10), RULES, 1_000) == 70


def test_costs_are_the_venues() -> None:
    assert budget.op_cost(OpKind.PLACE) == Cost(1, 1, 0)
    assert budget.op_cost(OpKind.AMEND, 5) == Cost(5, 1, 5)
    assert budget.op_cost(OpKind.CANCEL, 10) == Cost(weight=1)
    assert budget.op_cost(OpKind.DEADMAN) == Cost(weight=10)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, budget.EDGE_MS)), max_size=120), st.integers(0, 10_000))
def test_no_window_of_the_venue_is_overrun_by_calls_that_arrive_a_little_later(
    calls: list[tuple[int, int]], start: int
) -> None:
    ledger, now, arrivals = budget.new_ledger(), start, []
    for gap, delay in calls:
        now += gap
        if budget.room(ledger, RULES, now).orders_reserve:
            budget.spend(ledger, Cost(1, 1), now)
            arrivals.append(now + delay)
    for length, limit in ((10_000, RULES.orders_10s), (60_000, RULES.orders_1m)):
        windows = [arrival // length for arrival in arrivals]
        assert all(windows.count(window) <= limit for window in windows)


def test_what_is_sent_at_the_end_of_a_window_counts_in_the_next_one_too() -> None:
    late, early = spent(9_600, 8), spent(9_400, 8)
    assert budget.room(late, RULES, 10_000).orders_reserve == 2
    assert budget.room(early, RULES, 10_000).orders_reserve == 10
    assert budget.room(late, RULES, 20_000).orders_reserve == 10
    assert budget.used_pct(late, RULES, 10_100) == 80
