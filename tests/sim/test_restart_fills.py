"""Fills that happen while nobody is there: killed again as it asks for the truth, the next engine has them all.

By the venue's own record: once out of INIT every fill from before its trades were asked for is booked, and whatever
came after that reaches it by the private stream, without another read.
"""

from random import Random
from typing import Any

import pytest
from gridops.domain.vocabulary import FsmState
from gridops.sim.rest_link import Ask, Done, Refusal
from gridops.sim.scheduler import MS
from tests.effort import FULL
from tests.sim.stage import Stage

pytestmark = pytest.mark.simulation
SYMBOL = "BTCUSDT"
LATENCIES_US = (12_000, 60_000, 150_000)
STREAM_S = 1.5
"""Longer than the slowest link's frames take, shorter than the pause between two regular reads."""


@pytest.mark.timeout(1_800)
def test_an_engine_killed_while_it_reads_the_truth_is_followed_by_one_that_leaves_init_with_every_fill() -> None:
    while_away = after_the_read = 0
    for seed in range(1, 201 if FULL else 5):
        chance = Random(f"restart {seed}")
        stage = Stage(seed, high_us=chance.choice(LATENCIES_US))
        stage.begin()
        stage.hold(3)
        crash(stage)
        for _ in range(chance.randint(1, 3)):
            stage.run_s(chance.uniform(0.5, 12))
            _die_asking(stage, "UserTrades" if chance.random() < 0.7 else "PositionRisk", chance.choice(MOMENTS))
        _jump(stage, chance)
        stage.run_s(chance.uniform(0.5, 3))
        while_away += len(set(stage.judge.trades) - _booked(stage))
        asked = _told_when_asked(stage)
        _hold_back(stage, "OpenOrders", 4_000)
        _connect_late(stage, chance.randint(0, 8_000))
        stage.scheduler.after(chance.randint(0, 4_000) * MS, lambda stage=stage, chance=chance: _jump(stage, chance))  # type: ignore[misc]
        began_ms = stage.scheduler.now_ms
        stage.boot()
        # Until the Boot is taken the state is what the run before has left.
        stage.run_s(0.01)
        stage.wait(lambda stage=stage: stage.fsm is not FsmState.INIT, 60, "out of INIT", every_ms=1)  # type: ignore[misc]
        assert asked, f"seed {seed}: {stage.fsm} without asking for the trades"
        known, happened = set(stage.state.symbols[SYMBOL].trade_ids), set(stage.judge.trades)
        assert asked[-1] <= known, f"seed {seed}: {asked[-1] - known} not booked in {stage.fsm}"
        assert all(write.at_ms >= stage.scheduler.now_ms - 1 for write in stage.raised(began_ms)), f"seed {seed}"
        after_the_read += len(happened - asked[-1])
        _refuse_trades(stage)
        stage.run_s(STREAM_S)
        lost = happened - _booked(stage)
        assert not lost, f"seed {seed}: {lost} fell between the read and the stream"
        stage.close()
    print(f"\n{while_away} fills while nobody was there, {after_the_read} between the read and the end of INIT")
    assert while_away and after_the_read


MOMENTS = ("left", "answered", "read")


def crash(stage: Stage) -> None:
    assert stage.process is not None
    stage.process.crash()
    stage._user_up = stage._market_up = 0


def _jump(stage: Stage, chance: Random) -> None:
    """The market runs through some rungs at once."""
    source: Any = stage.source
    ticks = chance.choice((-1, 1)) * chance.randint(50, 300)
    source._bid, source._ask = source._bid + ticks, source._ask + ticks


def _die_asking(stage: Stage, name: str, moment: str) -> None:
    """Start, and die when this read has left, when its answer is at the door, or when it has just been taken."""
    carry = stage.rest.exchange
    dead: list[FsmState] = []

    def die() -> None:
        if not dead:
            dead.append(stage.fsm)
            crash(stage)

    def exchange(ask: Ask, done: Done) -> None:
        if name not in ask.endpoint or dead:
            carry(ask, done)
            return

        def answered(reply: Any) -> None:
            if moment == "answered":
                die()
            done(reply)
            stage.scheduler.after(MS, die)

        carry(ask, answered)
        if moment == "left":
            die()

    stage.rest.exchange = exchange  # type: ignore[method-assign]
    stage.boot()
    stage.wait(lambda: bool(dead), 60, f"death at {name}", every_ms=1)
    stage.rest.exchange = carry  # type: ignore[method-assign]
    assert dead == [FsmState.INIT]


def _booked(stage: Stage) -> set[int]:
    """Ids of the fills that are on the disk."""
    return {trade_id for _, trade_id in stage.judge.intents.fills}


def _told_when_asked(stage: Stage) -> list[set[int]]:
    """At each request for trades that leaves from now on, the fills that had happened by then."""
    asked: list[set[int]] = []
    judged = stage.rest.on_request

    def on_request(method: str, path: str, stamp_ms: int, params: dict[str, Any]) -> None:
        judged(method, path, stamp_ms, params)
        if path.endswith("/userTrades"):
            asked.append(set(stage.judge.trades))

    stage.rest.on_request = on_request
    return asked


def _hold_back(stage: Stage, name: str, wait_ms: int) -> None:
    """Answers to this read come later, so that the market goes on between it and the others."""
    carry = stage.rest.exchange

    def exchange(ask: Ask, done: Done) -> None:
        late_ms = wait_ms if name in ask.endpoint else 0
        carry(ask, lambda reply: stage.scheduler.after(late_ms * MS, lambda: done(reply)))

    stage.rest.exchange = exchange  # type: ignore[method-assign]


def _connect_late(stage: Stage, wait_ms: int) -> None:
    """The private stream takes its time: what is filled before it is up is in the reads or nowhere."""
    connect = stage._connect_user
    stage._connect_user = lambda: stage.scheduler.after(wait_ms * MS, connect)  # type: ignore[method-assign]


def _refuse_trades(stage: Stage) -> None:
    """No history from here on, so that only the stream can tell."""
    until_ms = stage.clock.true_ms() + 60_000
    stage.rest.refusals.append(
        Refusal(path="/userTrades", method="GET", status=503, code=-1008, message="no history", until_ms=until_ms)
    )
