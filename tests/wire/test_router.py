"""The router on the wire: what a plan says is what the venue's own journal of requests shows, no more and no less."""

import json
import re
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gridops.domain.records import Decided, OutboxRefused, Sent
from gridops.domain.vocabulary import OpKind, RouterReason
from tests.effort import FULL
from tests.wire.harness import SYMBOL, Bench, journal_state, legs, records

pytestmark = [pytest.mark.wire, pytest.mark.timeout(180)]


def rehearse(bench: Bench, **settings: str) -> dict[str, Any]:
    """`gridops run --dry-run` beside whatever is there; its document."""
    done = subprocess.run(
        [sys.executable, "-m", "gridops_cli", "run", "--dry-run", "--json", "--home", str(bench.home)],
        cwd=bench.home.parent,
        env={**bench.environment, **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def orders_seen(bench: Bench) -> list[tuple[Any, ...]]:
    """Own resting orders by the oracle, without what the market may change."""
    return sorted((each["clientOrderId"], each["price"], each["origQty"]) for each in bench.resting())


def test_a_dry_run_on_an_empty_account_plans_the_ladder_and_writes_nothing(tmp_path: Path) -> None:
    with Bench(tmp_path, GRIDOPS_GRID__LEVELS="4") as bench:
        since = bench.last_request()
        found = rehearse(bench)
        asked = bench.requests(since)
        assert asked and {each["method"] for each in asked} == {"GET"}
        assert bench.truth()["orders"] == []
        assert found["operations"] == {"place": 8}
        assert {each["action"] for each in found["levels"]} == {"create"}
        wanted = [each["wanted"].split("@") for each in found["levels"] if each["side"] == "BUY"]
        told = Decimal(found["symbols"][0]["exposure_after"])
        least = sum(Decimal(quantity) * Decimal(price) for quantity, price in wanted)
        assert Decimal(found["symbols"][0]["exposure_before"]) == 0
        assert least * Decimal("0.999") <= told <= least * Decimal("1.01")
        assert not Path(bench.home, "accounts/paper/journal.db").exists()


def test_a_dry_run_with_fewer_levels_names_the_orders_that_the_run_then_cancels(tmp_path: Path) -> None:
    """Ten orders rest, far enough not to fill. The plan for three levels a side is told, and the next run is that."""
    with Bench(tmp_path, GRIDOPS_GRID__LEVELS="5", GRIDOPS_GRID__SPACING_BPS="50",
               GRIDOPS_OPERATIONS__STOP_MODE="leave") as bench:  # fmt: skip
        engine = bench.start()
        engine.wait(lambda: len(bench.resting()) == 10, 20.0, "a whole ladder")
        engine.stop()
        rested, since = orders_seen(bench), bench.last_request()
        found = rehearse(bench, GRIDOPS_GRID__LEVELS="3")
        asked = bench.requests(since)
        assert asked and {each["method"] for each in asked} == {"GET"}
        assert orders_seen(bench) == rested
        assert "grid.levels: 5 -> 3" in found["changed"]
        only = found["symbols"][0]
        assert only["actions"] == {"keep": 6, "cancel": 4}
        assert found["operations"] == {"cancel": 4}
        before, after = Decimal(only["exposure_before"]), Decimal(only["exposure_after"])
        assert after < before
        assert Decimal(only["margin_before"]) == before / only["leverage"]
        since = bench.last_request()
        bench.environment["GRIDOPS_GRID__LEVELS"] = "3"
        engine = bench.start()
        engine.wait(lambda: len(bench.resting()) == 6, 20.0, "the outer orders off")
        engine.stop()
        gone = {Decimal(price) for name, price, _ in rested if name not in {each[0] for each in orders_seen(bench)}}
        planned = {each["rests"].split("@")[1] for each in found["levels"] if each["action"] == "cancel"}
        assert gone == {Decimal(each) for each in planned}
        assert {each["method"] for each in bench.requests(since) if legs(each)} == {"DELETE"}


def decided(bench: Bench) -> Counter[tuple[str, str]]:
    """Decision records of the journal by decision and reason."""
    choices = (said.choice for _, said in records(bench.home) if isinstance(said, Decided))
    return Counter((str(choice.decision), str(choice.reason)) for choice in choices)


def counted(samples: dict[str, float]) -> dict[tuple[str, str], int]:
    """The counter's samples that are not zero, and every label value it has."""
    found = {}
    for name, value in samples.items():
        if name.startswith("gridops_router_decision_total{"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', name))
            found[labels["decision"], labels["reason"]] = int(value)
    return found


def test_the_metric_counts_what_the_journal_says(tmp_path: Path) -> None:
    """Paused, so that nothing is decided any more: then the two are equal, reason by reason."""
    with Bench(tmp_path, GRIDOPS_GRID__LEVELS="4", GRIDOPS_GRID__HOLD_BAND="0.1") as bench:
        engine = bench.start()
        engine.wait(lambda: sum(decided(bench).values()) >= 40, 30.0, "some decisions")
        engine.ask("pause", reason="drill")
        engine.wait_state("PAUSED")
        same: list[bool] = []

        def agree() -> bool:
            samples = counted(engine.metrics())
            same[:] = [{key: held for key, held in samples.items() if held} == dict(decided(bench))]
            return same[0]

        engine.wait(agree, 15.0, "metric and journal agree")
        told = counted(engine.metrics())
        assert {decision for decision, _ in told} == {"amend", "cancel_replace", "noop"}
        assert {reason for _, reason in told} <= set(RouterReason)
        engine.stop()


def judge_wire(tmp_path: Path, seed: int) -> int:
    """Noise on every write for a while, then quiet: amends one for one, and the venue's orders are the journal's."""
    with Bench(tmp_path, GRIDOPS_GRID__LEVELS="4", GRIDOPS_GRID__HOLD_BAND="0.1",
               GRIDOPS_OPERATIONS__STOP_MODE="leave", GRIDOPS_VENUE__MARKET=f"synthetic:{seed}") as bench:  # fmt: skip
        for number, path in enumerate(("/fapi/v1/order", "/fapi/v1/batchOrders")):
            bench.venue.fault("rest.drop_resp", selector={"path": path}, probability=0.1, seed=2 * seed + number)
        for number, verb in enumerate(("ws.dup", "ws.reorder")):
            reports = {"event": "ORDER_TRADE_UPDATE"}
            bench.venue.fault(verb, selector=reports, probability=0.2, seed=2 * seed + number)
        engine = bench.start()
        engine.wait(lambda: amends_journaled(bench).total() >= 12, 40.0, "amends through the noise")
        bench.venue.command("clear")
        engine.wait(lambda: settled(bench), 40.0, "nothing in flight and a whole ladder")
        engine.stop()
        assert put_legs(bench) == amends_journaled(bench)
        held = journal_state(bench.home).symbols[SYMBOL].orders.values()
        rested = {each["clientOrderId"] for each in bench.resting()}
        fates = {each["clientOrderId"]: each["status"] for each in bench.truth()["orders"]}
        assert rested <= {each.client_id for each in held}
        # The market goes on after the engine has ended: an order it left may fill.
        assert {fates[each.client_id] for each in held if each.client_id not in rested} <= {"FILLED"}
        levels = [each.level for each in held]
        assert len(levels) == len(set(levels)), levels
        return put_legs(bench).total()


def amends_journaled(bench: Bench) -> Counter[str]:
    """Amends let go, by client id: all that were journaled but those the last hop refused."""
    sent: dict[int, str] = {}
    for _, said in records(bench.home):
        if isinstance(said, Sent) and said.kind is OpKind.AMEND:
            sent[said.op_id] = said.client_id
        elif isinstance(said, OutboxRefused):
            sent.pop(said.op_id, None)
    return Counter(sent.values())


def put_legs(bench: Bench) -> Counter[str]:
    """PUT legs that reached the venue, by client id."""
    names = {str(each["orderId"]): each["clientOrderId"] for each in bench.truth()["orders"]}
    found = (leg for each in bench.requests(0) if each["method"] == "PUT" for leg in legs(each))
    return Counter(names[str(leg["orderId"])] for leg in found)


def settled(bench: Bench) -> bool:
    orders = journal_state(bench.home).symbols[SYMBOL].orders.values()
    return len(orders) == 8 and all(each.pending is None and each.state == "OPEN" for each in orders)


@pytest.mark.parametrize("seed", range(20 if FULL else 1))
def test_amends_of_the_plan_are_the_puts_and_the_final_orders_are_one_a_level(tmp_path: Path, seed: int) -> None:
    assert judge_wire(tmp_path, seed + 11) >= 12
