"""The router on the wire: what a plan says is what the venue's own journal of requests shows, no more and no less."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.wire.harness import Bench, legs

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
