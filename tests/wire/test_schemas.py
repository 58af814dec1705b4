"""The documents that need a living engine keep their committed shape as well."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.commands.schema_kit import hold
from tests.wire.harness import Bench

pytestmark = [pytest.mark.wire, pytest.mark.nightly, pytest.mark.timeout(170)]


def document(bench: Bench, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "gridops_cli", *words, "--json"],
        env={**bench.environment, "GRIDOPS_HOME": str(bench.home)}, cwd=bench.home.parent, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), (words, done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["schema"] != "gridops.error/1"
    return found


def test_documents_of_a_living_engine(tmp_path: Path) -> None:
    with Bench(tmp_path, speed="5") as bench:
        engine = bench.start()
        engine.wait(lambda: engine.snapshot()["state"] == "ACTIVE" and bench.fills() > 3, 30.0, "fills")
        for words in ("fsm show", "triage", "sync", "sync --plan", "doctor", "roundtrip list", "roundtrip report",
                      "venue list", "fsm pause --reason x", "fsm resume --reason x"):  # fmt: skip
            hold(document(bench, *words.split()), lively=True)
        report = engine.stop()
        hold(report, lively=True)
        assert report["fills"] > 0
        for words in ("run --dry-run", "replay", "replay --explain 1"):
            hold(document(bench, *words.split()), lively=True)
        again = bench.start()
        hold(document(bench, "kill", "--reason", "x"), lively=True)
        again.wait_state("EMERGENCY")
