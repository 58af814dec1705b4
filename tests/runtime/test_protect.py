"""A state that forbids orders cancels each once and gives the answer time, however often it is stepped."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from gridops.decide.levels import Level
from gridops.domain.instrument import Instrument
from gridops.domain.market import MarketView
from gridops.domain.orders import Order, PendingWrite
from gridops.domain.plan import Op
from gridops.domain.rules import RiskRules, Rules
from gridops.domain.vocabulary import (
    FsmReason,
    FsmState,
    OnBreach,
    OpKind,
    OrderState,
    OrderType,
    RouterReason,
    Side,
    TimeInForce,
)
from gridops.runtime import protect
from gridops.runtime.state import EngineState, SymbolState

NOW_MS = 60_000
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
    symbol.venue_lots, symbol.venue_lots_ms = position, 1
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


def _exit(client_id: str, *, sent_ms: int) -> Order:
    order = _order(client_id, OrderState.SENT, reduce_only=True)
    order.order_type, order.tif, order.level, order.side = OrderType.MARKET, TimeInForce.IOC, 0, Side.SELL
    order.created_ms = sent_ms
    return order


def _state(symbol: SymbolState, *, since_ms: int, user_up: bool = True, user_since_ms: int = 0) -> EngineState:
    state = EngineState(rules=Rules(symbols=("BTCUSDT",)), now_ms=NOW_MS, venue_ms=NOW_MS)
    state.symbols = {"BTCUSDT": symbol}
    state.fsm.state, state.fsm.since_ms = FsmState.EMERGENCY, since_ms
    state.health.user_up, state.health.user_since_ms = user_up, user_since_ms
    return state


def _swept(symbol: SymbolState, *, keep_lots: int = 0, since_ms: int = 0, **health: Any) -> list[Op]:
    return protect.sweep(_state(symbol, since_ms=since_ms, **health), symbol, keep_lots=keep_lots)[1]


def _cancelled(symbol: SymbolState, now_ms: int, *, keep_reducing: bool = False) -> list[str]:
    _, ops = protect.cancels(symbol, RouterReason.KILL, now_ms, keep_reducing=keep_reducing)
    return [op.client_id for op in ops]


def test_every_order_that_may_fill_is_cancelled_unknown_ones_too() -> None:
    symbol = _symbol(_order("a"), _order("b", OrderState.UNKNOWN), _order("c", reduce_only=True))
    assert _cancelled(symbol, 5_000) == ["a", "b", "c"]
    assert _cancelled(symbol, 5_000, keep_reducing=True) == ["a", "b"]


def test_a_cancel_under_way_is_repeated_only_when_its_answer_is_overdue() -> None:
    order = _order("a")
    order.pending = PendingWrite(1, OpKind.CANCEL, 5_000, 0, 0)
    assert _cancelled(_symbol(order), 5_000 + protect.UNHEARD_MS - 1) == []
    assert _cancelled(_symbol(order), 5_000 + protect.UNHEARD_MS) == ["a"]


def test_a_cancel_without_outcome_is_repeated_after_its_time_only() -> None:
    for refused in (False, True):
        order = _order("a")
        order.pending = PendingWrite(1, OpKind.CANCEL, 5_000, 0, 0, unknown=True, refused=refused)
        assert _cancelled(_symbol(order), 5_000 + protect.CANCEL_RETRY_MS - 1) == []
        assert _cancelled(_symbol(order), 5_000 + protect.CANCEL_RETRY_MS) == ["a"]


def test_a_close_is_sliced_by_the_venues_market_maximum() -> None:
    ops = _swept(_symbol(position=300))
    assert [(op.side, op.lots, op.reduce_only, op.order_type) for op in ops] == [
        (Side.SELL, 120, True, OrderType.MARKET),
        (Side.SELL, 120, True, OrderType.MARKET),
        (Side.SELL, 60, True, OrderType.MARKET),
    ]
    assert [(op.side, op.lots) for op in _swept(_symbol(position=-30), keep_lots=10)] == [(Side.BUY, 20)]
    assert _swept(_symbol(position=-10), keep_lots=10) == []


def test_a_close_gives_the_cancels_a_moment_and_then_leaves_beside_them() -> None:
    assert _swept(_symbol(_order("a"), position=300), since_ms=NOW_MS - protect.CANCEL_PATIENCE_MS + 1) == []
    ops = _swept(_symbol(_order("a"), position=300), since_ms=NOW_MS - protect.CANCEL_PATIENCE_MS)
    assert {(op.order_type, op.tif) for op in ops} == {(OrderType.LIMIT, TimeInForce.IOC)}
    assert all(op.price_ticks > 600_000 for op in ops), "above our own buy, which still rests"
    unknown = _order("a", OrderState.UNKNOWN)
    assert {op.order_type for op in _swept(_symbol(unknown, position=300))} == {OrderType.MARKET}


def test_reduce_only_orders_that_may_rest_take_their_room_from_the_close() -> None:
    resting = _order("a", reduce_only=True)
    assert [op.lots for op in _swept(_symbol(resting, position=-5))] == [3]
    assert _swept(_symbol(resting, position=-2)) == []


def test_one_round_at_a_time_until_a_read_shows_what_became_of_it() -> None:
    exit_ = _exit("x", sent_ms=NOW_MS - 5_001)
    symbol = _symbol(exit_, position=9)
    assert _swept(symbol) == []
    symbol.venue_lots, symbol.venue_lots_ms = 4, NOW_MS - 1
    assert _swept(symbol) == []
    exit_.created_ms -= 1
    assert [op.lots for op in _swept(symbol)] == [4], "the read counts, the exit can do nothing any more"


def test_a_refused_round_is_followed_by_a_longer_pause() -> None:
    symbol = _symbol(position=9)
    for refusals, pause_ms in ((0, 250), (1, 500), (2, 1_000), (3, 2_000), (9, 2_000)):
        symbol.refused["0|SELL"] = (-2022, refusals, 0)
        symbol.closed = {"x": _exit("x", sent_ms=NOW_MS - pause_ms + 1)}
        assert _swept(symbol) == []
        symbol.closed = {"x": _exit("x", sent_ms=NOW_MS - pause_ms)}
        assert len(_swept(symbol)) == 1


@pytest.mark.parametrize("user_up", [True, False])
def test_an_unread_position_is_read_first_and_closed_by_the_last_sign_after_two_seconds(user_up: bool) -> None:
    symbol = _symbol(position=-7)
    symbol.venue_lots_ms = 1 if not user_up else 0
    blind = {"user_up": user_up, "user_since_ms": 10}
    assert _swept(symbol, since_ms=NOW_MS - protect.UNREAD_MS + 1, **blind) == []
    assert [(op.side, op.lots) for op in _swept(symbol, since_ms=NOW_MS - protect.UNREAD_MS, **blind)] == [
        (Side.BUY, 7)
    ]


def test_the_newest_evidence_counts_whichever_it_is() -> None:
    symbol = _symbol(position=5)
    symbol.venue_lots, symbol.venue_lots_ms, symbol.last_fill_ms = 2, 9_000, 8_000
    assert [op.lots for op in _swept(symbol)] == [2]
    symbol.last_fill_ms = 9_000
    assert [op.lots for op in _swept(symbol)] == [5]


@pytest.mark.parametrize(
    ("reasons", "kept"),
    [
        ((FsmReason.EXPOSURE_CAP,), 30),
        ((FsmReason.EXPOSURE_CAP, FsmReason.DRAWDOWN), 0),
        ((FsmReason.KILL_SWITCH,), 0),
        ((FsmReason.MARGIN_CRITICAL,), 100),
        ((FsmReason.MARGIN_CRITICAL, FsmReason.EXPOSURE_CAP), 30),
    ],
)
def test_the_strictest_answer_to_a_held_reason_says_what_may_stay(reasons: tuple[FsmReason, ...], kept: int) -> None:
    symbol = _symbol(position=100)
    symbol.view = MarketView(symbol="BTCUSDT", mark_ticks=600_000)
    state = _state(symbol, since_ms=0)
    risk = RiskRules(symbol_cap=Decimal(1_800), on_margin=OnBreach.CANCEL_ONLY)
    state.rules = replace(state.rules, risk=risk)
    state.levels = {reason.value: Level(reason, "account", 1, "") for reason in reasons}
    assert protect.kept_lots(state, symbol) == kept


RULE_OF = {
    FsmReason.KILL_SWITCH: "on_kill",
    FsmReason.DRAWDOWN: "on_drawdown",
    FsmReason.MARGIN_CRITICAL: "on_margin",
    FsmReason.EXPOSURE_CAP: "on_exposure",
}


@pytest.mark.parametrize("held", [True, False], ids=["by its level", "by what began it"])
@pytest.mark.parametrize("reason", RULE_OF)
def test_each_reason_is_answered_by_its_own_rule_alone(reason: FsmReason, held: bool) -> None:
    symbol = _symbol(position=100)
    state = _state(symbol, since_ms=0)
    state.levels = {reason.value: Level(reason, "account", 1, "")} if held else {}
    state.fsm.last_reason = None if held else reason
    for answer, other in ((OnBreach.CANCEL_ONLY, OnBreach.FLATTEN), (OnBreach.FLATTEN, OnBreach.CANCEL_ONLY)):
        wanted = {name: answer if of is reason else other for of, name in RULE_OF.items()}
        state.rules = replace(state.rules, risk=RiskRules(**wanted))  # type: ignore[arg-type]
        assert protect.on_breach(state) is answer
        assert protect.kept_lots(state, symbol) == (100 if answer is OnBreach.CANCEL_ONLY else 0)


def test_without_the_lease_only_orders_of_our_own_epoch_are_cancelled() -> None:
    ours, older = _order("a"), _order("b")
    older.epoch = 0
    _, ops = protect.cancels(_symbol(ours, older), RouterReason.STATE_FORBIDS, 5_000, keep_reducing=True, epoch=1)
    assert [op.client_id for op in ops] == ["a"]
