"""Drills on a live engine: triage names the right first cause within ten seconds of the condition's own detection."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.home import Home
from gridops.adapters.journal_reader import JournalReader
from tests.wire.harness import ACCOUNT, Bench, Engine

WITHIN_S = 10.0


def gridops(
    bench: Bench, *words: str, home: bool = True, changed: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gridops_cli", *words, *(("--home", str(bench.home)) if home else ())]
    return subprocess.run(
        command, env={**bench.environment, **(changed or {})}, cwd=bench.home.parent, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def look(bench: Bench) -> dict[str, Any]:
    ran = gridops(bench, "triage", "--json", "--since", "2m")
    assert ran.returncode in (0, 1), ran.stderr
    document: dict[str, Any] = json.loads(ran.stdout)
    assert document["schema"] == "gridops.triage/1"
    return document


def _paused(_: Bench, engine: Engine) -> None:
    assert engine.ask("pause", reason="drill")["accepted"]


def _killed(_: Bench, engine: Engine) -> None:
    assert engine.ask("kill", reason="drill")["accepted"]


def _muted(bench: Bench, _: Engine) -> None:
    bench.venue.fault("ws.silent", target="market")


def _banned(bench: Bench, _: Engine) -> None:
    bench.venue.fault("rest.ban", ms=60_000)


def _nothing(_: Bench, __: Engine) -> None:
    """Disarmed by how it was started."""


DRILLS: dict[str, tuple[Callable[[Bench, Engine], None], str, str, str]] = {
    "dead feed": (_muted, "DEGRADED", "feeds", "feed_stale"),
    "pause": (_paused, "PAUSED", "pause", "operator_pause"),
    "kill": (_killed, "EMERGENCY", "emergency", "kill_switch"),
    "disarmed": (_nothing, "READY", "armed", "disarmed"),
    "rate ban": (_banned, "DEGRADED", "venue", "rate_banned"),
}


@pytest.mark.wire
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", DRILLS)
def test_triage_names_the_first_cause_of_a_live_engine(tmp_path: Path, name: str) -> None:
    hurt, state, question, reason = DRILLS[name]
    with Bench(tmp_path) as bench:
        if name == "disarmed":
            bench.arguments = ("--no-armed",)
        engine = bench.start(active=name != "disarmed")
        if name != "disarmed":
            assert look(bench)["verdict"] != "finding", "nothing is wrong before it is hurt"
        hurt(bench, engine)
        engine.wait_state(state, within_s=60.0)
        began_s = time.monotonic()
        shown = look(bench)
        while (shown["first"] or {}).get("reason") != reason and time.monotonic() - began_s < WITHIN_S:
            shown = look(bench)
        took_s = time.monotonic() - began_s
        print(f"{name}: {reason} on screen {took_s:.1f} s after {state}")
        first, snapshot = shown["first"], engine.snapshot()
        assert (first["question"], first["reason"], first["answer"]) == (question, reason, "finding")
        assert took_s < WITHIN_S
        assert first["since_ms"] and first["command"].startswith("gridops ")
        assert (shown["process"], shown["stale"]) == ("live", False)
        assert shown["fsm"]["state"] == snapshot["state"] == state
        assert shown["fsm"]["last_reason"] == snapshot["last"]["reason"]
        assert shown["figures"] and len(shown["figures"][0]["gates"]) in (0, 19)


@pytest.mark.wire
@pytest.mark.timeout(240)
def test_a_live_incident_bundle_replays_in_an_empty_folder(tmp_path: Path) -> None:
    with Bench(tmp_path, speed="5") as bench:
        engine = bench.start()
        with_rows = Home(bench.home).journal(ACCOUNT)
        engine.wait(lambda: _rows(with_rows) > 1_200, 90.0, "two checkpoints")
        engine.kill()
        ran = gridops(bench, "triage", "--bundle", "--since", "3s", "--json")
        folder = Path(json.loads(ran.stdout)["evidence"]["evidence_dir"])
        verified = gridops(bench, "evidence", "verify", str(folder), home=False)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        elsewhere = tmp_path / "elsewhere" / folder.name
        shutil.copytree(folder, elsewhere)
        whole, part = gridops(bench, "replay", "--json"), gridops(bench, "replay", str(elsewhere), "--json")
        assert part.returncode == whole.returncode == 0, part.stdout + part.stderr
        told, all_of_it = json.loads(part.stdout), json.loads(whole.stdout)
        assert told["rows"] < all_of_it["rows"], "a slice, not the whole"
        assert told["records_digest"] == all_of_it["records_digest"]
        assert told["state_digest"] == all_of_it["state_digest"]
        assert told["divergence"] is None


@pytest.mark.wire
@pytest.mark.timeout(120)
def test_doctor_finds_a_running_paper_venue_ready(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        ran = gridops(bench, "doctor", "--json")
        checks = {each["name"]: each for each in json.loads(ran.stdout)["checks"]}
        assert ran.returncode == 0, checks
        for name in ("venue", "clock", "filters", "size", "position mode", "trading", "permissions"):
            assert checks[name]["answer"] == "ok", checks[name]
        assert "BTCUSDT" in checks["size"]["detail"] and "50" in checks["size"]["detail"]


def _rows(path: Path) -> int:
    with JournalReader(path) as reader:
        return reader.count()


@pytest.mark.wire
@pytest.mark.timeout(240)
def test_the_venue_is_asked_and_what_it_knows_better_is_marked(tmp_path: Path) -> None:
    """A live engine and the venue agree; what happens after its death only the venue knows. Judged by the oracle."""
    with Bench(tmp_path) as bench:
        engine = bench.start()
        engine.wait(lambda: bench.fills() > 2, 60.0, "fills")
        said = json.loads(gridops(bench, "triage", "--venue", "--json").stdout)["venue"]
        assert said["failure"] == "" and said["disagreements"] == 0, said
        assert {"trade", "order", "position"} <= {each["what"] for each in said["timeline"]}
        deaf = {"GRIDOPS_VENUE__URL": "http://127.0.0.1:9", "GRIDOPS_API_KEY": "k" * 64, "GRIDOPS_API_SECRET": "s" * 64}
        elsewhere = gridops(bench, "triage", "--venue", "--json", changed=deaf)
        page = json.loads(elsewhere.stdout)
        assert page["verdict"] != "finding" and page["venue"]["failure"], "all is well but for a venue nobody hears"
        assert elsewhere.returncode == 1
        engine.kill()
        before, writes = {each["orderId"] for each in bench.truth()["fills"]}, bench.last_request()
        bench.venue.fault("venue.external", what="order", side="BUY", quantity="0.050")
        trades = {str(each["id"]) for each in bench.truth()["fills"] if each["orderId"] not in before}
        ran = gridops(bench, "triage", "--venue", "--json")
        wrong = [each for each in json.loads(ran.stdout)["venue"]["timeline"] if each["differs"]]
        assert ran.returncode == 1 and trades
        assert trades <= {each["ref"] for each in wrong if each["what"] == "trade"}
        assert any(each["what"] == "position" for each in wrong)
        assert all(each["method"] == "GET" for each in bench.requests(writes)), "it only looks"
