"""One change of an order is under way at a time, however the stream's news and the answers to requests come in.

The stream often tells of an amend before its request is answered, and a newer one leaves in between; or it tells late.
"""

from collections.abc import Callable
from decimal import Decimal

import pytest
from gridops.domain.effects import Send, WireOp
from gridops.domain.events import OrderReport
from gridops.domain.orders import VenueOrder
from gridops.domain.vocabulary import OpKind, VenueCode, WriteOutcome
from gridops.runtime.step import Step
from tests.runtime.engine_kit import SYMBOL, Desk


def _amendment(desk: Desk, seen: VenueOrder) -> OrderReport:
    return OrderReport(
        client_id=seen.client_id, venue_id=seen.venue_id, symbol=SYMBOL, side=seen.side, execution="AMENDMENT",
        status="NEW", price_ticks=seen.price_ticks, lots=seen.lots, filled_lots=0, last_lots=0, last_ticks=0,
        trade_id=0, fee=Decimal(0), fee_asset="", realised=Decimal(0), maker=False, reduce_only=False,
        order_type="LIMIT", tif="GTX", event_ms=seen.updated_ms, trade_ms=seen.updated_ms,
    )  # fmt: skip


def _amends(done: Step) -> list[WireOp]:
    return [op for each in done.effects if isinstance(each, Send) for op in each.ops if op.kind is OpKind.AMEND]


def _run(desk: Desk, client_id: str = "") -> WireOp:
    """Let the market run until an order, or the named one, is being moved; nobody answers."""
    for _ in range(60):
        for op in _amends(desk.view(desk.bid + 120, after_ms=300)):
            if client_id in ("", op.client_id):
                return op
    raise AssertionError("the order was never amended")


def _two(desk: Desk, settle: Callable[[WireOp], VenueOrder]) -> tuple[WireOp, VenueOrder, WireOp]:
    """An amend that the venue took, settled one way, and the next one of the same order, which is under way."""
    desk.up()
    first = _run(desk)
    seen = settle(first)
    second = _run(desk, first.client_id)
    pending = desk.orders[first.client_id].pending
    assert pending is not None and pending.op_id == second.op_id
    return first, seen, second


LATE = {
    "confirmed": (WriteOutcome.CONFIRMED, VenueCode.OK, 0),
    "unknown": (WriteOutcome.UNKNOWN, VenueCode.TIMEOUT, 0),
    "refused": (WriteOutcome.REFUSED, VenueCode.NO_SUCH_ORDER, -2013),
    "denied": (WriteOutcome.REFUSED, VenueCode.OTHER, -4000),
}


@pytest.mark.parametrize("name", LATE)
def test_the_answer_to_an_amend_the_stream_has_told_of_leaves_the_next_one_under_way(name: str) -> None:
    desk = Desk()

    def by_stream(op: WireOp) -> VenueOrder:
        seen = desk.rest(op)
        desk.feed(_amendment(desk, seen), after_ms=1)
        return seen

    first, seen, second = _two(desk, by_stream)
    outcome, code, number = LATE[name]
    order = seen if outcome is WriteOutcome.CONFIRMED else None
    done = desk.outcome(first, outcome, code=code, number=number, order=order)
    pending = desk.orders[first.client_id].pending
    assert pending is not None and (pending.op_id, pending.unknown, pending.refused) == (second.op_id, False, False)
    assert first.client_id not in [op.client_id for op in _amends(done)]


def test_late_news_of_an_answered_amend_leaves_the_next_one_under_way() -> None:
    desk = Desk()

    def by_answer(op: WireOp) -> VenueOrder:
        seen = desk.rest(op)
        desk.outcome(op, WriteOutcome.CONFIRMED, order=seen)
        return seen

    first, seen, second = _two(desk, by_answer)
    done = desk.feed(_amendment(desk, seen), after_ms=1)
    pending = desk.orders[first.client_id].pending
    assert pending is not None and pending.op_id == second.op_id
    assert first.client_id not in [op.client_id for op in _amends(done)]


def test_news_of_the_amend_under_way_settles_it() -> None:
    desk = Desk()
    desk.up()
    op = _run(desk)
    desk.feed(_amendment(desk, desk.rest(op)), after_ms=1)
    order = desk.orders[op.client_id]
    assert (order.price_ticks, order.lots) == (op.price_ticks, op.lots)
    assert order.pending is None or order.pending.op_id != op.op_id
