"""One example of every record, and an engine state with known figures, for the sinks' tests."""

from decimal import Decimal
from typing import Any, get_args

from gridops.decide.levels import Level, level_key
from gridops.domain.events import Header
from gridops.domain.instrument import Instrument
from gridops.domain.market import MarketView
from gridops.domain.orders import Fill, Order
from gridops.domain.plan import Choice, Cost
from gridops.domain.records import (
    Booked,
    ConditionEdge,
    Decided,
    Filled,
    GateRefused,
    GridChanged,
    MismatchSeen,
    Note,
    OrderMoved,
    OutboxRefused,
    Record,
    RegimeChanged,
    Remedied,
    Sent,
    ShadowEdge,
    SyncDone,
    Transition,
    TripClosed,
    Wrote,
)
from gridops.domain.rules import Rules
from gridops.domain.vocabulary import (
    Decision,
    FsmEvent,
    FsmReason,
    FsmState,
    Gate,
    MismatchKind,
    OpKind,
    OrderState,
    OrderType,
    Regime,
    RouterReason,
    Severity,
    Side,
    TimeInForce,
    VenueCode,
    WriteOutcome,
)
from gridops.runtime.state import EngineState, SymbolState

WALL_MS = 1_721_347_199_877
SYMBOL = "BTCUSDT"


def header(seq: int) -> Header:
    return Header(seq=seq, wall_ms=WALL_MS + seq, boot_ns=seq * 1_000_000, boot_id="b", venue_ms=WALL_MS + seq)


def transition(
    from_state: FsmState = FsmState.ACTIVE,
    to_state: FsmState = FsmState.DEGRADED,
    reason: FsmReason = FsmReason.FEED_STALE,
    *,
    event: FsmEvent = FsmEvent.TRUST_LOST,
    bundle: str = "transition/20240718T235959.877Z-0123abcd-70",
) -> Transition:
    return Transition(
        from_state=from_state, to_state=to_state, event=event, reason=reason, epoch=3, detail="silent", bundle=bundle
    )


def fill(*, fee: str = "0.05", fee_asset: str = "USDT", maker: bool = True, side: Side = Side.BUY) -> Filled:
    made = Fill(
        symbol=SYMBOL,
        trade_id=9,
        client_id="go1",
        venue_id="77",
        side=side,
        level=-1,
        price_ticks=640_000,
        lots=3,
        fee=Decimal(fee),
        fee_asset=fee_asset,
        realised=Decimal("-0.10"),
        maker=maker,
        at_ms=WALL_MS,
    )
    return Filled(fill=made, position_lots=3)


def trip(net: str = "0.20", net_bps: int = 3) -> TripClosed:
    return TripClosed(
        trip_id="t1",
        symbol=SYMBOL,
        side="BUY",
        level=-1,
        regime="calm",
        lots=3,
        entry_ms=WALL_MS,
        exit_ms=WALL_MS + 9,
        entry_ticks_x_lots=1_920_000,
        exit_ticks_x_lots=1_920_300,
        maker_lots=6,
        gross=Decimal("0.30"),
        fees=Decimal("0.10"),
        funding=Decimal(0),
        net=Decimal(net),
        net_bps=net_bps,
        slippage_units=0,
        unvalued_fee=False,
        close_reason="rung",
    )


def wrote(kind: OpKind, outcome: WriteOutcome, code: VenueCode = VenueCode.OK, *, op_id: int = 5) -> Wrote:
    return Wrote(op_id=op_id, kind=kind, client_id="go1", outcome=outcome, code=code, number=0, latency_ms=20)


def mismatch(*, confirmed: bool = True, closed: bool = False) -> MismatchSeen:
    return MismatchSeen(
        kind=MismatchKind.POSITION_QTY,
        severity=Severity.CRITICAL,
        symbol=SYMBOL,
        key="position",
        local="3",
        venue="5",
        confirmed=confirmed,
        closed=closed,
        bundle="mismatch/20240718T235959.877Z-0123abcd-71",
    )


def booked(kind: str = "funding_fee", amount: str = "-0.07", asset: str = "USDT") -> Booked:
    return Booked(kind=kind, asset=asset, symbol=SYMBOL, amount=Decimal(amount), tran_id="8", at_ms=WALL_MS)


def note(topic: str, detail: str, severity: Severity = Severity.INFO) -> Note:
    return Note(topic=topic, severity=severity, detail=detail)


def synced(*, ok: bool, detail: str = "") -> SyncDone:
    return SyncDone(kind="positions", symbol="", ok=ok, detail=detail)


def outbox(reason: str, op_id: int = 5) -> OutboxRefused:
    return OutboxRefused(op_id=op_id, client_id="go1", reason=reason)


def edge(*, is_open: bool, scope: str = "account") -> ConditionEdge:
    return ConditionEdge(reason=FsmReason.FEED_STALE, scope=scope, open=is_open, detail="silent", held_ms=0)


def decided() -> Decided:
    return Decided(
        choice=Choice(
            symbol=SYMBOL,
            level=-1,
            decision=Decision.AMEND,
            reason=RouterReason.OUTSIDE_HOLD_BAND,
            side=Side.BUY,
            client_id="go1",
            from_ticks=640_000,
            from_lots=3,
            to_ticks=640_010,
            to_lots=3,
            cost=Cost(calls=1, orders=1),
        )
    )


def gate_refused() -> GateRefused:
    return GateRefused(
        gate=Gate.EXPOSURE, intent="increase", symbol=SYMBOL, level=2, detail="over", all_refusals="exposure"
    )


def sent() -> Sent:
    return Sent(
        op_id=5,
        kind=OpKind.AMEND,
        client_id="go1",
        symbol=SYMBOL,
        level=-1,
        intent="increase",
        price_ticks=640_010,
        lots=3,
        reduce_only=False,
    )


def every_record() -> list[Record]:
    """One of each type; fails here when a type is added and forgotten."""
    moved = OrderMoved(
        client_id="go1",
        symbol=SYMBOL,
        level=-1,
        from_state=OrderState.SENT,
        to_state=OrderState.OPEN,
        filled_lots=0,
        detail="",
    )
    regime = RegimeChanged(symbol=SYMBOL, from_regime=Regime.CALM, to_regime=Regime.TREND, detail="")
    grid = GridChanged(symbol=SYMBOL, spacing_cbps=200, lots=3, volatility_cbps=120, detail="")
    records: list[Record] = [
        ShadowEdge(reason=FsmReason.CLOCK_SKEW, scope="account", open=True, detail="slow", held_ms=0),
        *(transition(), edge(is_open=True), decided(), sent(), moved, fill(), trip(), mismatch(), gate_refused()),
        *(outbox("exposure over"), regime, grid, booked(), synced(ok=True), note("modes", "hedge", Severity.WARN)),
        wrote(OpKind.PLACE, WriteOutcome.CONFIRMED),
        Remedied(
            remedy="import_trades",
            outcome="applied",
            kind=MismatchKind.POSITION_QTY,
            symbol=SYMBOL,
            key="position",
            detail="asked again",
        ),
    ]
    assert {type(record) for record in records} == set(get_args(Record))
    return records


def order(client_id: str, level: int, state: OrderState, **more: Any) -> Order:
    side = Side.BUY if level < 0 else Side.SELL
    return Order(
        client_id=client_id,
        symbol=SYMBOL,
        side=side,
        level=level,
        price_ticks=640_000 + level * 100,
        lots=10,
        reduce_only=False,
        order_type=OrderType.LIMIT,
        tif=TimeInForce.GTX,
        state=state,
        epoch=1,
        created_ms=WALL_MS,
        **more,
    )


def engine_state() -> EngineState:
    """ACTIVE for 4 s at boot time 100 s; two rungs working, one of unknown fate; mark 64,000, one lot 0.001."""
    instrument = Instrument(
        symbol=SYMBOL,
        settle_asset="USDT",
        tick_size=Decimal("0.1"),
        step_size=Decimal("0.001"),
        min_price_ticks=1,
        max_price_ticks=10_000_000,
        min_lots=1,
        max_lots=1_000_000,
        market_max_lots=100_000,
        min_notional=Decimal(100),
        percent_up=Decimal("1.05"),
        percent_down=Decimal("0.95"),
    )
    view = MarketView(
        symbol=SYMBOL,
        bid_ticks=639_999,
        bid_lots=5,
        ask_ticks=640_001,
        ask_lots=5,
        mark_ticks=640_000,
        book_seen_ms=99_500,
        mark_seen_ms=98_000,
    )
    symbol = SymbolState(symbol=SYMBOL, view=view, instrument=instrument, position_known=True, targets=4)
    for each in (order("a", -1, OrderState.OPEN), order("b", 1, OrderState.PARTIAL), order("c", 2, OrderState.UNKNOWN)):
        symbol.orders[each.client_id] = each
    state = EngineState(
        rules=Rules(symbols=(SYMBOL,)), seq=7, now_ms=100_000, wall_ms=WALL_MS, venue_ms=WALL_MS, booted=True
    )
    state.symbols[SYMBOL] = symbol
    state.fsm.state, state.fsm.since_ms = FsmState.ACTIVE, 96_000
    state.levels[level_key(FsmReason.RATE_BUDGET_LOW, "account")] = Level(
        FsmReason.RATE_BUDGET_LOW, "account", 99_000, ""
    )
    state.identity.epoch = 12
    state.health.user_up = True
    state.health.clock_offset_ms = -250
    state.sync.reconciled_ms = 90_000
    return state
