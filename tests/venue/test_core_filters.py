"""Every filter refuses under the venue's own code, and the value just inside it passes."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.venue.core_kit import BTC, Desk, desk_with_book

D = Decimal


@pytest.mark.parametrize(
    ("quantity", "price", "code"),
    [
        ("0.010", "0", -4001),
        ("0.010", "-5", -4001),
        ("0.010", "59990.055", -1111),
        ("0.010", "556.70", -4013),
        ("0.010", "4529764.10", -4002),
        ("0.010", "59990.05", -4014),
        ("0", "59990", -4003),
        ("-1", "59990", -4003),
        ("0.0015", "59990", -1111),
        ("1000.001", "59990", -4005),
        ("0.010", "63000.10", -4016),
        ("0.001", "59990", -4164),
    ],
)
def test_a_limit_buy_off_the_rules_is_refused(quantity: str, price: str, code: int) -> None:
    desk = desk_with_book()
    desk.mark("60000")
    assert desk.refused_place("BUY", quantity, price) == code
    assert desk.core.truth()["orders"] == []


def test_a_sell_below_the_band_is_refused_and_at_the_band_accepted() -> None:
    desk = desk_with_book()
    desk.mark("60000")
    assert desk.refused_place("SELL", "0.010", "56999.90") == -4024
    assert desk.place("SELL", "0.010", "57000")["status"] == "FILLED"
    assert desk.place("BUY", "0.010", "63000")["status"] == "FILLED"


def test_steps_wider_than_the_precision_have_their_own_code() -> None:
    coarse = replace(BTC, step_size=D("0.005"), min_qty=D("0.005"))
    desk = desk_with_book(spec=coarse)
    assert desk.refused_place("BUY", "0.007", "59990") == -4023
    assert desk.refused_place("BUY", "0.004", "59990") == -4004
    assert desk.place("BUY", "0.010", "59990")["status"] == "NEW"


def test_the_market_maximum_is_its_own() -> None:
    desk = desk_with_book(wallet="100000000")
    assert desk.refused_place("BUY", "120.001") == -4005
    assert desk.place("BUY", "120.001", "50000", account="b")["status"] == "NEW"


def test_min_notional_of_a_market_order_is_judged_at_the_mark() -> None:
    desk = desk_with_book()
    assert desk.refused_place("BUY", "0.001") == -4164
    assert desk.place("BUY", "0.002")["status"] == "FILLED"


def test_reduce_only_is_exempt_from_min_notional() -> None:
    desk = desk_with_book()
    desk.place("BUY", "0.010")
    assert desk.place("SELL", "0.001", "60010", reduceOnly="true")["status"] == "NEW"


def test_a_market_order_without_counterparty_in_the_band_is_refused() -> None:
    desk = Desk()
    assert desk.refused_place("BUY", "0.010") == -4131
    desk.book([(600000, 1000)], [(640000, 1000)])
    desk.mark("60000")
    assert desk.refused_place("BUY", "0.010") == -4131


def test_a_market_order_stops_at_the_band() -> None:
    desk = Desk(wallet="10000000")
    desk.book([(600000, 1000)], [(600001, 1000), (640000, 1000)])
    desk.mark("60000")
    done = desk.place("BUY", "2")
    assert (done["status"], done["executedQty"]) == ("EXPIRED", "1.000")


def test_the_open_order_cap() -> None:
    desk = desk_with_book(spec=replace(BTC, max_num_orders=3))
    for _ in range(3):
        desk.place("BUY", "0.010", "59990")
    assert desk.refused_place("BUY", "0.010", "59990") == -2025


def test_margin_and_bracket() -> None:
    desk = desk_with_book(wallet="1000")
    assert desk.refused_place("BUY", "0.400", "60000") == -2019
    assert desk.place("BUY", "0.333", "60000")["status"] == "NEW"
    assert desk.refused_place("BUY", "0.002", "59990") == -2019
    rich = desk_with_book(wallet="100000000")
    rich.call("POST", "v1/leverage", leverage="125")
    assert rich.refused_place("BUY", "5.001", "60000") == -2027
    assert rich.place("BUY", "5.000", "60000")["status"] == "NEW"


def test_an_order_that_reduces_needs_no_margin() -> None:
    desk = desk_with_book(wallet="1000")
    desk.place("BUY", "0.300")
    assert desk.place("SELL", "0.300", "60005")["status"] == "NEW"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"symbol": "NOPE"}, -1121),
        ({"symbol": None}, -1102),
        ({"side": "HOLD"}, -1117),
        ({"side": ""}, -1102),
        ({"type": "STOP_MARKET"}, -4120),
        ({"type": "ICEBERG"}, -1116),
        ({"timeInForce": "DAY"}, -1115),
        ({"timeInForce": ""}, -1102),
        ({"quantity": ""}, -1102),
        ({"quantity": "1e400"}, -1102),
        ({"quantity": "NaN"}, -1102),
        ({"quantity": "ten"}, -1102),
        ({"quantity": "1_0"}, -1102),
        ({"price": ""}, -1102),
        ({"price": "١٠٠"}, -1102),
        ({"newClientOrderId": "x" * 37}, -4015),
        ({"newClientOrderId": "white space"}, -4015),
        ({"newClientOrderId": "ümlaut"}, -4015),
        ({"newClientOrderId": "line\n"}, -4015),
        ({"newOrderRespType": "FULL"}, -1136),
        ({"reduceOnly": "maybe"}, -1102),
        ({"reduceOnly": "true"}, -2022),
        ({"positionSide": "LONG"}, -4061),
        ({"timeInForce": "GTD"}, -1102),
        ({"timeInForce": "GTD", "goodTillDate": "1"}, -5040),
        ({"closePosition": "true"}, -4136),
        ({"priceMatch": "QUEUE"}, -1106),
    ],
)
def test_malformed_orders_are_refused(change: dict[str, str | None], code: int) -> None:
    desk = desk_with_book()
    sent: dict[str, Any] = {
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.010",
        "price": "59990",
        **change,
    }
    assert desk.refusal("POST", "v1/order", **sent) == code
    assert desk.refusal("POST", "v1/order/test", **sent) == code


def test_market_orders_carry_neither_price_nor_time_in_force() -> None:
    desk = desk_with_book()
    kind = {"side": "BUY", "quantity": "0.010", "type": "MARKET"}
    assert desk.refusal("POST", "v1/order", price="59990", **kind) == -1106
    assert desk.refusal("POST", "v1/order", timeInForce="GTC", **kind) == -1106


def test_a_symbol_that_does_not_trade_takes_no_order_and_no_amendment() -> None:
    desk = desk_with_book()
    order = desk.place("BUY", "0.010", "59990")
    desk.core.set_symbol_status("BTCUSDT", "SETTLING")
    assert desk.refused_place("BUY", "0.010", "59990") == -4140
    assert desk.refused_amend(order, "0.010", "59991") == -5024
    desk.call("DELETE", "v1/order", orderId=str(order["orderId"]))
