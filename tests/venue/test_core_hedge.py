"""Hedge mode: two positions a symbol, closing by direction, events and money of each side for itself."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from gridops.venue.core import Fidelity, VenueCore
from tests.venue.core_kit import START_MS, D, Desk, desk_with_book


def hedged(**options: Any) -> Desk:
    """A desk in hedge mode with ten levels of outside book."""
    desk = desk_with_book(**options)
    desk.call("POST", "v1/positionSide/dual", symbol=None, dualSidePosition="true")
    desk.core.drain()
    return desk


def held(desk: Desk) -> dict[str, str]:
    """Amount by side, as positionRisk lists them."""
    return {row["positionSide"]: row["positionAmt"] for row in desk.call("GET", "v2/positionRisk")}


def both_open() -> Desk:
    """Long 0.3 and short 0.1."""
    desk = hedged()
    desk.place("BUY", "0.300", positionSide="LONG")
    desk.place("SELL", "0.100", positionSide="SHORT")
    desk.core.drain()
    return desk


def test_two_positions_stand_beside_each_other() -> None:
    desk = both_open()
    assert held(desk) == {"LONG": "0.300", "SHORT": "-0.100"}
    rows = {row["positionSide"]: row for row in desk.call("GET", "v3/positionRisk")}
    assert (rows["LONG"]["entryPrice"], rows["SHORT"]["entryPrice"]) == ("60000.1", "60000")
    sides = [row["positionSide"] for row in desk.call("GET", "v3/account", symbol=None)["positions"]]
    assert sides == ["LONG", "SHORT"]
    assert [row["positionSide"] for row in desk.call("GET", "v1/userTrades")] == ["LONG", "SHORT"]
    assert not [row for row in desk.call("GET", "v1/income", symbol=None) if row["incomeType"] == "REALIZED_PNL"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, -4061),
        ({"positionSide": "BOTH"}, -4061),
        ({"positionSide": "UP"}, -4061),
        ({"positionSide": "LONG", "reduceOnly": "true"}, -1106),
        ({"positionSide": "LONG", "reduceOnly": "false"}, -1106),
        ({"positionSide": "SHORT"}, -2022),
    ],
)
def test_orders_that_hedge_mode_refuses(more: dict[str, str], code: int) -> None:
    assert hedged().refused_place("BUY", "0.100", **more) == code


@pytest.mark.parametrize("side", ["LONG", "SHORT", "up"])
def test_one_way_mode_takes_no_position_side(side: str) -> None:
    assert desk_with_book().refused_place("BUY", "0.100", positionSide=side) == -4061


def test_a_closing_order_shrinks_its_own_side_only() -> None:
    desk = both_open()
    answer = desk.place("SELL", "0.200", positionSide="LONG")
    assert (answer["positionSide"], answer["reduceOnly"]) == ("LONG", True)
    assert held(desk) == {"LONG": "0.100", "SHORT": "-0.100"}
    desk.place("BUY", "0.100", positionSide="SHORT")
    assert held(desk) == {"LONG": "0.100", "SHORT": "0.000"}


def test_a_closing_order_never_turns_the_position() -> None:
    desk = both_open()
    answer = desk.place("SELL", "0.500", positionSide="LONG")
    assert (answer["status"], answer["executedQty"]) == ("EXPIRED", "0.300")
    assert held(desk)["LONG"] == "0.000"


def test_resting_closing_orders_may_not_exceed_the_position_and_expire_with_it() -> None:
    desk = both_open()
    first = desk.place("SELL", "0.200", "60090", positionSide="LONG")
    assert desk.refused_place("SELL", "0.101", "60091", positionSide="LONG") == -4118
    desk.place("SELL", "0.100", "60091", positionSide="LONG")
    other = desk.place("BUY", "0.100", "59990", positionSide="SHORT")
    opening = desk.place("SELL", "0.050", "60092", positionSide="SHORT")
    desk.core.drain()
    desk.place("SELL", "0.300", positionSide="LONG")
    ended = [e["o"] for e in desk.private() if e["e"] == "ORDER_TRADE_UPDATE" and e["o"]["x"] == "EXPIRED"]
    assert [(o["ps"], o["er"], o["X"]) for o in ended] == [("LONG", "4", "EXPIRED")] * 2
    assert desk.order(first)["status"] == "EXPIRED"
    assert [desk.order(one)["status"] for one in (other, opening)] == ["NEW", "NEW"]


def test_a_closing_order_may_be_smaller_than_the_least_notional() -> None:
    desk = both_open()
    assert desk.refused_place("BUY", "0.001", "59990", positionSide="LONG") == -4164
    assert desk.place("SELL", "0.001", "60050", positionSide="LONG")["status"] == "NEW"


def test_events_name_the_side_and_show_only_that_position() -> None:
    desk = both_open()
    desk.place("SELL", "0.100", positionSide="LONG")
    events = desk.private()
    (update,) = [event["a"] for event in events if event["e"] == "ACCOUNT_UPDATE"]
    assert [(row["ps"], row["pa"], row["ep"]) for row in update["P"]] == [("LONG", "0.200", "60000.1")]
    assert {event["o"]["ps"] for event in events if event["e"] == "ORDER_TRADE_UPDATE"} == {"LONG"}


def test_both_sides_bind_margin() -> None:
    desk = both_open()
    desk.mark("60000")
    opening = desk.place("BUY", "0.100", "59990", positionSide="LONG")
    desk.place("SELL", "0.100", "60050", positionSide="LONG")
    body = desk.call("GET", "v3/account", symbol=None)
    assert D(body["totalPositionInitialMargin"]) == D(60000) * D("0.4") / 20
    assert D(body["totalOpenOrderInitialMargin"]) == D(59990) * D("0.1") / 20
    assert D(body["totalMaintMargin"]) == D(60000) * D("0.4") * D("0.004")
    assert D(opening["price"]) == 59990
    rows = {row["positionSide"]: row for row in body["positions"]}
    assert D(rows["LONG"]["initialMargin"]) == D(60000) * D("0.3") / 20 + D(59990) * D("0.1") / 20
    assert D(rows["SHORT"]["initialMargin"]) == D(60000) * D("0.1") / 20


def test_funding_is_paid_by_the_long_and_received_by_the_short() -> None:
    desk = both_open()
    desk.mark("60000", rate="0.001", next_funding_ms=START_MS + 1_000)
    desk.core.drain()
    desk.core.advance(START_MS + 1_000)
    rows = [row for row in desk.call("GET", "v1/income", symbol=None) if row["incomeType"] == "FUNDING_FEE"]
    assert [D(row["income"]) for row in rows] == [D(-18), D(6)]
    updates = [event["a"] for event in desk.private() if event["e"] == "ACCOUNT_UPDATE"]
    assert [(update["m"], update["P"], update["S"]) for update in updates] == [("FUNDING_FEE", [], "BTCUSDT")] * 2


def test_the_liquidation_price_is_shared_and_true() -> None:
    desk = hedged(wallet="2000")
    desk.place("BUY", "0.500", positionSide="LONG")
    desk.place("SELL", "0.100", positionSide="SHORT")
    desk.mark("60000")
    rows = desk.call("GET", "v3/positionRisk")
    assert len({row["liquidationPrice"] for row in rows}) == 1
    price = D(rows[0]["liquidationPrice"])
    wallet, entry, other = Fraction(desk.wallet()), Fraction("60000.1"), Fraction(60000)
    at = Fraction(price)
    equity = wallet + (at - entry) / 2 - (at - other) / 10
    # The price is printed with eight decimals.
    assert abs(equity - at * Fraction("0.6") * Fraction("0.004")) < Fraction(1, 10**7)


def test_liquidation_takes_both_sides() -> None:
    desk = hedged(wallet="2000")
    desk.place("BUY", "0.500", positionSide="LONG")
    desk.place("SELL", "0.100", positionSide="SHORT")
    desk.place("SELL", "0.100", "60050", positionSide="LONG")
    desk.core.drain()
    desk.mark("55000")
    assert held(desk) == {"LONG": "0.000", "SHORT": "0.000"}
    events = [event["o"] for event in desk.private() if event["e"] == "ORDER_TRADE_UPDATE"]
    closed = [(o["ps"], o["S"]) for o in events if o["x"] == "CALCULATED"]
    assert closed[0] == ("LONG", "SELL") and closed[-1] == ("SHORT", "BUY")
    assert desk.core.truth()["violations"] == []


@pytest.mark.parametrize(("side", "position", "code"), [("BUY", "LONG", -4136), ("SELL", "SHORT", -4136)])
def test_a_close_position_order_must_close(side: str, position: str, code: int) -> None:
    desk = both_open()
    params = {"algoType": "CONDITIONAL", "type": "STOP_MARKET", "triggerPrice": "59000", "closePosition": "true"}
    assert desk.refusal("POST", "v1/algoOrder", side=side, positionSide=position, **params) == code


def test_a_close_position_order_closes_its_side() -> None:
    desk = both_open()
    desk.tape(600001, 1, seller=False)
    params = {"algoType": "CONDITIONAL", "type": "STOP_MARKET", "triggerPrice": "59999", "closePosition": "true"}
    made = desk.call("POST", "v1/algoOrder", side="SELL", positionSide="LONG", **params)
    assert (made["positionSide"], made["closePosition"]) == ("LONG", True)
    assert desk.refusal("POST", "v1/algoOrder", side="SELL", **params) == -4061
    refused = {**params, "reduceOnly": "true", "side": "SELL", "positionSide": "LONG"}
    assert desk.refusal("POST", "v1/algoOrder", **refused) == -1106
    desk.core.drain()
    desk.tape(599990, 1, seller=True)
    assert held(desk) == {"LONG": "0.000", "SHORT": "-0.100"}
    algos = [event["o"] for event in desk.private() if event["e"] == "ALGO_UPDATE"]
    assert {o["ps"] for o in algos} == {"LONG"} and algos[-1]["X"] == "FINISHED"


def test_a_conditional_order_opens_its_side() -> None:
    desk = hedged()
    desk.tape(600001, 1, seller=False)
    params = {"algoType": "CONDITIONAL", "type": "STOP_MARKET", "triggerPrice": "59999", "quantity": "0.100"}
    desk.call("POST", "v1/algoOrder", side="SELL", positionSide="SHORT", **params)
    desk.tape(599990, 1, seller=True)
    assert held(desk) == {"LONG": "0.000", "SHORT": "-0.100"}


def test_the_older_conditional_order_keeps_its_side() -> None:
    desk = hedged(fidelity=Fidelity(older_conditionals=True))
    desk.place("BUY", "0.300", positionSide="LONG")
    desk.tape(600001, 1, seller=False)
    params = {"side": "SELL", "type": "STOP_MARKET", "stopPrice": "59999", "quantity": "0.100"}
    desk.call("POST", "v1/order", positionSide="LONG", **params)
    desk.tape(599990, 1, seller=True)
    assert held(desk) == {"LONG": "0.200", "SHORT": "0.000"}


def test_an_amended_closing_order_stays_within_the_position() -> None:
    desk = both_open()
    order = desk.place("SELL", "0.300", "60090", positionSide="LONG")
    assert desk.refused_amend(order, "0.301", "60090") == -4118
    assert desk.amend(order, "0.100", "60095")["positionSide"] == "LONG"


def test_the_mode_stays_while_anything_is_open() -> None:
    desk = both_open()
    assert desk.refusal("POST", "v1/positionSide/dual", dualSidePosition="false") == -4068
    order = desk.place("BUY", "0.100", "59990", positionSide="LONG")
    assert desk.refusal("POST", "v1/positionSide/dual", dualSidePosition="false") == -4067
    desk.call("DELETE", "v1/order", orderId=str(order["orderId"]))
    desk.place("SELL", "0.300", positionSide="LONG")
    desk.place("BUY", "0.100", positionSide="SHORT")
    desk.call("POST", "v1/positionSide/dual", dualSidePosition="false")
    desk.place("BUY", "0.200")
    assert held(desk) == {"BOTH": "0.200"}
    assert desk.core.truth()["violations"] == []


def test_deleveraging_takes_the_larger_side() -> None:
    desk = both_open()
    desk.mark("60000")
    assert desk.core.interfere("deleverage", "BTCUSDT", 40, account="a") == 40
    assert held(desk) == {"LONG": "0.260", "SHORT": "-0.100"}


def test_a_restarted_venue_keeps_both_sides() -> None:
    desk = both_open()
    desk.place("SELL", "0.300", "60090", positionSide="LONG")
    saved = desk.core.dump()
    desk.core = VenueCore.load(saved)
    assert desk.core.dump() == saved
    assert held(desk) == {"LONG": "0.300", "SHORT": "-0.100"}
    assert desk.refused_place("SELL", "0.001", "60091", positionSide="LONG") == -4118


def test_profit_of_each_side_is_its_own() -> None:
    desk = both_open()
    before = desk.wallet()
    desk.book([(610000, 1000)], [(610001, 1000)])
    desk.place("SELL", "0.300", positionSide="LONG")
    desk.place("BUY", "0.100", positionSide="SHORT")
    long, short = (D("61000") - D("60000.1")) * D("0.3"), (D("60000") - D("61000.1")) * D("0.1")
    fees = (D(61000) * D("0.3") + D("61000.1") * D("0.1")) * Decimal("0.0005")
    assert desk.wallet() - before == long + short - fees
    rows = [row for row in desk.call("GET", "v1/income", symbol=None) if row["incomeType"] == "REALIZED_PNL"]
    assert [D(row["income"]) for row in rows] == [long, short]


def test_the_other_side_makes_no_room_for_a_resting_closing_order() -> None:
    desk = both_open()
    order = desk.place("SELL", "0.300", "60090", positionSide="LONG")
    desk.place("SELL", "0.050", positionSide="LONG")
    assert desk.order(order)["status"] == "EXPIRED"
