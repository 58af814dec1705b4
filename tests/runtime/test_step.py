"""Playbooks: one engine, a venue's answers by hand, and what must be sent, believed and said."""

from collections import Counter
from dataclasses import replace

import pytest
from gridops.domain.effects import Finish, Query, Send, WireOp
from gridops.domain.events import AccountReport, LoopReport, OperatorInput, StopSignal, Woke
from gridops.domain.records import Filled, OrderMoved, Sent, Transition
from gridops.domain.vocabulary import (
    FsmReason,
    FsmState,
    Intent,
    OperatorCommand,
    OpKind,
    OrderState,
    QueryKind,
    Side,
    StopMode,
    VenueCode,
    WriteOutcome,
)
from gridops.runtime import act
from gridops.runtime.step import Step
from tests.runtime.engine_kit import SYMBOL, Desk, stop_rules


def _wish(command: OperatorCommand) -> OperatorInput:
    return OperatorInput(command=command, request_id="r", author="test", reason="drill")


def test_boot_rises_through_ready_only_after_a_full_reconcile() -> None:
    desk = Desk()
    boot = desk.boot()
    reads = {each.kind for each in boot.effects if isinstance(each, Query)}
    assert {QueryKind.POSITIONS, QueryKind.OPEN_ORDERS, QueryKind.TRADES} <= reads
    for _ in range(20):
        desk.view()
    desk.user_stream(True)
    assert desk.fsm() is FsmState.INIT
    assert desk.sent == []
    desk.settle(boot)
    desk.run_ms(1_000)
    assert [each.to_state for each in desk.said(Transition)] == [FsmState.READY, FsmState.ACTIVE]
    places = [op for op in desk.sent if op.kind is OpKind.PLACE]
    assert places, "the ladder is placed"
    first_beat = next(n for n, op in enumerate(desk.sent) if op.kind is OpKind.DEADMAN)
    assert first_beat < desk.sent.index(places[0]), "the dead-man is armed before the first increase"


def test_a_user_stream_that_comes_up_during_the_first_reads_asks_for_them_again() -> None:
    desk = Desk()
    boot = desk.boot()
    desk.user_stream(True)
    for each in boot.effects:
        if isinstance(each, Query):
            desk.feed(desk.reply(each), after_ms=1)
    desk.view()
    assert desk.fsm() is FsmState.INIT, "reads asked before the loss of trust prove nothing"
    desk.run_ms(1_500)
    assert desk.fsm() is FsmState.ACTIVE


def test_refused_places_end_their_orders_and_are_probed_rarely() -> None:
    desk = Desk()
    boot = desk.boot()
    desk.user_stream(True)
    desk.settle(boot, acknowledge=False)
    refused = 0
    until_ms = desk.at_ms + 30_000
    while desk.at_ms < until_ms:
        desk.run_ms(100, acknowledge=False)
        for op in [op for op in desk.sent if op.kind is OpKind.PLACE][refused:]:
            desk.outcome(op, WriteOutcome.REFUSED, code=VenueCode.MARGIN, number=-2019)
            assert desk.closed[op.client_id].state is OrderState.REJECTED
            refused += 1
    tries = Counter((op.level, op.side) for op in desk.sent if op.kind is OpKind.PLACE)
    assert tries
    assert max(tries.values()) <= desk.rules.router.refusals_before_probe + 1
    assert desk.orders == {}


def test_an_unknown_place_is_left_only_by_the_venues_word() -> None:
    desk, op = _unknown_place()
    order = desk.orders[op.client_id]
    assert order.state is OrderState.UNKNOWN
    seen = desk.rest(op)
    desk.run_ms(3_000)
    assert desk.orders[op.client_id].state is OrderState.OPEN
    assert desk.orders[op.client_id].venue_id == seen.venue_id


def test_an_unknown_place_that_no_read_shows_is_failed_only_after_the_settle_time() -> None:
    desk, op = _unknown_place()
    sent_ms = desk.orders[op.client_id].created_ms
    settled_ms = sent_ms + desk.rules.sync.recv_window_ms + desk.rules.sync.settle_ms
    while op.client_id in desk.orders:
        assert desk.venue_ms < settled_ms + 15_000, "never resolved"
        desk.run_ms(100)
    assert desk.venue_ms >= settled_ms
    assert desk.closed[op.client_id].state is OrderState.FAILED


def test_a_fill_told_by_the_stream_and_by_a_read_is_booked_once() -> None:
    desk = Desk()
    desk.up()
    order = desk.nearest(Side.BUY)
    seen = desk.open_orders[order.client_id]
    trade = desk.trade(order.client_id, 11)
    desk.feed(desk.report(seen, trade), after_ms=5)
    desk.feed(desk.report(seen, trade), after_ms=5)
    desk.run_ms(35_000)
    assert [each.fill.trade_id for each in desk.said(Filled)] == [11]
    assert desk.state.symbols[SYMBOL].position_lots == desk.position == order.lots
    assert desk.state.ledger.wallet["USDT"] == desk.wallet


def test_a_fill_the_stream_lost_is_found_by_the_reads() -> None:
    desk = Desk()
    desk.up()
    order = desk.nearest(Side.SELL)
    desk.trade(order.client_id, 12)
    desk.run_ms(40_000)
    assert [each.fill.trade_id for each in desk.said(Filled)] == [12]
    assert order.client_id not in desk.orders
    assert desk.state.symbols[SYMBOL].position_lots == desk.position
    assert desk.state.sync.suspicions == {}


def test_a_fill_reported_after_the_end_of_its_order_still_counts() -> None:
    desk = Desk()
    desk.up()
    order = desk.nearest(Side.BUY)
    seen = desk.open_orders[order.client_id]
    trade = desk.trade(order.client_id, 13, lots=1)
    report = desk.report(seen, trade)
    desk.feed(replace(report, execution="CANCELED", status="CANCELED", trade_id=0, last_lots=0), after_ms=5)
    assert order.client_id in desk.closed
    desk.feed(report, after_ms=5)
    assert desk.state.symbols[SYMBOL].position_lots == 1
    assert desk.closed[order.client_id].state is OrderState.CANCELED, "terminal is terminal"
    assert desk.closed[order.client_id].filled_lots == 1


def test_a_cancel_answered_with_unknown_order_proves_nothing() -> None:
    desk = Desk()
    desk.up()
    paused = desk.feed(_wish(OperatorCommand.PAUSE))
    op = next(op for op in _ops(paused) if op.kind is OpKind.CANCEL)
    seen = desk.open_orders[op.client_id]
    desk.outcome(op, WriteOutcome.REFUSED, code=VenueCode.UNKNOWN_ORDER, number=-2011)
    assert op.client_id in desk.orders, "it may still fill"
    trade = desk.trade(op.client_id, 14)
    desk.feed(desk.report(seen, trade), after_ms=5)
    assert desk.closed[op.client_id].state is OrderState.FILLED


def test_a_pause_cancels_what_increases_and_amends_or_places_nothing() -> None:
    desk = Desk()
    desk.up()
    before = len(desk.sent)
    paused = desk.feed(_wish(OperatorCommand.PAUSE))
    assert desk.fsm() is FsmState.PAUSED
    assert {op.kind for op in _ops(paused)} == {OpKind.CANCEL}
    desk.settle(paused)
    for move in (-3_000, 2_000, 5_000):
        desk.view(desk.bid + move)
        desk.run_ms(1_000)
    said = [each for each in desk.said(Sent) if each.intent == Intent.INCREASE]
    assert len(said) == len([op for op in desk.sent[:before] if op.intent is Intent.INCREASE])
    assert desk.orders == {}


def test_a_process_that_stood_still_degrades_and_reads_everything_before_it_quotes_again() -> None:
    desk = Desk()
    desk.up()
    stopped = desk.feed(LoopReport(lag_ms=4_000, resumed=True), after_ms=4_000)
    assert desk.fsm() is FsmState.DEGRADED
    assert desk.state.fsm.last_reason in (FsmReason.RESUMED, FsmReason.FEED_STALE)
    assert not [op for op in _ops(stopped) if op.intent is Intent.INCREASE]
    reads = {each.kind for each in stopped.effects if isinstance(each, Query)}
    assert {QueryKind.POSITIONS, QueryKind.OPEN_ORDERS, QueryKind.TRADES} <= reads
    desk.settle(stopped)
    desk.run_ms(desk.rules.health.dwell_ms + 2_000)
    assert desk.fsm() is FsmState.ACTIVE


@pytest.mark.parametrize("mode", [StopMode.CANCEL, StopMode.LEAVE, StopMode.FLATTEN])
def test_each_stop_mode_leaves_what_it_promises(mode: StopMode) -> None:
    desk = Desk(stop_rules(mode))
    desk.up()
    order = desk.nearest(Side.BUY)
    seen = desk.open_orders[order.client_id]
    desk.settle(desk.feed(desk.report(seen, desk.trade(order.client_id, 15)), after_ms=5))
    finish = _stop(desk)
    assert finish.clean, finish
    resting = [line for line in finish.resting if "position" not in line]
    assert bool(resting) is (mode is StopMode.LEAVE)
    assert bool(desk.open_orders) is (mode is StopMode.LEAVE)
    assert (desk.position == 0) is (mode is StopMode.FLATTEN)
    beats = [op.countdown_ms for op in desk.sent if op.kind is OpKind.DEADMAN]
    assert beats[-1] == 0, "disarmed last"


@pytest.mark.parametrize("answers", [True, False])
def test_a_stop_books_the_funding_that_it_was_just_told_of_or_waits_for_it_in_reason(answers: bool) -> None:
    desk = Desk(stop_rules(StopMode.CANCEL))
    desk.up()
    desk.feed(AccountReport(reason="FUNDING_FEE", balances=(), positions=(), event_ms=desk.venue_ms), after_ms=10)
    told_ms = desk.state.now_ms
    if not answers:
        desk.state.sync.wanted["income|"] = 10**15
    assert _stop(desk).clean
    assert (desk.state.sync.last_ok.get("income|", 0) > told_ms) is answers
    assert (desk.state.now_ms - told_ms < act.MONEY_WITHIN_MS) is answers


def _stop(desk: Desk) -> Finish:
    """Signal, then a venue that does all it is asked, market orders included."""
    done = desk.feed(StopSignal(name="SIGTERM"), after_ms=10)
    for number in range(400):
        for effect in done.effects:
            if isinstance(effect, Finish):
                return effect
        waiting = list(done.effects)
        done = desk.feed(Woke(), after_ms=50)
        for effect in waiting:
            if isinstance(effect, Query):
                done = _join(done, desk.feed(desk.reply(effect), after_ms=1))
        for op in [op for step_effect in waiting for op in getattr(step_effect, "ops", ())]:
            answered = desk.acknowledge(op)
            done = _join(done, answered)
            if op.kind is OpKind.PLACE:
                seen = desk.open_orders[op.client_id]
                done = _join(done, desk.feed(desk.report(seen, desk.trade(op.client_id, 1_000 + number)), after_ms=1))
    raise AssertionError("the stop never ended")


def _join(one: Step, other: Step) -> Step:
    return Step(records=[*one.records, *other.records], effects=[*one.effects, *other.effects])


def _ops(step: Step) -> list[WireOp]:
    return [op for effect in step.effects if isinstance(effect, Send) for op in effect.ops]


def _unknown_place() -> tuple[Desk, WireOp]:
    """An engine whose first place got no answer, all others rest."""
    desk = Desk()
    boot = desk.boot()
    desk.user_stream(True)
    desk.settle(boot, acknowledge=False)
    while not [op for op in desk.sent if op.kind is OpKind.PLACE]:
        desk.run_ms(100, acknowledge=False)
    places = [op for op in desk.sent if op.kind is OpKind.PLACE]
    for op in places[1:]:
        desk.settle(desk.acknowledge(op))
    desk.settle(desk.outcome(places[0], WriteOutcome.UNKNOWN, code=VenueCode.TIMEOUT))
    return desk, places[0]


def test_every_move_is_said_and_every_order_change_too() -> None:
    desk = Desk()
    desk.up()
    moved = {each.client_id for each in desk.said(OrderMoved)}
    assert moved == {op.client_id for op in desk.sent if op.kind is OpKind.PLACE}
