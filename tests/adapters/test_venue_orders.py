"""Odd replies confirm nothing, and requests say exactly what the operation says."""

from typing import Any

import pytest
from gridops.adapters import venue_orders
from gridops.adapters.ccxt_client import Reply
from gridops.adapters.venue_orders import Result
from gridops.adapters.venue_parse import Grid, grids
from gridops.domain.effects import WireOp
from gridops.domain.vocabulary import OpKind, OrderType, TimeInForce, VenueCode, WriteOutcome
from tests.adapters.venue_kit import btc, op

KNOWN = grids([btc()])
GRID: Grid = KNOWN["BTCUSDT"]


def reply(payload: object, status: int = 200) -> Reply:
    made = Reply()
    made.status, made.payload = status, payload
    return made


def order(client_id: str, venue_id: int = 7, **changes: Any) -> dict[str, Any]:
    given = {
        "symbol": "BTCUSDT", "clientOrderId": client_id, "orderId": venue_id, "side": "BUY", "price": "60000.0",
        "origQty": "0.010", "executedQty": "0", "reduceOnly": False, "type": "LIMIT", "timeInForce": "GTC",
        "status": "NEW", "updateTime": 5,
    }  # fmt: skip
    return {**given, **changes}


def judged(payload: object, *ops: WireOp) -> list[Result]:
    (call,) = venue_orders.calls(ops, GRID)
    return venue_orders.results(call, reply(payload), KNOWN, str)


def test_fields_are_strings_on_the_grid() -> None:
    assert venue_orders.fields(op(1, price_ticks=600_001, lots=7, reduce_only=True, tif=TimeInForce.GTX), GRID) == {
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.007", "price": "60000.1",
        "timeInForce": "GTX", "reduceOnly": "true", "newClientOrderId": "goTEST1", "newOrderRespType": "RESULT",
    }  # fmt: skip
    market = venue_orders.fields(op(1, order_type=OrderType.MARKET), GRID)
    assert not {"price", "timeInForce", "reduceOnly"} & set(market)
    amend = venue_orders.fields(op(1, OpKind.AMEND, venue_id="9"), GRID)
    assert (amend["orderId"], amend["price"], "origClientOrderId" in amend) == ("9", "60000.0", False)
    assert venue_orders.fields(op(1, OpKind.CANCEL), GRID) == {"symbol": "BTCUSDT", "origClientOrderId": "goTEST1"}
    assert venue_orders.fields(op(1, OpKind.DEADMAN, countdown_ms=0), GRID)["countdownTime"] == "0"


@pytest.mark.parametrize(
    ("kind", "sizes"), [(OpKind.PLACE, [5, 5, 2]), (OpKind.AMEND, [5, 5, 2]), (OpKind.CANCEL, [10, 2])]
)
def test_batches_keep_the_venues_limits_and_the_order(kind: OpKind, sizes: list[int]) -> None:
    made = list(venue_orders.calls([op(n, kind) for n in range(12)], GRID))
    assert [len(call.ops) for call in made] == sizes
    assert [each.op_id for call in made for each in call.ops] == list(range(12))


@pytest.mark.parametrize("kind", [OpKind.DEADMAN, OpKind.CANCEL_ALL])
def test_what_has_no_batch_goes_singly(kind: OpKind) -> None:
    assert [call.batch for call in venue_orders.calls([op(1, kind), op(2, kind)], GRID)] == [False, False]


@pytest.mark.parametrize(
    "payload",
    [
        {},
        [],
        None,
        "ok",
        {"orderId": 7},
        order("another"),
        order("goTEST1", price="60000.05"),
        order("goTEST1", symbol="X"),
    ],
)
def test_a_reply_that_does_not_show_the_order_is_unknown(payload: object) -> None:
    (result,) = judged(payload, op(1))
    assert (result.outcome, result.order) == (WriteOutcome.UNKNOWN, None)


def test_an_amend_that_names_another_order_is_unknown() -> None:
    (result,) = judged(order("goTEST1", 8), op(1, OpKind.AMEND, venue_id="7"))
    assert result.outcome is WriteOutcome.UNKNOWN


def test_legs_are_attributed_by_position_and_checked_by_id() -> None:
    legs = [order("goTEST1"), {"code": -2019, "msg": "Margin is insufficient."}, order("goTEST9")]
    first, second, third = judged(legs, op(1), op(2), op(3))
    assert first.outcome is WriteOutcome.CONFIRMED and first.order is not None
    assert (second.outcome, second.code, second.number) == (WriteOutcome.REFUSED, VenueCode.MARGIN, -2019)
    assert third.outcome is WriteOutcome.UNKNOWN


def test_a_short_batch_reply_confirms_only_what_it_names() -> None:
    results = judged([order("goTEST3"), {"code": -2019, "msg": "x"}], op(1), op(2), op(3))
    assert [each.outcome for each in results] == [WriteOutcome.UNKNOWN, WriteOutcome.UNKNOWN, WriteOutcome.CONFIRMED]


def test_an_order_and_an_error_in_one_leg_prove_nothing() -> None:
    legs = [order("goTEST1", code=-2022, msg="ReduceOnly Order is rejected."), order("goTEST2")]
    first, second = judged(legs, op(1), op(2))
    assert (first.outcome, first.code) == (WriteOutcome.UNKNOWN, VenueCode.REDUCE_ONLY)
    assert second.outcome is WriteOutcome.CONFIRMED


def test_a_refused_batch_refuses_every_leg() -> None:
    results = judged({"code": -4082, "msg": "Invalid number of batch place orders."}, op(1), op(2))
    assert [(each.outcome, each.number) for each in results] == [(WriteOutcome.REFUSED, -4082)] * 2
