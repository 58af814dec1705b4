"""State x intent x kill x drawdown, every cell: what the engine asks for in each state, and what leaves the process.

The production chain is tempted with an increase, a reduction and a cancel again and again, once through all gates and
once past them, so that the last hop stands alone. The contract's table is written down here a second time.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from gridops.decide import permissions
from gridops.domain.events import Boot, OperatorInput, SignalChanged
from gridops.domain.market import Signal
from gridops.domain.vocabulary import FsmState, Intent, OnBreach, OperatorCommand, StopMode
from gridops.runtime import act
from gridops.runtime.state import EngineState
from gridops.sim.day import RULES
from tests.effort import FULL
from tests.sim.stage import Stage
from tests.sim.test_emergency import deaf, restart
from tests.tempter import Attempt, Tempter

pytestmark = pytest.mark.simulation
READ_LIMIT_MS = 10_000
HELD_LOTS = 60
CAP = Decimal(20_000)
STAYS = replace(
    RULES,
    health=replace(RULES.health, dwell_ms=3_000),
    risk=replace(
        RULES.risk, on_kill=OnBreach.CANCEL_ONLY, on_drawdown=OnBreach.CANCEL_ONLY, symbol_cap=CAP, account_cap=CAP
    ),
)
"""An emergency that closes nothing by itself, so that there is something to ask a reduction for."""
OPENING = (FsmState.ACTIVE, FsmState.THROTTLED)


class MatrixStage(Stage):
    """A judge that lets a level hold more than one order: what is asked for here follows no ladder."""

    armed = True

    def _boot_event(self) -> Boot:
        return replace(super()._boot_event(), armed=self.armed)


def stage_with_position() -> MatrixStage:
    stage = MatrixStage(17, rules=STAYS)
    stage.judge._one_per_level = lambda order: None  # type: ignore[method-assign]
    stage.judge.rows._one_per_level = lambda op: None  # type: ignore[method-assign]
    stage.begin()
    params = {
        "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": stage.grid.quantity.text(HELD_LOTS),
        "newClientOrderId": "web_start",
    }  # fmt: skip
    stage.rest.by_another_hand("POST", "/fapi/v1/order", params)
    stage.wait(lambda: stage._symbol().position_lots == stage.judge.position, 5, "the position is known")
    # A trade of another hand may cost trust for a moment.
    stage.run_s(2)
    stage.wait(lambda: stage.fsm is FsmState.ACTIVE, 60, "ACTIVE again")
    return stage


def _init(stage: MatrixStage) -> None:
    stage._connect_user = lambda: None  # type: ignore[method-assign]
    restart(stage, after_s=1)


def _ready(stage: MatrixStage) -> None:
    stage.armed = False
    restart(stage, after_s=1)


def _throttled(stage: MatrixStage) -> None:
    signal = Signal(
        name="toxicity", scaled=1_500, as_of_ms=stage.clock.true_ms(), ttl_ms=600_000, source="test", digest=""
    )
    assert stage.process is not None
    stage.process.put(SignalChanged(signal=signal))


def _degraded(stage: MatrixStage) -> None:
    stage._market_mute = True
    stage._market_blind()


def _blind(stage: MatrixStage) -> None:
    deaf(stage, "PositionRisk")
    _degraded(stage)


def _drawdown(stage: MatrixStage) -> None:
    stage.state.drawdown = replace(stage.state.drawdown, latched=True)


def _stop(mode: StopMode) -> Callable[[MatrixStage], None]:
    def stop(stage: MatrixStage) -> None:
        deaf(stage, "CountdownCancelAll")
        assert stage.process is not None
        stage.process.put(
            OperatorInput(command=OperatorCommand.STOP, request_id="stop", author="t", reason="t", stop_mode=mode)
        )

    return stop


SCENES: dict[str, tuple[FsmState, Callable[[MatrixStage], Any], float]] = {
    "INIT": (FsmState.INIT, _init, 6),
    "READY": (FsmState.READY, _ready, 6),
    "ACTIVE": (FsmState.ACTIVE, lambda _: None, 4),
    "THROTTLED": (FsmState.THROTTLED, _throttled, 4),
    "PAUSED": (FsmState.PAUSED, lambda stage: stage.operator(OperatorCommand.PAUSE), 4),
    "DEGRADED": (FsmState.DEGRADED, _degraded, 6),
    "DEGRADED and blind": (FsmState.DEGRADED, _blind, 25),
    "EMERGENCY": (FsmState.EMERGENCY, lambda stage: stage.kill(), 4),
    "EMERGENCY by drawdown": (FsmState.EMERGENCY, _drawdown, 4),
    **{f"STOPPING {mode}": (FsmState.STOPPING, _stop(mode), 4.0) for mode in StopMode},
}


def allowed(attempt: Attempt, *, latched: bool) -> bool:
    """The table of the contract."""
    state = attempt.state
    if attempt.intent is Intent.INCREASE:
        return state in OPENING and not latched and not attempt.drawdown
    if attempt.intent is Intent.CANCEL:
        return state is not FsmState.INIT or attempt.named
    if state is FsmState.DEGRADED:
        return attempt.read_age_ms is not None and attempt.read_age_ms <= READ_LIMIT_MS
    if state is FsmState.STOPPING:
        return attempt.stop_mode in (StopMode.REDUCE, StopMode.FLATTEN)
    return state is not FsmState.INIT


@pytest.mark.parametrize("forced", [False, True], ids=["through the gates", "at the last hop"])
@pytest.mark.parametrize("scene", SCENES)
def test_every_cell(monkeypatch: pytest.MonkeyPatch, scene: str, forced: bool) -> None:
    tempter = Tempter(forced=forced)
    monkeypatch.setattr(act, "run", tempter.run)
    for latched, drawdown in product((False, True), repeat=2) if FULL else ((False, False), (True, True)):
        tempter.begin()
        _cell(tempter, scene, latched=latched, drawdown=drawdown)


def _cell(tempter: Tempter, scene: str, *, latched: bool, drawdown: bool) -> None:
    wanted, enter, seconds = SCENES[scene]
    tempter.on = False
    stage = stage_with_position()
    enter(stage)
    since = len(stage.writes)
    tempter.on = True
    if drawdown:
        tempter.prepare = suspect
    stage.latch.latched = latched or (wanted is FsmState.EMERGENCY and stage.latch.latched)
    stage.wait(lambda: stage.process is not None and stage.fsm is wanted, 30, wanted.value, every_ms=1)
    stage.run_s(seconds)
    tempter.on = False
    stage.run_s(1)
    cell = f"{scene}, latched {latched}, drawdown {drawdown}"
    asked = [each for each in tempter.attempts if each.state is wanted]
    left = {write.leg.get("newClientOrderId") for write in stage.writes[since:] if not write.cancel}
    cancelled = [write for write in stage.writes[since:] if write.cancel]
    stage.close()
    for each in asked:
        may = allowed(each, latched=latched)
        if each.intent is Intent.INCREASE and not (may or (tempter.forced and wanted in OPENING and not latched)):
            assert each.client_id not in left, f"{cell}: {each} left the process"
        if tempter.forced:
            continue
        if each.intent is not Intent.INCREASE:
            assert bool(each.client_id) == may or (each.intent is Intent.REDUCE and not may), f"{cell}: {each}"
        if each.intent is Intent.REDUCE:
            assert (each.client_id in left) == may, f"{cell}: {each}"
    _seen(cell, asked, left, len(cancelled), latched=latched, forced=tempter.forced)


def _seen(cell: str, asked: list[Attempt], left: set[Any], cancels: int, *, latched: bool, forced: bool) -> None:
    """Nothing is proven by a cell in which nothing was asked for."""
    intents = {each.intent for each in asked}
    assert Intent.INCREASE in intents, f"{cell}: no increase was asked for"
    if any(allowed(each, latched=latched) for each in asked if each.intent is Intent.INCREASE):
        assert any(each.client_id in left for each in asked if each.intent is Intent.INCREASE), f"{cell}: none left"
    if any(allowed(each, latched=latched) for each in asked if each.intent is Intent.CANCEL):
        assert cancels, f"{cell}: no cancel left"
    if not forced:
        assert Intent.REDUCE in intents, f"{cell}: no reduction was asked for"


def suspect(state: EngineState) -> None:
    """A drawdown is suspected at every step."""
    state.drawdown = replace(state.drawdown, breaches=max(1, state.drawdown.breaches))


def test_the_judge_of_this_table_convicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A paused state that lets increases through turns the matrix red."""
    monkeypatch.setitem(permissions.PERMISSIONS, FsmState.PAUSED, permissions.PERMISSIONS[FsmState.ACTIVE])
    tempter = Tempter()
    monkeypatch.setattr(act, "run", tempter.run)
    with pytest.raises(AssertionError):
        _cell(tempter, "PAUSED", latched=False, drawdown=False)
