"""Three recorded order life cycles happen again: same events in the same order, same fields, types, statuses."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gridops.venue.core import Fidelity
from tests.venue.core_kit import BTC, Desk

CHEAP = replace(
    BTC,
    tick_size=Decimal("0.000001"),
    step_size=Decimal(1),
    min_price=Decimal("0.000001"),
    max_price=Decimal(100),
    min_qty=Decimal(1),
    max_qty=Decimal(10_000_000),
    market_max_qty=Decimal(10_000_000),
    min_notional=Decimal(5),
    price_precision=7,
    quantity_precision=0,
)
KINDS = ("ORDER_TRADE_UPDATE", "ALGO_UPDATE", "CONDITIONAL_ORDER_TRIGGER_REJECT")
# Identities and moments, and sums over the recorded account's other orders.
ITS_OWN = {"i", "aid", "ai", "si", "caid", "c", "t", "T", "E", "tt", "s", "b", "a", "N"}


def recorded(shared_data: Path, name: str) -> list[dict[str, Any]]:
    folder = shared_data / "protocol" / "binance_usdm" / "ws_user"
    (path,) = folder.glob(f"sequence.{name}__*.json")
    return list(json.loads(path.read_text()))


def told(desk: Desk) -> list[dict[str, Any]]:
    return [event for event in desk.private() if event["e"] in KINDS]


def assert_same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    steps = [[(event["e"], inner(event).get("x"), inner(event).get("X")) for event in told] for told in (ours, theirs)]
    assert steps[0] == steps[1]
    for mine, other in zip(map(inner, ours), map(inner, theirs), strict=True):
        assert mine.keys() == other.keys()
        for name, value in other.items():
            assert type(mine[name]) is type(value), name
            if name not in ITS_OWN:
                assert same_value(mine[name], value), (name, mine[name], value)


def same_value(mine: object, other: object) -> bool:
    """Equal, or equal as numbers: a symbol's own decimals are not part of a life cycle."""
    try:
        return mine == other or Decimal(str(mine)) == Decimal(str(other))
    except ArithmeticError:
        return False


def inner(event: dict[str, Any]) -> dict[str, Any]:
    return dict(event.get("o") or event.get("or") or {})


def cheap_desk(bid: int, ask: int, lots: int, *, older: bool = False) -> Desk:
    desk = Desk(CHEAP, fidelity=Fidelity(older_conditionals=older))
    desk.book([(bid, 10_000)], [(ask, lots), (ask + 1, 100_000)])
    desk.core.drain()
    return desk


def test_a_limit_order_is_accepted_and_filled_at_a_better_price(shared_data: Path) -> None:
    desk = cheap_desk(6_609, 6_610, 5_000)
    desk.place("BUY", "800", "0.006628")
    assert_same(told(desk), recorded(shared_data, "LimitSubmittedFilled"))


def test_a_stop_limit_of_the_older_kind_expires_when_its_fill_or_kill_cannot_fill(shared_data: Path) -> None:
    desk = cheap_desk(1_690, 1_705, 5_000, older=True)
    order = desk.call(
        "POST", "v1/order", side="BUY", type="STOP", quantity="2981", price="0.001702", stopPrice="0.00171",
        timeInForce="FOK", priceProtect="true", newClientOrderId="web_1",
    )  # fmt: skip
    assert (order["status"], order["type"], order["stopPrice"]) == ("NEW", "STOP", "0.001710")
    desk.tape(1_709, 10, seller=False)
    assert desk.order(order)["status"] == "NEW"
    desk.tape(1_710, 10, seller=False)
    assert_same(told(desk), recorded(shared_data, "StopLimitSubmittedExpired"))
    assert desk.order(order)["status"] == "EXPIRED"


def test_a_stop_market_triggers_fills_in_two_parts_and_finishes(shared_data: Path) -> None:
    desk = cheap_desk(6_650, 6_660, 760)
    desk.book([(6_650, 10_000)], [(6_660, 760)])
    made = desk.call(
        "POST", "v1/algoOrder", algoType="CONDITIONAL", side="BUY", type="STOP_MARKET", quantity="800",
        triggerPrice="0.006659",
    )  # fmt: skip
    assert made["algoStatus"] == "NEW"
    desk.place("SELL", "1000", "0.006660", account="b")
    desk.tape(6_659, 5, seller=False)
    assert_same(told(desk), recorded(shared_data, "StopMarketSubmitPartiallyFilledFilled"))
    seen = desk.call("GET", "v1/algoOrder", algoId=str(made["algoId"]), symbol=None)
    assert (seen["algoStatus"], seen["actualQty"], seen["actualPrice"]) == ("FINISHED", "800", "0.00666")


@pytest.mark.parametrize(
    ("side", "kind", "trigger", "tick"),
    [
        ("SELL", "STOP_MARKET", "59900", 599_000),
        ("BUY", "TAKE_PROFIT_MARKET", "59900", 599_000),
        ("BUY", "STOP", "60100", 601_000),
        ("SELL", "TAKE_PROFIT", "60100", 601_000),
    ],
)
def test_each_condition_is_set_off_by_its_own_direction_only(side: str, kind: str, trigger: str, tick: int) -> None:
    desk = Desk()
    desk.book([(599_990, 5_000)], [(600_010, 5_000)])
    desk.tape(600_000, 1, seller=True)
    limit = {"price": "60000", "timeInForce": "GTC"} if kind in ("STOP", "TAKE_PROFIT") else {}
    asked = {"algoType": "CONDITIONAL", "side": side, "type": kind, "quantity": "0.010", "triggerPrice": trigger}
    made = desk.call("POST", "v1/algoOrder", **asked, **limit)
    wrong_way = 600_000 + (600_000 - tick)
    desk.tape(wrong_way, 1, seller=True)
    assert desk.call("GET", "v1/openAlgoOrders")[0]["algoId"] == made["algoId"]
    desk.tape(tick, 1, seller=True)
    assert desk.call("GET", "v1/openAlgoOrders") == []
    assert desk.call("GET", "v1/algoOrder", algoId=str(made["algoId"]))["actualOrderId"] != ""
    desk.tape(tick, 1, seller=True)
    assert desk.refusal("POST", "v1/algoOrder", **asked, **limit) == -2021


def test_a_trailing_stop_follows_the_best_price_and_fires_on_the_way_back() -> None:
    desk = Desk()
    desk.book([(599_000, 5_000)], [(600_010, 5_000)])
    made = desk.call(
        "POST", "v1/algoOrder", algoType="CONDITIONAL", side="SELL", type="TRAILING_STOP_MARKET", quantity="0.010",
        callbackRate="1", activatePrice="60500",
    )  # fmt: skip
    assert (made["callbackRate"], made["activatePrice"]) == ("1.00", "60500.00")
    for tick in (604_000, 600_000, 605_000, 610_000, 603_901):
        desk.tape(tick, 1, seller=False)
        assert len(desk.call("GET", "v1/openAlgoOrders")) == 1, tick
    desk.tape(603_900, 1, seller=False)
    assert desk.call("GET", "v1/openAlgoOrders") == []


def test_waiting_orders_cancel_survive_a_restart_and_close_a_position() -> None:
    desk = Desk()
    desk.book([(599_990, 5_000)], [(600_010, 5_000)])
    asked = {"algoType": "CONDITIONAL", "side": "SELL", "type": "STOP_MARKET", "triggerPrice": "59000"}
    first = desk.call("POST", "v1/algoOrder", **asked, quantity="0.010", clientAlgoId="mine")
    assert desk.refusal("POST", "v1/algoOrder", **asked, quantity="0.010", clientAlgoId="mine") == -4116
    assert desk.call("DELETE", "v1/algoOrder", clientAlgoId="mine", symbol=None)["code"] == "200"
    assert desk.refusal("DELETE", "v1/algoOrder", algoId=str(first["algoId"])) == -2011
    desk.place("BUY", "0.100")
    desk.call("POST", "v1/algoOrder", **asked, closePosition="true")
    desk.core = type(desk.core).load(desk.core.dump())
    desk.tape(590_000, 1, seller=True)
    assert desk.lots() == 0
    desk.call("POST", "v1/algoOrder", **(asked | {"triggerPrice": "58000"}), quantity="0.010")
    assert desk.call("DELETE", "v1/algoOpenOrders")["code"] == 200
    shown = desk.call("GET", "v1/allAlgoOrders")
    assert [row["algoStatus"] for row in shown] == ["CANCELED", "FINISHED", "CANCELED"]
