"""What the bench says of fills: each lacking, doubled or invented one by its id, and none of before the books began."""

from collections import Counter
from typing import Any

from gridops.usecases.drill_bench import fill_differences

OPENED_MS = 1_000


def truth(*fills: tuple[int, str, int]) -> dict[str, Any]:
    """The venue's, of (trade id, client id of its order, when)."""
    return {
        "orders": [{"orderId": trade_id * 10, "clientOrderId": client_id} for trade_id, client_id, _ in fills],
        "fills": [{"id": trade_id, "orderId": trade_id * 10, "time": at_ms} for trade_id, _, at_ms in fills],
    }


def test_a_fill_is_booked_once_and_only_if_the_venue_has_it() -> None:
    at_venue = truth((7, "go1", 1_500), (8, "web", 1_500), (9, "go2", 1_500))
    assert fill_differences(at_venue, Counter([7, 8, 9]), OPENED_MS) == []
    assert fill_differences(at_venue, Counter([7, 7, 5]), OPENED_MS) == [
        "fill 7 is booked 2 times",
        "fill 8 of the venue is not booked",
        "fill 9 of the venue is not booked",
        "fill 5 is booked and not the venue's",
    ]


def test_only_another_hands_fills_of_before_the_opening_are_in_its_balance() -> None:
    at_venue = truth((7, "web", 999), (8, "web", 1_000), (9, "go1", 999))
    assert fill_differences(at_venue, Counter(), OPENED_MS) == [
        "fill 8 of the venue is not booked",
        "fill 9 of the venue is not booked",
    ]
