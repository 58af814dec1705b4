"""New orders, amendments, cancels and queries follow the venue's rules, code by code."""

import json
from dataclasses import replace

import pytest
from gridops.venue.core import Fidelity, VenueError
from tests.venue.core_kit import BTC, START_MS, Desk, desk_with_book


def test_a_post_only_order_that_would_take_leaves_no_trace() -> None:
    desk = desk_with_book()
    assert desk.refused_place("BUY", "0.010", "60000.1", timeInForce="GTX") == -5022
    assert desk.core.truth()["orders"] == []
    assert desk.private() == []
    assert desk.place("BUY", "0.010", "60000", timeInForce="GTX")["status"] == "NEW"


def test_a_post_only_order_sees_other_accounts_orders() -> None:
    desk = Desk()
    desk.book([(600000, 5)], [(600009, 5)])
    desk.place("SELL", "0.010", "60000.5", account="b")
    assert desk.refused_place("BUY", "0.010", "60000.5", timeInForce="GTX") == -5022


def test_fill_or_kill_is_all_or_nothing() -> None:
    desk = desk_with_book()
    assert desk.refused_place("BUY", "1.001", "60000.1", timeInForce="FOK") == -5021
    assert desk.place("BUY", "1.001", "60000.2", timeInForce="FOK")["status"] == "FILLED"


def test_immediate_or_cancel_expires_its_rest() -> None:
    desk = desk_with_book()
    done = desk.place("BUY", "1.500", "60000.1", timeInForce="IOC")
    assert (done["status"], done["executedQty"]) == ("EXPIRED", "1.000")
    last = [event["o"] for event in desk.private() if event["e"] == "ORDER_TRADE_UPDATE"][-1]
    assert (last["x"], last["X"], last["er"]) == ("EXPIRED", "EXPIRED", "2")


def test_an_ack_reply_shows_the_order_as_accepted() -> None:
    desk = desk_with_book()
    answer = desk.place("BUY", "0.010", newOrderRespType="ACK")
    assert (answer["status"], answer["executedQty"]) == ("NEW", "0.000")
    assert desk.order(answer)["status"] == "FILLED"


def test_slim_replies_hide_the_average_and_the_legacy_switch_shows_it() -> None:
    slim = desk_with_book().place("BUY", "0.010")
    assert not {"avgPrice", "cumQuote"} & slim.keys()
    legacy = desk_with_book(fidelity=Fidelity(slim_replies=False)).place("BUY", "0.010")
    assert (legacy["avgPrice"], legacy["cumQuote"]) == ("60000.1", "600.001")


def test_client_ids_are_unique_among_open_orders_only() -> None:
    desk = desk_with_book()
    first = desk.place("BUY", "0.010", "59990", newClientOrderId="go.A:/b_-9")
    assert desk.refused_place("BUY", "0.010", "59990", newClientOrderId="go.A:/b_-9") == -4116
    desk.place("BUY", "0.010", "59990", account="b", newClientOrderId="go.A:/b_-9")
    desk.call("DELETE", "v1/order", origClientOrderId="go.A:/b_-9")
    second = desk.place("BUY", "0.010", "59990", newClientOrderId="go.A:/b_-9")
    assert second["orderId"] > first["orderId"]
    assert desk.call("GET", "v1/order", origClientOrderId="go.A:/b_-9")["orderId"] == second["orderId"]


def test_generated_client_ids_are_valid_and_unique() -> None:
    desk = desk_with_book()
    made = {desk.place("BUY", "0.010", "59990")["clientOrderId"] for _ in range(20)}
    assert len(made) == 20 and all(1 <= len(name) <= 36 for name in made)


def test_unknown_orders_answer_by_verb() -> None:
    desk = desk_with_book()
    order = desk.place("BUY", "0.010", "59990")
    desk.call("DELETE", "v1/order", orderId=str(order["orderId"]))
    for method, code in (("DELETE", -2011), ("GET", -2013)):
        assert desk.refusal(method, "v1/order", orderId="1") == code
        assert desk.refusal(method, "v1/order", origClientOrderId="nobody") == code
        assert desk.refusal(method, "v1/order") == -1102
    assert desk.refusal("DELETE", "v1/order", orderId=str(order["orderId"])) == -2011
    assert desk.refused_amend(order, "0.010", "59980") == -2013
    assert desk.refusal("GET", "v1/openOrder", orderId=str(order["orderId"])) == -2013
    assert desk.refusal("GET", "v1/order", account="b", orderId=str(order["orderId"])) == -2013
    assert desk.order(order)["status"] == "CANCELED"


def test_an_unfilled_cancelled_order_is_forgotten_after_three_days() -> None:
    desk = desk_with_book()
    order = desk.place("BUY", "0.010", "59990")
    desk.call("DELETE", "v1/order", orderId=str(order["orderId"]))
    desk.core.advance(START_MS + 3 * 86_400_000)
    assert desk.order(order)["status"] == "CANCELED"
    desk.core.advance(START_MS + 3 * 86_400_000 + 1)
    assert desk.refusal("GET", "v1/order", orderId=str(order["orderId"])) == -2013


def test_an_amendment_keeps_the_ids_and_shows_the_new_values() -> None:
    desk = desk_with_book()
    order = desk.place("BUY", "0.010", "59990", newClientOrderId="mine", timeInForce="GTX")
    desk.core.drain()
    answer = desk.amend(order, "0.020", "59991", modifyId="77")
    assert (answer["orderId"], answer["clientOrderId"], answer["status"]) == (order["orderId"], "mine", "NEW")
    assert (answer["price"], answer["origQty"], answer["modifyId"]) == ("59991.00", "0.020", 77)
    (event,) = desk.private()
    shown = event["o"]
    assert (shown["x"], shown["X"], shown["p"], shown["q"], shown["z"]) == (
        "AMENDMENT",
        "NEW",
        "59991.00",
        "0.020",
        "0",
    )
    assert (shown["M"], shown["V"], shown["f"]) == (77, "NONE", "GTX")
    (line,) = desk.call("GET", "v1/orderAmendment", orderId=str(order["orderId"]))
    assert line["amendment"] == {
        "price": {"before": "59990.00", "after": "59991.00"},
        "origQty": {"before": "0.010", "after": "0.020"},
        "count": 1,
        "modifyId": 77,
    }


def test_an_amendment_can_be_addressed_by_client_id_and_the_order_id_wins() -> None:
    desk = desk_with_book()
    first = desk.place("BUY", "0.010", "59990", newClientOrderId="one")
    second = desk.place("BUY", "0.010", "59989", newClientOrderId="two")
    desk.call("PUT", "v1/order", side="BUY", quantity="0.010", price="59980", origClientOrderId="one")
    desk.amend(second, "0.010", "59970", origClientOrderId="one")
    assert (desk.order(first)["price"], desk.order(second)["price"]) == ("59980.00", "59970.00")


@pytest.mark.parametrize(
    ("quantity", "price", "more", "code"),
    [
        ("0.010", "59990", {}, -5027),
        ("0.001", "59990", {}, -5029),
        ("0.010", "59990.05", {}, -4014),
        ("0.0105", "59990", {}, -1111),
        ("0.010", "63000.10", {}, -4016),
        ("", "59990", {}, -1102),
        ("0.010", "", {}, -1102),
        ("0.010", "59980", {"side": ""}, -1102),
        ("0.010", "59980", {"side": "SELL"}, -1130),
        ("0.010", "59980", {"priceMatch": "QUEUE"}, -1106),
        ("900", "59980", {}, -2019),
    ],
)
def test_a_refused_amendment_leaves_the_order_untouched(
    quantity: str, price: str, more: dict[str, str], code: int
) -> None:
    desk = desk_with_book()
    desk.mark("60000")
    order = desk.place("BUY", "0.010", "59990")
    before = desk.core.truth()["orders"]
    desk.core.drain()
    assert desk.refused_amend(order, quantity, price, **more) == code
    assert desk.core.truth()["orders"] == before
    assert desk.core.drain() == []


def test_an_amendment_always_goes_to_the_back_of_the_queue() -> None:
    desk = Desk()
    desk.book([(600000, 50)], [(600009, 50)])
    order = desk.place("BUY", "0.010", "60000")
    desk.diff(bids=[(600000, 80)])
    assert desk.core.truth()["orders"][0]["queueAheadLots"] == 50
    desk.amend(order, "0.009", "60000")
    assert desk.core.truth()["orders"][0]["queueAheadLots"] == 80


def test_a_post_only_amendment_that_would_take_cancels_the_order() -> None:
    desk = desk_with_book()
    order = desk.place("BUY", "0.010", "59990", timeInForce="GTX")
    desk.core.drain()
    assert desk.amend(order, "0.010", "60000.1")["status"] == "CANCELED"
    assert [event["o"]["x"] for event in desk.private()] == ["CANCELED"]
    assert desk.lots() == 0


def test_a_crossing_amendment_of_a_plain_order_trades() -> None:
    desk = desk_with_book()
    order = desk.place("BUY", "0.010", "59990")
    desk.core.drain()
    assert desk.amend(order, "1.200", "60000.1")["status"] == "PARTIALLY_FILLED"
    told = [event["o"]["x"] for event in desk.private() if event["e"] == "ORDER_TRADE_UPDATE"]
    assert told == ["AMENDMENT", "TRADE"]
    assert desk.order(order)["executedQty"] == "1.000"


@pytest.mark.parametrize(("quantity", "status"), [("0.400", "CANCELED"), ("0.399", "CANCELED"), ("0.401", None)])
def test_a_part_filled_order_amended_to_what_is_executed_ends(quantity: str, status: str | None) -> None:
    desk = Desk()
    desk.book([(600000, 50)], [(600001, 400)])
    order = desk.place("BUY", "1", "60000.1")
    assert order["executedQty"] == "0.400"
    answer = desk.amend(order, quantity, "60000")
    assert answer["status"] == (status or "PARTIALLY_FILLED")
    assert answer["executedQty"] == "0.400"


def test_the_amendment_cap_and_the_pending_amendment() -> None:
    desk = desk_with_book(spec=replace(BTC, move_order_limit=2))
    order = desk.place("BUY", "0.010", "59990")
    desk.core.set_amend_pending(order["orderId"], True)
    assert desk.refused_amend(order, "0.010", "59989") == -5043
    desk.core.set_amend_pending(order["orderId"], False)
    for price in ("59989", "59988"):
        desk.amend(order, "0.010", price)
    assert desk.refused_amend(order, "0.010", "59987") == -5026
    assert [line["amendment"]["count"] for line in desk.call("GET", "v1/orderAmendment", **_id(order))] == [2, 1]


def _id(order: dict[str, object]) -> dict[str, str]:
    return {"orderId": str(order["orderId"])}


def test_batches_answer_in_request_order_with_refusals_among_them() -> None:
    desk = desk_with_book()
    leg = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
    legs = [{**leg, "price": "59990"}, {**leg, "price": "59990.05"}, {**leg, "price": 59989.5, "quantity": 0.01}]
    placed = desk.call("POST", "v1/batchOrders", batchOrders=json.dumps(legs))
    assert [row.get("status") or row["code"] for row in placed] == ["NEW", -4014, "NEW"]
    amends = [
        {"symbol": "BTCUSDT", "orderId": 1, "side": "BUY", "quantity": "0.010", "price": "59980"},
        {**_id(placed[0]), "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010", "price": "59980"},
    ]
    changed = desk.call("PUT", "v1/batchOrders", batchOrders=amends)
    assert [row.get("price") or row["code"] for row in changed] == [-2013, "59980.00"]
    ids = [placed[0]["orderId"], 5, placed[2]["orderId"]]
    gone = desk.call("DELETE", "v1/batchOrders", orderidlist=json.dumps(ids))
    assert [row.get("status") or row["code"] for row in gone] == ["CANCELED", -2011, "CANCELED"]


def test_batch_cancel_by_client_ids_in_both_spellings() -> None:
    desk = desk_with_book()
    for name in ("origClientOrderIdList", "origclientorderidlist"):
        desk.place("BUY", "0.010", "59990", newClientOrderId="c1")
        assert desk.call("DELETE", "v1/batchOrders", **{name: '["c1"]'})[0]["status"] == "CANCELED"


def test_batch_sizes() -> None:
    desk = desk_with_book()
    assert desk.refusal("POST", "v1/batchOrders", batchOrders=json.dumps([{}] * 6)) == -4082
    assert desk.refusal("PUT", "v1/batchOrders", batchOrders=json.dumps([{}] * 6)) == -4082
    assert desk.refusal("POST", "v1/batchOrders", batchOrders="[]") == -4082
    assert desk.refusal("DELETE", "v1/batchOrders", orderIdList=json.dumps([1] * 11)) == -4032
    assert desk.refusal("DELETE", "v1/batchOrders") == -1102
    assert desk.refusal("POST", "v1/batchOrders", batchOrders="{nonsense") == -1102
    assert desk.refusal("POST", "v1/batchOrders", batchOrders="5") == -1102
    assert desk.call("POST", "v1/batchOrders", batchOrders='["leg"]')[0]["code"] == -1102


def test_cancel_all_takes_the_symbols_orders_and_answers_even_for_none() -> None:
    desk = desk_with_book()
    desk.place("BUY", "0.010", "59990")
    desk.place("SELL", "0.010", "60090")
    desk.place("SELL", "0.010", "60090", account="b")
    for _ in range(2):
        assert desk.call("DELETE", "v1/allOpenOrders")["code"] == 200
    assert desk.call("GET", "v1/openOrders") == []
    assert len(desk.call("GET", "v1/openOrders", account="b")) == 1


def test_the_dead_man_timer_cancels_at_its_time_and_not_before() -> None:
    desk = desk_with_book()
    desk.place("BUY", "0.010", "59990")
    other = desk.place("BUY", "0.010", "59990", account="b")
    desk.call("POST", "v1/countdownCancelAll", countdownTime="120000")
    desk.core.advance(START_MS + 30_000)
    desk.call("POST", "v1/countdownCancelAll", countdownTime="120000")
    assert desk.core.next_deadline_ms() == START_MS + 150_000
    desk.core.advance(START_MS + 149_999)
    assert len(desk.call("GET", "v1/openOrders")) == 1
    desk.core.drain()
    desk.core.advance(START_MS + 200_000)
    assert desk.call("GET", "v1/openOrders") == []
    (event,) = desk.private()
    assert (event["o"]["X"], event["T"]) == ("CANCELED", START_MS + 150_000)
    assert desk.order(other, "b")["status"] == "NEW"


def test_the_dead_man_timer_can_be_disarmed() -> None:
    desk = desk_with_book()
    desk.place("BUY", "0.010", "59990")
    desk.call("POST", "v1/countdownCancelAll", countdownTime="1000")
    assert desk.call("POST", "v1/countdownCancelAll", countdownTime="0") == {"symbol": "BTCUSDT", "countdownTime": "0"}
    desk.core.advance(START_MS + 10_000)
    assert len(desk.call("GET", "v1/openOrders")) == 1
    assert desk.refusal("POST", "v1/countdownCancelAll", countdownTime="-1") == -1102


def test_good_till_date_expires() -> None:
    desk = desk_with_book()
    until = START_MS + 700_000
    order = desk.place("BUY", "0.010", "59990", timeInForce="GTD", goodTillDate=str(until))
    desk.core.advance(until - 1)
    assert desk.order(order)["status"] == "NEW"
    desk.core.advance(until)
    assert desk.order(order)["status"] == "EXPIRED"


def test_order_test_places_nothing() -> None:
    desk = desk_with_book()
    desk.call("POST", "v1/order/test", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.010", price="59990")
    assert desk.core.truth()["orders"] == []


def test_trade_queries() -> None:
    desk = desk_with_book()
    for _ in range(4):
        desk.place("BUY", "0.010")
    order = desk.place("SELL", "0.010")
    rows = desk.call("GET", "v1/userTrades")
    assert [row["id"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["id"] for row in desk.call("GET", "v1/userTrades", fromId="3")] == [3, 4, 5]
    assert [row["id"] for row in desk.call("GET", "v1/userTrades", fromId="2", limit="2")] == [2, 3]
    assert [row["id"] for row in desk.call("GET", "v1/userTrades", limit="2")] == [4, 5]
    assert [row["id"] for row in desk.call("GET", "v1/userTrades", **_id(order))] == [5]
    assert desk.call("GET", "v1/userTrades", startTime=str(START_MS + 1), endTime=str(START_MS + 2)) == []
    assert desk.refusal("GET", "v1/userTrades", fromId="1", startTime="5") == -1128
    assert desk.refusal("GET", "v1/userTrades", startTime="1", endTime=str(START_MS)) == -4165
    assert [row["orderId"] for row in desk.call("GET", "v1/allOrders", **_id(order))] == [order["orderId"]]
    assert len(desk.call("GET", "v1/allOrders")) == 5


def test_unknown_routes_and_accounts() -> None:
    desk = desk_with_book()
    with pytest.raises(VenueError) as caught:
        desk.core.call("a", "GET", "/sapi/v1/capital/config/getall", {}, START_MS)
    assert caught.value.status == 404
    with pytest.raises(VenueError) as caught:
        desk.core.call("nobody", "GET", "/fapi/v3/account", {}, START_MS)
    assert (caught.value.status, caught.value.code) == (401, -2015)


def test_price_match_takes_the_price_from_the_book() -> None:
    desk = desk_with_book()
    kind = {"type": "LIMIT", "timeInForce": "GTC", "newOrderRespType": "RESULT"}
    queued = desk.call("POST", "v1/order", side="BUY", quantity="0.010", priceMatch="QUEUE_5", **kind)
    assert (queued["price"], queued["priceMatch"]) == ("59999.60", "QUEUE_5")
    taken = desk.call("POST", "v1/order", side="BUY", quantity="0.010", priceMatch="OPPONENT", **kind)
    assert (taken["price"], taken["status"]) == ("60000.10", "FILLED")
    assert desk.refusal("POST", "v1/order", side="BUY", quantity="0.010", priceMatch="QUEUE_20", **kind) == -5041
