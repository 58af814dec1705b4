"""Lossy wires, torn and damaged journals, and a second engine: the books stay true or trading is refused."""

import json
import sqlite3
import time
from pathlib import Path

import pytest
from gridops.adapters.home import Home
from tests.wire.harness import ACCOUNT, Bench, assert_truth

pytestmark = pytest.mark.wire


def test_lost_replies_and_lost_reports_leave_the_books_equal(tmp_path: Path) -> None:
    """Answers to places, amends and cancels vanish after they took effect; reports are lost, doubled and swapped."""
    with Bench(tmp_path, speed="5") as bench:
        for number, path in enumerate(("/fapi/v1/order", "/fapi/v1/batchOrders")):
            bench.venue.fault("rest.drop_resp", selector={"path": path}, probability=0.25, seed=number)
        for number, verb in enumerate(("ws.drop", "ws.dup", "ws.reorder")):
            reports = {"event": "ORDER_TRADE_UPDATE"}
            bench.venue.fault(verb, selector=reports, probability=0.1, seed=number)
        engine = bench.start()
        engine.wait(lambda: bench.fills() >= 5, 60.0, "fills through the noise")
        bench.venue.command("clear")
        engine.wait_state("ACTIVE", "THROTTLED", within_s=40.0)
        time.sleep(1.0)
        engine.stop()
        struck = [each for each in bench.requests(0) if each["fault"] == "rest.drop_resp"]
        assert struck, "no reply was lost: the test looked at nothing"
        assert_truth(bench)


def test_a_second_engine_is_refused_with_pid_and_age_of_the_first(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        first = bench.start()
        since = bench.last_request()
        second = bench.start(active=False)
        code, _ = second.finish()
        assert code == 4
        said = second.errors()
        assert f"pid {first.pid}" in said
        assert " s" in said.partition("for ")[2]
        assert "EVIDENCE_REF" in said
        assert first.snapshot()["state"] == "ACTIVE"
        listen = [each for each in bench.requests(since) if each["path"].endswith("/listenKey")]
        assert listen == [], "the second one never reached the venue"
        first.stop()


def test_a_torn_tail_is_cut_with_evidence_and_the_account_goes_on(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        _die_at_rest(bench)
        assert _damage(bench, "SELECT max(seq) FROM steps") > 0
        engine = bench.start(active=False)
        engine.wait_state("PAUSED")
        assert engine.ask("resume", reason="drill over")["accepted"]
        engine.wait_state("ACTIVE")
        report = engine.stop()
        told = [json.loads(path.read_text()) for path in (bench.home / "evidence/incident").glob("*/summary.json")]
        assert any("1 torn rows" in str(each) for each in told)
        assert any(each["mode"] == "incident" for each in report["evidence_bundles"])
        assert_truth(bench)


def test_a_journal_corrupt_in_the_middle_refuses_to_trade(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        _die_at_rest(bench)
        _damage(bench, "SELECT max(seq) - 20 FROM steps")
        since = bench.last_request()
        engine = bench.start(active=False)
        code, document = engine.finish()
        assert code == 5, engine.errors()
        assert "corrupt" in engine.errors()
        assert bench.requests(since) == [], "nothing was sent"
        summary = Path(document["evidence"]["summary"])
        assert "corrupt" in summary.read_text()


def _die_at_rest(bench: Bench) -> None:
    """A dead engine whose newest rows are no intents: none of them may have left for the venue."""
    engine = bench.start()
    engine.ask("pause", reason="drill")
    engine.wait_state("PAUSED")
    engine.wait(lambda: not [each for each in bench.resting() if not each["reduceOnly"]], 5.0, "no increase rests")
    time.sleep(2.0)
    engine.kill()


def _damage(bench: Bench, which: str) -> int:
    """Flip the content of one stored row; its number."""
    with sqlite3.connect(Home(bench.home).journal(ACCOUNT)) as connection:
        (seq,) = connection.execute(which).fetchone()
        connection.execute("UPDATE steps SET body = ? WHERE seq = ?", (b"[0]", seq))
    connection.close()
    return int(seq)
