"""A market stream that falls silent without closing degrades by its deadline, and trust comes back by itself."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.home import Home
from gridops.adapters.journal_reader import JournalReader
from gridops.adapters.owed_reports import DEAF
from tests.wire.harness import ACCOUNT, DWELL_S, FEED_STALE_S, Bench, Engine, assert_truth


@pytest.mark.wire
def test_a_muted_market_degrades_clears_the_book_and_recovers(tmp_path: Path) -> None:
    with Bench(tmp_path, speed="3") as bench:
        engine = bench.start()
        engine.wait(lambda: len(bench.resting()) > 10, 10.0, "a ladder")
        bench.venue.fault("ws.silent", target="market")
        muted_s = time.monotonic()
        engine.wait_state("DEGRADED", within_s=FEED_STALE_S + 1.0)
        assert time.monotonic() - muted_s < FEED_STALE_S + 1.0
        time.sleep(2.0)
        assert [each for each in bench.resting() if not each["reduceOnly"]] == []
        _told(bench, engine)
        assert engine.snapshot()["state"] == "DEGRADED", "it stays while the stream is silent"

        bench.venue.fault("ws.unmute", target="market")
        unmuted_s = time.monotonic()
        engine.wait_state("ACTIVE", within_s=DWELL_S + 10.0)
        assert time.monotonic() - unmuted_s >= DWELL_S, "not before the dwell"
        engine.wait(lambda: len(bench.resting()) > 10, 10.0, "the ladder again")
        engine.stop()
        assert_truth(bench)


def _told(bench: Bench, engine: Engine) -> None:
    """Log line, metric and evidence of the same transition."""
    metrics = engine.metrics()
    name = 'gridops_fsm_transitions_total{from="ACTIVE",reason="feed_stale",to="DEGRADED"}'
    assert metrics[name] == 1.0
    assert metrics['gridops_fsm_condition_open{condition="feed_stale"}'] == 1.0
    said = [each for each in _log(bench) if each["event"] == "Transition" and each["to_state"] == "DEGRADED"]
    assert len(said) == 1 and said[0]["reason"] == "feed_stale"
    bundles = list((bench.home / "evidence" / "transition").glob("*/summary.json"))
    assert any("feed_stale" in path.read_text() for path in bundles)


def _log(bench: Bench) -> list[dict[str, Any]]:
    paths = sorted((bench.home / "log").glob("*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


@pytest.mark.wire
def test_a_private_stream_that_answers_and_reports_nothing_is_left(tmp_path: Path) -> None:
    """The socket stays open and its pings are answered; what is written is taken. Judged by what the venue holds."""
    with Bench(tmp_path, speed="3") as bench:
        engine = bench.start()
        engine.wait(lambda: len(bench.resting()) > 10, 10.0, "a ladder")
        bench.venue.fault("ws.silent", target="user")
        muted_s, path = time.monotonic(), Home(bench.home).journal(ACCOUNT)

        def left() -> bool:
            with JournalReader(path) as reader:
                return any(DEAF.encode() in row.body for row in reader.rows(0, 1 << 62))

        engine.wait(left, 30.0, "the stream is given up")
        print(f"given up {time.monotonic() - muted_s:.1f} s after it fell silent")
        bench.venue.fault("ws.unmute", target="user")
        engine.wait_state("ACTIVE", within_s=DWELL_S + 15.0)
        engine.stop()
        assert_truth(bench)
