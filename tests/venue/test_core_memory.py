"""What the venue forgets and when: answers and dumps after days of trading."""

import pytest
from gridops.venue.core import VenueCore
from tests.venue.core_kit import START_MS, D, Desk, desk_with_book

DAY_MS = 86_400_000
HOUR_MS = 3_600_000


def known(desk: Desk) -> list[str]:
    """Client ids of every order the oracle knows."""
    return [row["clientOrderId"] for row in desk.core.truth()["orders"]]


def cancelled(desk: Desk, name: str) -> dict[str, object]:
    """An order that ended without a fill."""
    order: dict[str, object] = desk.place("BUY", "0.010", "59990", newClientOrderId=name)
    desk.call("DELETE", "v1/order", orderId=str(order["orderId"]))
    return order


def test_an_unfilled_end_is_forgotten_after_three_days_a_fill_after_ninety() -> None:
    desk = desk_with_book()
    gone = cancelled(desk, "gone")
    desk.place("BUY", "0.010", newClientOrderId="filled")
    desk.place("BUY", "0.010", "59990", newClientOrderId="open")
    desk.core.advance(START_MS + 3 * DAY_MS)
    assert known(desk) == ["gone", "filled", "open"]
    desk.core.advance(START_MS + 3 * DAY_MS + HOUR_MS)
    assert known(desk) == ["filled", "open"]
    assert desk.refusal("DELETE", "v1/order", origClientOrderId="gone") == -2011
    assert desk.refusal("GET", "v1/orderAmendment", orderId=str(gone["orderId"])) == -2013
    desk.core.advance(START_MS + 90 * DAY_MS)
    assert known(desk) == ["filled", "open"]
    assert len(desk.core.truth()["fills"]) == 1
    desk.core.advance(START_MS + 90 * DAY_MS + HOUR_MS)
    assert known(desk) == ["open"]
    assert desk.core.truth()["fills"] == []
    assert desk.lots() == 10


def test_the_answer_does_not_wait_for_the_clearing() -> None:
    desk = desk_with_book()
    order = cancelled(desk, "gone")
    desk.core.advance(START_MS + 3 * DAY_MS + 1)
    assert desk.refusal("GET", "v1/order", orderId=str(order["orderId"])) == -2013


def test_a_client_id_used_again_keeps_its_newer_order() -> None:
    desk = desk_with_book()
    cancelled(desk, "twice")
    desk.core.advance(START_MS + 2 * DAY_MS)
    newer = cancelled(desk, "twice")
    desk.core.advance(START_MS + 4 * DAY_MS)
    assert desk.call("GET", "v1/order", origClientOrderId="twice")["orderId"] == newer["orderId"]
    assert known(desk) == ["twice"]


def test_the_money_of_forgotten_rows_stays() -> None:
    desk = desk_with_book()
    for _ in range(3):
        desk.place("BUY", "0.010")
        desk.place("SELL", "0.010")
    before = desk.wallet()
    desk.core.advance(START_MS + 91 * DAY_MS)
    assert desk.core.truth()["income"] == []
    assert desk.wallet() == before
    desk.place("BUY", "0.010")
    assert desk.core.truth()["violations"] == []


def test_a_conditional_order_goes_with_its_order() -> None:
    desk = desk_with_book()
    desk.tape(600001, 1, seller=False)
    asked = {"algoType": "CONDITIONAL", "type": "STOP_MARKET", "quantity": "0.010", "side": "SELL"}
    waiting = desk.call("POST", "v1/algoOrder", triggerPrice="59000", **asked)
    dropped = desk.call("POST", "v1/algoOrder", triggerPrice="59100", **asked)
    fired = desk.call("POST", "v1/algoOrder", triggerPrice="59999", **asked)
    desk.call("DELETE", "v1/algoOrder", algoId=str(dropped["algoId"]))
    desk.tape(599990, 1, seller=True)
    desk.core.advance(START_MS + 4 * DAY_MS)
    assert desk.refusal("GET", "v1/algoOrder", algoId=str(dropped["algoId"])) == -2013
    assert desk.call("GET", "v1/algoOrder", algoId=str(fired["algoId"]))["algoStatus"] == "FINISHED"
    desk.core.advance(START_MS + 91 * DAY_MS)
    assert desk.refusal("GET", "v1/algoOrder", algoId=str(fired["algoId"])) == -2013
    assert desk.call("GET", "v1/algoOrder", algoId=str(waiting["algoId"]))["algoStatus"] == "NEW"


@pytest.mark.parametrize("every_h", [1, 7])
def test_a_dump_does_not_grow_with_what_has_ended(every_h: int) -> None:
    desk = desk_with_book()
    desk.mark("60000", next_funding_ms=START_MS + 1)
    sizes = []
    for day in range(12):
        for hour in range(0, 24, every_h):
            desk.core.advance(START_MS + day * DAY_MS + hour * HOUR_MS)
            for number in range(4):
                cancelled(desk, f"d{day}h{hour}n{number}")
            desk.core.drain()
        sizes.append(len(desk.core.dump()))
    # Three funding times a day are still added; a day of orders is not.
    assert (sizes[-1] - sizes[4]) / 7 < (sizes[2] - sizes[0]) / 2 / 10


def test_forgetting_is_the_same_after_a_restart_and_leaves_no_stale_row() -> None:
    desk = desk_with_book()
    twin = Desk()
    for day in range(8):
        desk.core.advance(START_MS + day * DAY_MS)
        for number in range(20):
            cancelled(desk, f"d{day}n{number}")
        desk.place("BUY" if day % 2 else "SELL", "0.010")
        desk.core.drain()
        saved = desk.core.dump()
        twin.core = VenueCore.load(saved)
        assert twin.core.dump() == saved
    # An encoded row that outlived its order would turn up here under another order's identity.
    assert [row["clientOrderId"] for row in twin.core.truth()["orders"]] == known(desk)
    later = START_MS + 11 * DAY_MS + HOUR_MS
    for core in (desk.core, twin.core):
        core.advance(later)
    assert desk.core.dump() == twin.core.dump()
    assert len(desk.core._world.frozen) <= len(known(desk)) + len(desk.core.truth()["fills"]) + len(
        desk.core.truth()["income"]
    )
    assert D(desk.wallet()) > 0
