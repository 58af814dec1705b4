"""State x intent x kill x drawdown with a real process and the real client: what arrives at the venue's socket.

An engine that is tempted in every state tours them all. Its attempts are held against the contract's table, and the
oracle's request journal says which of them left.
"""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.home import Home
from gridops.domain.vocabulary import FsmState, Intent
from tests.effort import FULL
from tests.tempter import RISE_LOTS
from tests.wire.harness import ACCOUNT, Bench, Engine, increases, legs

pytestmark = [pytest.mark.wire, pytest.mark.timeout(240)]
ROOT = Path(__file__).resolve().parents[2]
TEMPTED = str(Path(__file__).with_name("tempted.py"))
OPENING = ("ACTIVE", "THROTTLED")
SETTLE_S = 0.6
"""What was under way when a cell began has arrived by then."""
SECONDS = 4.0 if FULL else 1.2
PATIENCE_S = 5.0


class Tour:
    """One bench with a tempted engine, and what each cell showed."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench, self.folder = bench, folder
        self.latch = Home(bench.home).kill_latch(ACCOUNT)
        self.cells: dict[str, dict[str, int]] = {}

    def attempts(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "attempts.jsonl").read_text().splitlines()]

    def cell(self, engine: Engine, state: str, *, latched: bool = False, drawdown: bool = False) -> None:
        """Stay in a state for a while under these levels; judge what was asked for and what arrived."""
        engine.wait_state(state, within_s=30.0)
        stands = self.latch.exists()
        if latched and not stands:
            self.latch.write_text("{}")
        if drawdown:
            (self.folder / "drawdown").touch()
        time.sleep(SETTLE_S)
        since, seen = self.bench.last_request(), len(self.attempts())
        may_rise = state in OPENING and not latched and not drawdown
        time.sleep(SECONDS)
        # A quiet state takes few inputs, and each is asked at the third; one that may rise has its own ladder to place
        # first: give it a moment more.
        until_s = time.monotonic() + PATIENCE_S
        while not any(
            each["intent"] == Intent.INCREASE.value and (each["client_id"] or not may_rise)
            for each in self.attempts()[seen:]
        ):
            assert time.monotonic() < until_s, f"{state}: nothing was asked for, or nothing granted that may be"
            time.sleep(0.1)
        known = self.attempts()[seen:]
        assert engine.snapshot()["state"] == state, "the cell is judged in one state"
        time.sleep(0.3)
        arrived = self.bench.requests(since)
        if latched and not stands:
            self.latch.unlink()
        (self.folder / "drawdown").unlink(missing_ok=True)
        name = f"{state}, latched {latched}, drawdown {drawdown}"
        self.judge(name, state, known, arrived, may_rise=may_rise)

    def judge(
        self, name: str, state: str, asked: list[dict[str, Any]], arrived: list[dict[str, Any]], *, may_rise: bool
    ) -> None:
        placed = [leg for each in arrived if each["method"] == "POST" for leg in legs(each)]
        raised = increases(self.bench, arrived)
        reduced = {leg["newClientOrderId"] for leg in placed if leg.get("reduceOnly") == "true"}
        cancelled = [each for each in arrived if each["method"] == "DELETE" and "rder" in each["path"]]
        by_intent = {
            intent: [each for each in asked if each["intent"] == intent.value and each["state"] == state]
            for intent in Intent
        }
        self.cells[name] = {
            "asked": len(asked), "raised": len(raised), "reduced": len(reduced), "cancelled": len(cancelled)
        }  # fmt: skip
        assert by_intent[Intent.INCREASE], f"{name}: nothing was asked for"
        if may_rise:
            assert any(_is_ours(leg) for leg in placed), f"{name}: no increase of those allowed arrived"
        else:
            assert raised == [], f"{name}: {raised}"
        for each in by_intent[Intent.REDUCE]:
            granted = bool(each["client_id"])
            assert granted == _may_reduce(state, each), f"{name}: {each}"
        granted_now = [each["client_id"] for each in by_intent[Intent.REDUCE][:-1] if each["client_id"]]
        assert set(granted_now) <= reduced, f"{name}: a reduction that was granted did not arrive"
        for each in by_intent[Intent.CANCEL]:
            assert bool(each["client_id"]) == (state != "INIT" or each["named"]), f"{name}: {each}"
        if any(each["client_id"] for each in by_intent[Intent.CANCEL][:-1]):
            assert cancelled, f"{name}: a cancel that was granted did not arrive"


def _is_ours(leg: dict[str, Any]) -> bool:
    return round(float(leg["quantity"]) * 1_000) == RISE_LOTS and leg.get("timeInForce") == "GTX"


def _may_reduce(state: str, attempt: dict[str, Any]) -> bool:
    if state == FsmState.DEGRADED.value:
        return attempt["read_age_ms"] is not None and attempt["read_age_ms"] <= 10_000
    if state == FsmState.STOPPING.value:
        return attempt["stop_mode"] in ("reduce", "flatten")
    return state != FsmState.INIT.value


def tempted(folder: Path, **settings: str) -> Bench:
    bench = Bench(
        folder,
        GRIDOPS_RISK__ON_KILL="cancel_only",
        GRIDOPS_HEALTH__FEED_STALE_SECONDS="5",
        TEMPTED_FOLDER=str(folder),
        PYTHONPATH=os.pathsep.join((str(ROOT), str(ROOT / "commands"))),
        **settings,
    )
    bench.program = (TEMPTED,)
    (folder / "attempts.jsonl").touch()
    return bench


def buy(bench: Bench, quantity: str = "0.060") -> None:
    """The operator's other hand: something to reduce in every state."""
    bench.venue.fault("venue.external", what="order", side="BUY", quantity=quantity)


def show(tour: Tour) -> None:
    print()
    for name, counts in tour.cells.items():
        print(name, counts)


def test_a_running_engine_in_each_state_it_can_be_asked_into(tmp_path: Path) -> None:
    # The tempter spends the rate budget by itself: that would throttle the engine while ACTIVE is being judged.
    with tempted(tmp_path, GRIDOPS_HEALTH__SHADOW="rate_budget_low") as bench:
        tour, engine = Tour(bench, tmp_path), bench.start()
        buy(bench)
        engine.wait(lambda: bench.position_lots() > 20, 10.0, "a position")
        time.sleep(3.0)
        tour.cell(engine, "ACTIVE")
        tour.cell(engine, "ACTIVE", latched=True)
        if FULL:
            tour.cell(engine, "ACTIVE", drawdown=True)
        toxic = {"name": "toxicity", "scaled": 1_500, "ttl_ms": 60_000}
        assert engine.ask("signal", reason="matrix", signal=toxic)["accepted"]
        tour.cell(engine, "THROTTLED")
        tour.cell(engine, "THROTTLED", latched=True, drawdown=True)
        assert engine.ask("pause", reason="matrix")["accepted"]
        tour.cell(engine, "PAUSED")
        if FULL:
            tour.cell(engine, "PAUSED", latched=True)
            tour.cell(engine, "PAUSED", drawdown=True)
        bench.venue.fault("ws.silent", target="market")
        tour.cell(engine, "DEGRADED")
        if FULL:
            tour.cell(engine, "DEGRADED", latched=True, drawdown=True)
        assert engine.ask("kill", reason="matrix")["accepted"]
        tour.cell(engine, "EMERGENCY", latched=True)
        if FULL:
            tour.cell(engine, "EMERGENCY", latched=True, drawdown=True)
        show(tour)


@pytest.mark.nightly
@pytest.mark.parametrize("mode", ["flatten", "cancel", "leave", "reduce"])
def test_a_disarmed_engine_that_begins_waits_and_stops(tmp_path: Path, mode: str) -> None:
    with tempted(tmp_path, GRIDOPS_OPERATIONS__STOP_MODE=mode) as bench:
        tour, engine = Tour(bench, tmp_path), bench.start()
        buy(bench)
        engine.wait(lambda: bench.position_lots() > 20 and bool(bench.resting()), 20.0, "a position and a ladder")
        engine.kill()
        bench.venue.fault(
            "rest.http", selector={"path": "/fapi/v1/userTrades"}, status=503, body="Service unavailable."
        )
        bench.arguments = ("--no-armed",)
        engine = bench.start(active=False)
        tour.cell(engine, "INIT")
        if FULL:
            tour.cell(engine, "INIT", latched=True, drawdown=True)
        bench.venue.command("clear", {})
        tour.cell(engine, "READY")
        if FULL:
            tour.cell(engine, "READY", latched=True, drawdown=True)
        assert [each for each in bench.resting() if not each["reduceOnly"]] == []
        bench.venue.fault("rest.delay_resp", selector={"path": "/fapi/v1/countdownCancelAll"}, ms=6_000)
        since = bench.last_request()
        engine.send(signal.SIGTERM)
        tour.cell(engine, "STOPPING")
        placed = [leg for each in bench.requests(since) if each["method"] == "POST" for leg in legs(each)]
        assert mode != "flatten" or any(leg.get("reduceOnly") == "true" for leg in placed)
        show(tour)
