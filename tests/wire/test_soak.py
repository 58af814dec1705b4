"""A short soak with real processes at night: its machinery works, and its judge sees a wrong book."""

import io
from pathlib import Path

import pytest
from gridops.usecases import soak, soak_verdict

pytestmark = [pytest.mark.wire, pytest.mark.nightly, pytest.mark.timeout(600)]
SECONDS, SEED = 120.0, 11


def test_two_minutes_of_faults_leave_no_violation(tmp_path: Path) -> None:
    out = io.StringIO()
    with soak.bench(tmp_path) as bench:
        soaked = soak.Soak(bench, seconds=SECONDS, seed=SEED, intensity=4.0, kills=1, out=out, say=print).run()
        verdict = soak_verdict.judge(bench, soaked)
        print("\n".join(soak_verdict.told(soaked, verdict)))
        assert verdict.ok, verdict.violations
        assert sum(soaked.struck.values()) >= 5
        assert verdict.fills and verdict.checks > 1_000
        assert soaked.kills == 1
        # The judge is not asleep: what another hand takes afterwards is in no book.
        bench.venue.fault("venue.external", what="order", side="BUY", quantity="0.010")
        wrong = soak_verdict.judge(bench, soaked)
        assert any(each.startswith("books: position") for each in wrong.violations)
    assert len(out.getvalue().splitlines()) == len(soaked.samples) >= 6
