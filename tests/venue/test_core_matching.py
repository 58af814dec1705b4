"""Queue places, reduce-only re-checks and self-trade prevention, each told by hand-made markets."""

import pytest
from gridops.venue.core import VenueCore
from tests.venue.core_kit import Desk, desk_with_book


def resting(desk: Desk, price: str = "60000", quantity: str = "0.010") -> dict[str, object]:
    """A resting buy at the best bid."""
    placed: dict[str, object] = desk.place("BUY", quantity, price)
    return placed


def thin_desk() -> Desk:
    """Fifty lots at the best bid, fifty at the best ask nine ticks away."""
    desk = Desk()
    desk.book([(600000, 50), (599990, 50)], [(600009, 50)])
    return desk


def ahead(desk: Desk, number: int = 0) -> int:
    """Queue ahead of one order by the oracle."""
    return int(desk.core.truth()["orders"][number]["queueAheadLots"])


def filled(desk: Desk, number: int = 0) -> int:
    """Filled lots of one order by the oracle."""
    return int(float(desk.core.truth()["orders"][number]["executedQty"]) * 1000 + 0.5)


def test_the_tape_eats_the_queue_ahead_before_it_fills_us() -> None:
    desk = thin_desk()
    resting(desk)
    for lots, left, got in ((30, 20, 0), (20, 0, 0), (4, 0, 4), (100, 0, 10)):
        desk.tape(600000, lots, seller=True)
        assert (ahead(desk), filled(desk)) == (left, got)


def test_buyers_on_the_tape_do_not_fill_a_bid() -> None:
    desk = thin_desk()
    resting(desk)
    desk.tape(600009, 500, seller=False)
    assert (ahead(desk), filled(desk)) == (50, 0)


def test_a_trade_through_our_price_fills_us_up_to_its_lots() -> None:
    desk = thin_desk()
    resting(desk)
    desk.tape(599995, 6, seller=True)
    assert filled(desk) == 6
    desk.tape(599995, 6, seller=True)
    assert filled(desk) == 10


def test_a_better_price_of_ours_is_filled_first() -> None:
    desk = thin_desk()
    low, high = resting(desk, "59999"), resting(desk, "60000")
    desk.tape(599989, 15, seller=True)
    assert (desk.order(low)["executedQty"], desk.order(high)["executedQty"]) == ("0.005", "0.010")


def test_cancellations_in_the_queue_are_spread_evenly_and_rounded_against_us() -> None:
    desk = thin_desk()
    resting(desk)
    desk.diff(bids=[(600000, 150)])
    assert ahead(desk) == 50
    desk.diff(bids=[(600000, 75)])
    assert ahead(desk) == 25
    desk.diff(bids=[(600000, 74)])
    assert ahead(desk) == 25
    desk.diff(bids=[(600000, 0)])
    assert ahead(desk) == 0


def test_a_decrease_explained_by_the_tape_is_not_counted_twice() -> None:
    desk = thin_desk()
    resting(desk)
    desk.tape(600000, 20, seller=True)
    desk.diff(bids=[(600000, 30)])
    assert ahead(desk) == 30
    desk.diff(bids=[(600000, 15)])
    assert ahead(desk) == 15


def test_the_book_moving_through_our_price_fills_us_at_our_price() -> None:
    desk = thin_desk()
    resting(desk)
    desk.core.drain()
    desk.diff(bids=[(600000, 0)], asks=[(599995, 7)])
    assert filled(desk) == 7
    fill = next(event for event in desk.private() if event["e"] == "ORDER_TRADE_UPDATE")["o"]
    assert (fill["L"], fill["l"], fill["m"]) == ("60000.00", "0.007", True)
    desk.diff(asks=[(599995, 9)])
    assert filled(desk) == 10


def test_what_our_taker_ate_comes_back_only_when_the_level_is_stated_again() -> None:
    desk = thin_desk()
    desk.place("BUY", "0.050", "60000.9", timeInForce="IOC")
    assert desk.core.truth()["book"]["BTCUSDT"]["ask"] is None
    desk.diff(asks=[(600010, 5)])
    assert desk.core.truth()["book"]["BTCUSDT"]["ask"] == "60001.00"
    desk.diff(asks=[(600009, 50)])
    assert desk.core.truth()["book"]["BTCUSDT"]["ask"] == "60000.90"


def test_accounts_queue_by_time_at_one_price() -> None:
    desk = Desk()
    desk.book([(599990, 5)], [(600020, 5)])
    first = desk.place("BUY", "0.010", "60000")
    second = desk.place("BUY", "0.010", "60000", account="b")
    assert desk.core.external_trade("BTCUSDT", "SELL", 15, 600000) == 0
    assert desk.order(first)["executedQty"] == "0.010"
    assert desk.order(second, "b")["executedQty"] == "0.005"


def test_our_orders_trade_with_each_other_at_the_resting_price() -> None:
    desk = Desk()
    desk.book([(599990, 5)], [(600020, 5)])
    desk.place("SELL", "0.010", "60001", account="b")
    taken = desk.place("BUY", "0.010", "60001.5")
    assert taken["status"] == "FILLED"
    (mine,), (theirs,) = desk.call("GET", "v1/userTrades"), desk.call("GET", "v1/userTrades", account="b")
    assert (mine["price"], mine["maker"], theirs["maker"]) == ("60001.00", False, True)
    assert mine["id"] == theirs["id"]
    assert (desk.lots("a"), desk.lots("b")) == (10, -10)


@pytest.mark.parametrize(
    ("mode", "maker_status", "taker_status", "traded"),
    [
        ("NONE", "FILLED", "FILLED", True),
        ("EXPIRE_TAKER", "NEW", "EXPIRED_IN_MATCH", False),
        ("EXPIRE_MAKER", "EXPIRED_IN_MATCH", "NEW", False),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH", False),
    ],
)
def test_self_trade_prevention(mode: str, maker_status: str, taker_status: str, traded: bool) -> None:
    desk = Desk()
    desk.book([(599990, 5)], [(600020, 5)])
    maker = desk.place("SELL", "0.010", "60001")
    desk.core.drain()
    taker = desk.place("BUY", "0.010", "60001", selfTradePreventionMode=mode)
    assert (desk.order(maker)["status"], taker["status"]) == (maker_status, taker_status)
    assert bool(desk.call("GET", "v1/userTrades")) is traded
    reasons = {event["o"]["er"] for event in desk.private() if event.get("o", {}).get("X") == "EXPIRED_IN_MATCH"}
    assert reasons == (set() if traded else {"1"})


def test_an_immediate_order_stopped_by_self_trade_prevention_names_both_reasons() -> None:
    desk = Desk()
    desk.book([(599990, 5)], [(600020, 5)])
    desk.place("SELL", "0.010", "60001")
    more = {"timeInForce": "IOC", "selfTradePreventionMode": "EXPIRE_TAKER"}
    desk.place("BUY", "0.010", "60001", **more)
    assert desk.private()[-1]["o"]["er"] == "3"


def long_desk(quantity: str = "0.030") -> Desk:
    """Account a is long."""
    desk = desk_with_book()
    desk.place("BUY", quantity)
    desk.core.drain()
    return desk


def test_reduce_only_needs_an_opposite_position() -> None:
    desk = long_desk()
    assert desk.refused_place("BUY", "0.010", "59990", reduceOnly="true") == -2022
    assert desk.refused_place("SELL", "0.010", "60010", account="b", reduceOnly="true") == -2022


def test_reduce_only_orders_may_not_exceed_the_position_together() -> None:
    desk = long_desk()
    desk.place("SELL", "0.020", "60010", reduceOnly="true")
    assert desk.refused_place("SELL", "0.011", "60011", reduceOnly="true") == -4118
    order = desk.place("SELL", "0.010", "60011", reduceOnly="true")
    assert desk.refused_amend(order, "0.011", "60012") == -4118


def test_resting_reduce_only_orders_lose_their_room_worst_first() -> None:
    desk = long_desk()
    near = desk.place("SELL", "0.010", "60010", reduceOnly="true")
    far = desk.place("SELL", "0.020", "60011", reduceOnly="true")
    desk.core.drain()
    desk.place("SELL", "0.015")
    assert desk.order(near)["status"] == "NEW"
    assert desk.order(far)["status"] == "EXPIRED"
    knocked = next(event["o"] for event in desk.private() if event.get("o", {}).get("i") == far["orderId"])
    assert (knocked["x"], knocked["er"]) == ("EXPIRED", "4")


def test_a_partial_reduction_keeps_the_orders_that_still_fit() -> None:
    desk = long_desk()
    near = desk.place("SELL", "0.010", "60000.5", reduceOnly="true")
    far = desk.place("SELL", "0.020", "60001", reduceOnly="true")
    desk.tape(600006, 4, seller=False)
    assert (desk.lots(), desk.order(near)["status"], desk.order(far)["status"]) == (26, "PARTIALLY_FILLED", "NEW")


def test_reduce_only_orders_expire_when_the_position_is_gone() -> None:
    desk = long_desk()
    order = desk.place("SELL", "0.010", "60010", reduceOnly="true")
    desk.place("SELL", "0.030")
    assert (desk.lots(), desk.order(order)["status"]) == (0, "EXPIRED")


def test_a_reduce_only_market_order_never_turns_the_position() -> None:
    desk = long_desk()
    done = desk.place("SELL", "0.500", reduceOnly="true")
    assert (desk.lots(), done["status"], done["executedQty"]) == (0, "EXPIRED", "0.030")


def test_saved_and_reloaded_queues_keep_their_places() -> None:
    desk = thin_desk()
    resting(desk)
    desk.tape(600000, 20, seller=True)
    desk.core = VenueCore.load(desk.core.dump())
    assert ahead(desk) == 30
    desk.diff(bids=[(600000, 30)])
    assert ahead(desk) == 30
    desk.tape(600000, 33, seller=True)
    assert filled(desk) == 3


def test_reloaded_queues_follow_priority_not_order_ids() -> None:
    desk = Desk()
    desk.book([(599990, 5)], [(600020, 5)])
    early = desk.place("BUY", "0.010", "59995")
    late = desk.place("BUY", "0.010", "60000")
    desk.amend(early, "0.010", "60000")
    desk.core = VenueCore.load(desk.core.dump())
    desk.core.external_trade("BTCUSDT", "SELL", 10, 600000)
    assert (desk.order(early)["executedQty"], desk.order(late)["executedQty"]) == ("0.000", "0.010")
