"""A list of open orders out of a cache, through the engine: it names an order that has been filled."""

from decimal import Decimal

from gridops.domain.events import OrderReport
from gridops.domain.records import Note, OrderMoved
from gridops.domain.vocabulary import OrderState, Side
from tests.runtime.engine_kit import Desk


def test_a_filled_order_stays_filled_whatever_a_late_list_says() -> None:
    desk = Desk()
    desk.up()
    client_id = desk.nearest(Side.BUY).client_id
    cached = desk.open_orders[client_id]
    desk.settle(desk.feed(desk.report(cached, desk.trade(client_id, 1)), after_ms=50))
    assert desk.closed[client_id].state is OrderState.FILLED
    desk.open_orders[client_id] = cached
    desk.run_ms(60_000, every_ms=500)
    assert desk.closed[client_id].state is OrderState.FILLED and client_id not in desk.orders
    assert [note.topic for note in desk.said(Note) if note.topic == "orphan_adopted"] == []
    moved = [each.to_state for each in desk.said(OrderMoved) if each.client_id == client_id]
    assert moved[-1] is OrderState.FILLED and moved.count(OrderState.FILLED) == 1


def test_a_cancelled_order_stays_cancelled_whatever_a_list_of_before_says() -> None:
    desk = Desk()
    desk.up()
    client_id = desk.nearest(Side.BUY).client_id
    cached = desk.open_orders[client_id]
    del desk.open_orders[client_id]
    end = OrderReport(
        client_id=client_id, venue_id=cached.venue_id, symbol=cached.symbol, side=cached.side, execution="CANCELED",
        status="CANCELED", price_ticks=cached.price_ticks, lots=cached.lots, filled_lots=0, last_lots=0, last_ticks=0,
        trade_id=0, fee=Decimal(0), fee_asset="", realised=Decimal(0), maker=False, reduce_only=cached.reduce_only,
        order_type=cached.order_type, tif=cached.tif, event_ms=desk.venue_ms, trade_ms=desk.venue_ms,
    )  # fmt: skip
    desk.settle(desk.feed(end, after_ms=50))
    assert desk.closed[client_id].state is OrderState.CANCELED
    desk.open_orders[client_id] = cached
    desk.run_ms(60_000, every_ms=500)
    assert client_id not in desk.orders
    assert [note.topic for note in desk.said(Note) if note.topic == "orphan_adopted"] == []
    moved = [each.to_state for each in desk.said(OrderMoved) if each.client_id == client_id]
    assert moved[-1] is OrderState.CANCELED
