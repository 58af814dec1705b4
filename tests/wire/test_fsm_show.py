"""`fsm show` and the runbook on a live, a hung and a dead engine: each says which, in text and as versioned JSON."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gridops.usecases import runbook
from tests.wire.harness import Bench

RUNBOOK = "fsm"


def gridops(bench: Bench, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gridops_cli", *words, "--home", str(bench.home)]
    return subprocess.run(
        command, env=bench.environment, cwd=bench.home.parent, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=30, check=False,
    )  # fmt: skip


def shown(bench: Bench) -> dict[str, Any]:
    """Text and JSON agree on the process; the document."""
    text, machine = gridops(bench, "fsm", "show"), gridops(bench, "fsm", "show", "--json")
    assert text.returncode == machine.returncode == 0, text.stderr + machine.stderr
    document: dict[str, Any] = json.loads(machine.stdout)
    assert document["schema"] == "gridops.fsm.show/1"
    assert f"engine      {document['process']}" in text.stdout
    assert "EVIDENCE_REF v=1 " in text.stdout and "EVIDENCE_REF v=1 " in machine.stderr
    assert ("STALE by" in text.stdout) is document["stale"]
    return document


@pytest.mark.wire
@pytest.mark.timeout(240)
def test_live_hung_and_dead_are_told_apart_and_the_runbook_works_on_each(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        engine = bench.start()
        assert engine.ask("pause", reason="look at me")["accepted"]
        engine.wait_state("PAUSED")
        live = shown(bench)
        assert (live["process"], live["stale"], live["pid"]) == ("live", False, engine.pid)
        assert (live["state"], live["last_reason"]) == ("PAUSED", "operator_pause")
        _runbook(bench, "live")

        engine.send(signal.SIGSTOP)
        hung = shown(bench)
        assert (hung["process"], hung["stale"], hung["pid"]) == ("hung", True, engine.pid)
        assert (hung["state"], hung["last_reason"]) == ("PAUSED", "operator_pause"), "from the journal"
        refused = gridops(bench, "fsm", "resume", "--reason", "try")
        assert refused.returncode == 4 and "kill --direct" in refused.stdout + refused.stderr
        engine.kill()  # as it stands: awake again, it would see a stale feed first
        dead = shown(bench)
        assert (dead["process"], dead["stale"], dead["state"]) == ("dead", True, "PAUSED")
        assert str(bench.home) in dead["process_detail"]
        _runbook(bench, "dead")


def _runbook(bench: Bench, process: str) -> None:
    """Every command of the page, run as printed, on this engine."""
    environment = {**os.environ, **bench.environment, "GRIDOPS_HOME": str(bench.home)}
    page = runbook.execute(RUNBOOK, bench.home / "evidence", environment)
    assert [(each.command, each.exit_code, each.err) for each in page.ran if each.exit_code != 0] == []
    first = page.ran[0]
    assert first.command == "gridops fsm show" and f"engine      {process}" in first.out
    assert page.evidence.mode == "runbook" and page.evidence.digest is not None
