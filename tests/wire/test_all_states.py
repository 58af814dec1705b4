"""One run through all eight states: log, metrics, evidence and journal tell the same transitions, joined by number."""

import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.evidence_verify import verify
from gridops.adapters.home import Home
from gridops.adapters.journal_reader import JournalReader
from gridops.domain.records import Transition
from gridops.domain.vocabulary import FsmState
from gridops.runtime import codec
from tests.wire.harness import ACCOUNT, Bench, Engine, assert_truth

HOLD_MS = 4_000
"""Answers to cancels wait this long while the run stops, so that its metrics can be read in STOPPING."""


def walk(bench: Bench) -> tuple[Engine, Counter[tuple[str, str, str]]]:
    """Every state once; the engine in STOPPING, and its transitions by its own metrics then."""
    engine = bench.start()
    assert engine.ask("pause", reason="tour")["accepted"]
    engine.wait_state("PAUSED")
    assert engine.ask("resume", reason="tour")["accepted"]
    engine.wait_state("ACTIVE", "THROTTLED")
    mid = {"name": "toxicity", "scaled": 1_500, "ttl_ms": 1_000}
    assert engine.ask("signal", reason="tour", signal=mid)["accepted"]
    engine.wait_state("THROTTLED")
    engine.send(signal.SIGSTOP)
    time.sleep(1.5)
    engine.send(signal.SIGCONT)
    engine.wait_state("DEGRADED")
    engine.wait_state("ACTIVE", "THROTTLED")
    assert engine.ask("kill", reason="tour")["accepted"]
    engine.wait_state("EMERGENCY")
    engine.wait(lambda: engine.ask("ack", reason="tour")["accepted"], 60.0, "flat, and acknowledged")
    engine.wait_state("ACTIVE", "THROTTLED")
    engine.wait(lambda: bool(bench.resting()), 20.0, "orders that a stop has to cancel")
    bench.venue.fault("rest.delay_resp", selector={"method": "DELETE"}, ms=HOLD_MS)
    engine.send(signal.SIGTERM)
    engine.wait_state("STOPPING", within_s=3.0)
    return engine, counted(engine.metrics())


def counted(metrics: dict[str, float]) -> Counter[tuple[str, str, str]]:
    """(from, to, reason) -> count."""
    found: Counter[tuple[str, str, str]] = Counter()
    for name, held in metrics.items():
        if name.startswith("gridops_fsm_transitions_total") and held:
            labels = dict(part.split("=") for part in name.partition("{")[2].rstrip("}").replace('"', "").split(","))
            found[labels["from"], labels["to"], labels["reason"]] += int(held)
    return found


def journaled(home: Path) -> list[tuple[int, Transition]]:
    with JournalReader(Home(home).journal(ACCOUNT)) as reader:
        return [
            (row.seq, record)
            for row in reader.rows(0, 1 << 62)
            for record in codec.records_of(codec.decode_row(row.body))
            if isinstance(record, Transition)
        ]


def logged(home: Path) -> list[dict[str, Any]]:
    """Lines of transitions, in the order in which they were written."""
    files = sorted((home / "log").glob("*.jsonl"))
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [line for line in lines if line.get("event") == "Transition"]


@pytest.mark.wire
@pytest.mark.timeout(240)
def test_log_metrics_evidence_and_journal_tell_the_same_transitions(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        engine, metrics = walk(bench)
        code, report = engine.finish()
        assert code == 0, engine.errors()
        rows, lines = journaled(bench.home), logged(bench.home)
        assert {move.to_state.value for _, move in rows} | {"INIT"} == {state.value for state in FsmState}
        assert [
            (line["seq"], line["from_state"], line["to_state"], line["reason"], line["epoch"]) for line in lines
        ] == [(seq, move.from_state.value, move.to_state.value, move.reason.value, move.epoch) for seq, move in rows]
        assert metrics == Counter((m.from_state.value, m.to_state.value, m.reason.value) for _, m in rows)
        assert report["states"][1:] == [move.to_state.value for _, move in rows]
        _evidence(bench.home / "evidence", rows, lines)
        assert_truth(bench)
    print(f"{len(rows)} rows, {len(lines)} log lines, {sum(metrics.values())} counted")


def _evidence(root: Path, rows: list[tuple[int, Transition]], lines: list[dict[str, Any]]) -> None:
    """Each transition that orders a bundle has it, under the name that record and line carry; there is no other."""
    required = {move.bundle: seq for seq, move in rows if move.bundle}
    assert {line["evidence_ref"]: line["seq"] for line in lines if line["evidence_ref"] != "none"} == required
    assert {move.to_state for _, move in rows if move.bundle} >= {
        FsmState.PAUSED, FsmState.DEGRADED, FsmState.EMERGENCY,
    }  # fmt: skip
    there = {f"{mode}/{each.name}" for mode in ("transition", "kill") for each in (root / mode).glob("*")}
    assert there == set(required)
    for name, seq in required.items():
        said = json.loads((root / name / "summary.json").read_text())
        assert int(name.rpartition("-")[2]) // 10 == seq, "the bundle's number is its input's"
        assert said["status"] == "finding"
    assert verify(root).ok
