"""Corners in which a step must keep its distrust: absence, exposure, latches and bans that a shortcut would lose."""

from dataclasses import replace
from decimal import Decimal

import pytest
from gridops.domain.effects import Effect, LatchKill, Query, Send, WireOp
from gridops.domain.events import BudgetSeen, OperatorInput, QueryReply, Woke
from gridops.domain.orders import PendingWrite
from gridops.domain.records import ConditionEdge, Transition
from gridops.domain.vocabulary import (
    FsmReason,
    FsmState,
    OperatorCommand,
    OpKind,
    OrderState,
    OrderType,
    QueryKind,
    Side,
    VenueCode,
    WriteOutcome,
)
from gridops.runtime import facts
from tests.runtime.engine_kit import INSTRUMENT, SYMBOL, Desk


def _ask(desk: Desk, kind: QueryKind) -> Query:
    """The next question of this kind, everything else answered as usual."""
    for _ in range(400):
        done = desk.view(after_ms=100)
        found = [each for each in done.effects if isinstance(each, Query) and each.kind is kind]
        desk.answer([each for each in done.effects if each not in found])
        if found:
            return found[0]
    raise AssertionError(f"{kind} was never asked")


def test_an_order_that_the_newest_list_names_is_not_concluded_absent_by_one_denial() -> None:
    desk = Desk()
    desk.up()
    desk.run_ms(45_000)
    order = desk.nearest(Side.BUY)
    desk.feed(OperatorInput(command=OperatorCommand.PAUSE, request_id="r", author="t", reason="t"))
    cancel = next(op for op in desk.sent if op.kind is OpKind.CANCEL and op.client_id == order.client_id)
    done = desk.outcome(cancel, WriteOutcome.UNKNOWN, code=VenueCode.TIMEOUT)
    probe = next(e for e in done.effects if isinstance(e, Query) and e.client_id == order.client_id)
    desk.feed(desk.reply(probe, orders=(), code=VenueCode.NO_SUCH_ORDER))
    assert order.client_id in desk.open_orders
    assert order.client_id in desk.orders, "a lagging replica's denial against a list that named the order"
    assert order.live


def _three_amends(desk: Desk) -> list[WireOp]:
    """Three orders that are being moved because the market ran."""
    desk.up()
    for _ in range(20):
        done = desk.view(desk.bid + 400, after_ms=1_000)
        sent = [op for e in done.effects if isinstance(e, Send) for op in e.ops if op.kind is OpKind.AMEND]
        if len(sent) >= 3:
            return sent[:3]
        desk.settle(done)
    raise AssertionError("three orders were never amended at once")


def _doubts(desk: Desk) -> list[str]:
    return [each.reason for each in desk.said(ConditionEdge) if each.open and each.reason is FsmReason.ORDERS_UNKNOWN]


@pytest.mark.parametrize("count", [3, 1])
def test_orders_the_venue_says_are_gone_are_asked_for_and_degrade_only_when_nothing_comes(count: int) -> None:
    """A price that ran through several rungs filled what we were about to move."""
    desk = Desk()
    for op in _three_amends(desk)[:count]:
        desk.outcome(op, WriteOutcome.REFUSED, code=VenueCode.NO_SUCH_ORDER, number=-2013)
    assert (desk.fsm(), _doubts(desk)) == (FsmState.ACTIVE, [])
    for _ in range(16):
        desk.view(after_ms=1_000)
    assert _doubts(desk) == [FsmReason.ORDERS_UNKNOWN]


def test_a_refused_cancel_tells_nothing_of_an_order_that_was_never_answered_for() -> None:
    desk = Desk()
    desk.up()
    for number, order in enumerate(list(desk.orders.values())[:3]):
        order.state = OrderState.UNKNOWN
        order.pending = PendingWrite(number, OpKind.CANCEL, desk.venue_ms, 0, 0, unknown=True, refused=True)
    assert facts.gather(desk.state).orders_unknown == 3


def test_three_writes_without_an_answer_degrade_at_once() -> None:
    desk = Desk()
    for op in _three_amends(desk):
        assert desk.fsm() is FsmState.ACTIVE
        desk.outcome(op, WriteOutcome.UNKNOWN, code=VenueCode.TIMEOUT)
    assert _doubts(desk) == [FsmReason.ORDERS_UNKNOWN]
    assert desk.fsm() is FsmState.DEGRADED


def test_lots_of_an_ended_order_count_as_exposure_until_its_trades_are_known() -> None:
    desk = Desk()
    desk.up()
    symbol = desk.state.symbols[SYMBOL]
    order = desk.nearest(Side.BUY)
    seen = desk.open_orders[order.client_id]
    before = facts.wce_units(symbol)
    desk.trade(order.client_id, 11)
    probe = _order_reply(desk, order.client_id, replace(seen, status="FILLED", filled_lots=seen.lots))
    desk.feed(probe)
    assert desk.closed[order.client_id].state is OrderState.FILLED
    assert symbol.position_lots == 0, "the trade itself has not been told"
    assert facts.wce_units(symbol) >= before
    bought = order.lots * max(order.price_ticks, facts.mark_ticks(symbol))
    assert facts.unbooked_units(symbol) == (bought, 0), "the whole plan counts it, not each request alone"
    desk.run_ms(3_000)
    assert symbol.position_lots == order.lots
    assert symbol.unbooked == {}
    assert facts.unbooked_units(symbol) == (0, 0)


def _order_reply(desk: Desk, client_id: str, seen: object) -> QueryReply:
    """The answer to an open question that shows this order."""
    query = _ask(desk, QueryKind.OPEN_ORDERS)
    return desk.reply(query, orders=(*desk.open_orders.values(), seen))


def test_a_negative_margin_balance_is_an_emergency_and_not_the_last_ratio() -> None:
    desk = Desk()
    desk.up()
    desk.feed(desk.reply(_ask(desk, QueryKind.POSITIONS), margin_balance=Decimal(-5), maintenance_margin=Decimal(9)))
    assert desk.fsm() is FsmState.EMERGENCY
    assert desk.said(Transition)[-1].reason is FsmReason.MARGIN_CRITICAL


def test_changed_tick_size_is_not_trusted_again_because_the_next_book_is_valid() -> None:
    desk = Desk()
    desk.up()
    changed = replace(INSTRUMENT, tick_size=Decimal("0.5"))
    query = None
    while query is None:
        done = desk.view(after_ms=2_000)
        query = next((e for e in done.effects if isinstance(e, Query) and e.kind is QueryKind.RULES), None)
        desk.settle(replace(done, effects=[each for each in done.effects if each is not query]))
    desk.instrument = changed
    desk.feed(desk.reply(query))
    desk.run_ms(2_000)
    desk.sent.clear()
    desk.run_ms(60_000)
    assert desk.fsm() is FsmState.DEGRADED
    assert [op for op in desk.sent if op.kind in (OpKind.PLACE, OpKind.AMEND)] == []


def test_an_exposure_breach_is_brought_to_its_cap_and_the_rest_is_kept() -> None:
    desk = Desk()
    cap = INSTRUMENT.units(desk.rules.risk.symbol_cap) // desk.bid
    desk.position = 2 * cap
    waiting: list[Effect] = list(desk.boot().effects)
    desk.user_stream(True)
    for _ in range(60):
        while waiting:
            waiting += _venue(desk, waiting.pop(0))
        waiting += desk.view(after_ms=500).effects
    assert desk.fsm() is FsmState.EMERGENCY
    assert {op.reduce_only for op in desk.sent if op.kind is OpKind.PLACE} == {True}
    assert desk.position == desk.state.symbols[SYMBOL].position_lots == cap


def _venue(desk: Desk, effect: Effect) -> list[Effect]:
    """Answers everything; the market takes exits at once and in full."""
    if isinstance(effect, Query):
        return list(desk.feed(desk.reply(effect), after_ms=1).effects)
    led: list[Effect] = []
    for op in effect.ops if isinstance(effect, Send) else ():
        led += desk.acknowledge(op).effects
        if op.order_type is OrderType.MARKET:
            seen = desk.open_orders[op.client_id]
            trade = desk.trade(op.client_id, 100 + op.op_id)
            led += desk.feed(replace(desk.report(seen, trade), last_ticks=desk.bid), after_ms=1).effects
    return led


def test_a_kill_in_an_emergency_of_another_reason_still_sets_the_latch() -> None:
    desk = Desk()
    desk.up()
    desk.feed(desk.reply(_ask(desk, QueryKind.POSITIONS), margin_balance=Decimal(10), maintenance_margin=Decimal(9)))
    assert desk.fsm() is FsmState.EMERGENCY
    done = desk.feed(OperatorInput(command=OperatorCommand.KILL, request_id="r", author="ann", reason="enough"))
    assert [each for each in done.effects if isinstance(each, LatchKill)] == [
        LatchKill(latched=True, author="ann", reason="enough")
    ]


def test_a_ban_outlives_the_process() -> None:
    desk = Desk()
    desk.up()
    desk.feed(BudgetSeen(weight_1m=-1, orders_10s=-1, orders_1m=-1, retry_after_ms=60_000, banned=True))
    done = desk.boot(desk.state.identity.epoch + 1)
    assert [each for each in done.effects if isinstance(each, Query)] == []
    done = desk.feed(Woke(), after_ms=61_000)
    assert [each for each in done.effects if isinstance(each, Query)]


def test_a_write_that_nobody_answers_does_not_hold_up_a_kill_for_ever() -> None:
    desk = Desk()
    desk.up()
    for _ in range(5):
        desk.view(desk.bid + 2_000)
    order = next(o for o in desk.orders.values() if o.pending is not None and o.pending.kind is OpKind.AMEND)
    desk.feed(OperatorInput(command=OperatorCommand.KILL, request_id="r", author="ann", reason="enough"))
    for _ in range(30):
        desk.view(after_ms=500)
    assert order.client_id in [op.client_id for op in desk.sent if op.kind is OpKind.CANCEL]
