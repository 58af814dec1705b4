"""The screen's state is the engine's: whatever is shown equals what the engine itself holds, row by row."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from gridops.decide import budget, drawdown
from gridops.domain.events import OperatorInput, StreamChanged
from gridops.domain.rules import GridRules, Rules
from gridops.domain.vocabulary import FsmState, OperatorCommand, Side, Stream
from gridops.runtime import facts
from gridops.runtime.state import EngineState
from gridops.tui.model import Model
from tests.runtime.engine_kit import SYMBOL, Desk
from tests.tui.kit import checkpoint, fill, folded, quoting, rows, story


def shown(state: EngineState) -> dict[str, Any]:
    """Everything the panels read."""
    symbol = state.symbols[SYMBOL]
    return {
        "fsm": replace(state.fsm, bad_ms={}, loss_ms=0),
        "levels": state.levels,
        "orders": symbol.orders,
        "position": (symbol.position_lots, symbol.venue_lots, symbol.venue_lots_ms, symbol.last_fill_ms),
        "view": symbol.view,
        "grid": (symbol.grid.spacing_cbps, symbol.rung_lots, symbol.regime.regime),
        "trips": symbol.trips,
        "ledger": state.ledger,
        "counters": (state.counters.fills, state.counters.trips, state.counters.trips_net, state.counters.decisions),
        "ops": state.counters.ops,
        "budget": budget.room(state.budget, state.rules.budget, state.venue_ms),
        "drawdown": (drawdown.drawdown_bps(state.drawdown), state.drawdown),
        "deadman": state.deadman,
        "equity": facts.equity(state),
        "wce": facts.wce_units(symbol),
        "wishes": replace(state.wishes, acked=False, accept_position=False, finished=False),
        "suspicions": state.sync.suspicions,
        "reconciled": state.sync.reconciled_ms,
        "identity": state.identity,
    }


def test_the_fold_from_the_first_row_equals_the_engine() -> None:
    desk = story()
    model = folded(desk)
    assert model.fold_error == "" and model.state is not None
    assert shown(model.state) == shown(desk.state)
    assert desk.state.counters.fills == 3 and desk.state.fsm.state is FsmState.PAUSED


def test_the_fold_equals_the_engine_after_every_single_row() -> None:
    desk, model = quoting(2), Model()
    model.reset(None)
    for row in rows(desk):
        model.take(row)
    for turn in range(40):
        desk.history.clear()
        if turn % 9 == 4:
            fill(desk, Side.BUY if turn % 2 else Side.SELL, trade_id=turn)
        desk.settle(desk.view(650_000 + 37 * (turn % 11), after_ms=150))
        for row in rows(desk):
            model.take(row)
        assert model.fold_error == "" and model.state is not None
        assert shown(model.state) == shown(desk.state), turn


def test_the_fold_from_a_checkpoint_equals_the_engine() -> None:
    desk = quoting()
    base = checkpoint(desk)
    desk.history.clear()
    fill(desk, Side.SELL, trade_id=9)
    desk.run_ms(4_000)
    model = Model()
    model.reset(base)
    for row in rows(desk):
        model.take(row)
    assert model.fold_error == "" and model.state is not None
    assert shown(model.state) == shown(desk.state)
    assert model.seq == desk.state.seq


def _emergency() -> Desk:
    desk = quoting(2)
    for trade_id, side in ((1, Side.BUY), (2, Side.SELL)):
        fill(desk, side, trade_id=trade_id)
        desk.run_ms(3_000)
    assert desk.state.symbols[SYMBOL].position_lots == 0
    desk.settle(desk.feed(OperatorInput(command=OperatorCommand.KILL, request_id="1", author="ann", reason="x")))
    desk.run_ms(2_000)
    assert desk.fsm() is FsmState.EMERGENCY
    return desk


def test_a_kill_and_its_ack_are_followed() -> None:
    desk = _emergency()
    model = folded(desk)
    assert model.state is not None and model.state.wishes.killed
    desk.history.clear()
    desk.run_ms(6_000)
    desk.settle(desk.feed(OperatorInput(command=OperatorCommand.ACK, request_id="2", author="ann", reason="y")))
    desk.run_ms(500)
    assert desk.fsm() is not FsmState.EMERGENCY, desk.state.levels
    assert model.state.drawdown.baseline != desk.state.drawdown.baseline
    for row in rows(desk):
        model.take(row)
    assert model.fold_error == ""
    assert shown(model.state) == shown(desk.state)


def test_lost_trust_is_followed() -> None:
    desk = quoting(2)
    desk.settle(desk.feed(StreamChanged(stream=Stream.USER, up=False, detail="gone")))
    desk.run_ms(8_000)
    assert desk.fsm() is FsmState.DEGRADED
    model = folded(desk)
    assert model.fold_error == "" and model.state is not None
    assert shown(model.state) == shown(desk.state)


def test_a_restart_is_followed() -> None:
    desk = quoting(2)
    desk.settle(desk.boot(epoch=1_700_000_100))
    desk.settle(desk.user_stream(True))
    desk.run_ms(3_000)
    model = folded(desk)
    assert model.fold_error == "" and model.state is not None
    assert shown(model.state) == shown(desk.state)


def test_a_row_that_does_not_fit_is_said_and_the_next_checkpoint_repairs_it() -> None:
    desk = story()
    every = rows(desk)
    model = Model()
    model.reset(None)
    moves = [at for at, row in enumerate(every) if b'["Transition"' in row.body]
    for row in every[: moves[0]] + every[moves[0] + 1 :]:
        model.take(row)
    assert "does not fit" in model.fold_error
    assert [entry.said.to_state for entry in model.history.transitions][-1] is FsmState.PAUSED
    model.rebase(checkpoint(desk))
    assert model.fold_error == "" and model.state is not None
    assert shown(model.state) == shown(desk.state)


def test_an_unreadable_row_is_said() -> None:
    desk = quoting(2)
    model = folded(desk)
    model.take(rows(desk)[-1]._replace(seq=10_000, body=b"[]"))
    assert "not readable" in model.fold_error and model.seq == 10_000


@pytest.mark.parametrize("lots", [1, 2])
def test_a_partial_fill_shows_in_the_order(lots: int) -> None:
    desk = Desk(Rules(symbols=(SYMBOL,), grid=GridRules(levels=2, rung_notional=Decimal(300))))
    desk.up()
    order = desk.open_orders[desk.nearest(Side.BUY).client_id]
    assert order.lots > lots
    desk.settle(desk.feed(desk.report(order, desk.trade(order.client_id, 77, lots)), after_ms=5))
    model = folded(desk)
    assert model.state is not None
    assert model.state.symbols[SYMBOL].orders[order.client_id].filled_lots == lots
    assert model.state.symbols[SYMBOL].position_lots == lots
    assert model.history.fills[-1].said.fill.fee == Decimal("0.02")
