"""A state that forbids orders cancels each once and gives the answer time, however often it is stepped."""

from decimal import Decimal

from gridops.domain.instrument import Instrument
from gridops.domain.market import MarketView
from gridops.domain.orders import Order, PendingWrite
from gridops.domain.vocabulary import OpKind, OrderState, OrderType, RouterReason, Side, TimeInForce
from gridops.runtime import protect
from gridops.runtime.state import SymbolState

BTC = Instrument(
    symbol="BTCUSDT",
    settle_asset="USDT",
    tick_size=Decimal("0.1"),
    step_size=Decimal("0.001"),
    min_price_ticks=1,
    max_price_ticks=10**8,
    min_lots=1,
    max_lots=10**6,
    market_max_lots=120,
    min_notional=Decimal(100),
    percent_up=Decimal("1.05"),
    percent_down=Decimal("0.95"),
)


def _symbol(*orders: Order, position: int = 0) -> SymbolState:
    symbol = SymbolState(symbol="BTCUSDT", view=MarketView(symbol="BTCUSDT"), instrument=BTC)
    symbol.orders = {order.client_id: order for order in orders}
    symbol.position_lots, symbol.position_known = position, True
    return symbol


def _order(client_id: str, state: OrderState = OrderState.OPEN, *, reduce_only: bool = False) -> Order:
    return Order(
        client_id=client_id,
        symbol="BTCUSDT",
        side=Side.BUY,
        level=-1,
        price_ticks=600_000,
        lots=2,
        reduce_only=reduce_only,
        order_type=OrderType.LIMIT,
        tif=TimeInForce.GTX,
        state=state,
        epoch=1,
        created_ms=1_000,
    )


def _cancelled(symbol: SymbolState, now_ms: int, *, keep_reducing: bool = False) -> list[str]:
    _, ops = protect.cancels(symbol, RouterReason.KILL, now_ms, keep_reducing=keep_reducing)
    return [op.client_id for op in ops]


def test_every_order_that_may_fill_is_cancelled_unknown_ones_too() -> None:
    symbol = _symbol(_order("a"), _order("b", OrderState.UNKNOWN), _order("c", reduce_only=True))
    assert _cancelled(symbol, 5_000) == ["a", "b", "c"]
    assert _cancelled(symbol, 5_000, keep_reducing=True) == ["a", "b"]


def test_a_cancel_under_way_is_not_repeated() -> None:
    order = _order("a")
    order.pending = PendingWrite(1, OpKind.CANCEL, 5_000, 0, 0)
    assert _cancelled(_symbol(order), 60_000) == []


def test_a_cancel_without_outcome_is_repeated_after_its_time_only() -> None:
    for refused in (False, True):
        order = _order("a")
        order.pending = PendingWrite(1, OpKind.CANCEL, 5_000, 0, 0, unknown=True, refused=refused)
        assert _cancelled(_symbol(order), 5_000 + protect.CANCEL_RETRY_MS - 1) == []
        assert _cancelled(_symbol(order), 5_000 + protect.CANCEL_RETRY_MS) == ["a"]


def test_a_close_waits_for_the_last_order_and_is_sliced_by_the_venues_market_maximum() -> None:
    assert protect.sweep(_symbol(_order("a"), position=300), 9_000, keep_lots=0) == ([], [])
    _, ops = protect.sweep(_symbol(position=300), 9_000, keep_lots=0)
    assert [(op.side, op.lots, op.reduce_only) for op in ops] == [
        (Side.SELL, 120, True),
        (Side.SELL, 120, True),
        (Side.SELL, 60, True),
    ]
    _, ops = protect.sweep(_symbol(position=-30), 9_000, keep_lots=10)
    assert [(op.side, op.lots) for op in ops] == [(Side.BUY, 20)]


def test_without_the_lease_only_orders_of_our_own_epoch_are_cancelled() -> None:
    ours, older = _order("a"), _order("b")
    older.epoch = 0
    _, ops = protect.cancels(_symbol(ours, older), RouterReason.STATE_FORBIDS, 5_000, keep_reducing=True, epoch=1)
    assert [op.client_id for op in ops] == ["a"]
