"""Socket, metrics and journal show one lifecycle, also when the engine is dead."""

from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.home import Home, Located
from gridops.usecases import fsm_show
from gridops.usecases.place import Place
from tests.wire.harness import ACCOUNT, Bench, Engine


@pytest.mark.wire
def test_the_socket_and_the_metrics_say_the_same_and_the_journal_answers_after_a_kill(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        engine = bench.start()
        _equal(engine, "ACTIVE")
        assert engine.ask("pause", reason="lunch")["accepted"]
        seen = _equal(engine, "PAUSED")
        assert seen["last"]["reason"] == "operator_pause"
        assert [each["reason"] for each in seen["levels"]] == ["operator_pause"]
        engine.kill()
        shown = fsm_show.execute(_place(bench))
        assert (shown.process, shown.stale) == ("dead", True)
        assert (shown.state, shown.last_reason) == ("PAUSED", "operator_pause")
        assert 0 < shown.age_ms < 60_000


def _equal(engine: Engine, state: str) -> dict[str, Any]:
    """Poll until the gauges, refreshed a few times a second, show the state; then compare everything."""
    engine.wait_state(state)
    engine.wait(lambda: _current(engine) == {state}, 2.0, f"metrics show {state}")
    seen, metrics = engine.snapshot(), engine.metrics()
    last = seen["last"]
    moved = f'gridops_fsm_transitions_total{{from="{last["from"]}",reason="{last["reason"]}",to="{seen["state"]}"}}'
    assert metrics[moved] == 1.0
    assert sum(value for name, value in metrics.items() if "fsm_transitions_total" in name) == seen["state_epoch"]
    held = {name for name, value in metrics.items() if name.startswith("gridops_fsm_condition_open") and value}
    assert held == {f'gridops_fsm_condition_open{{condition="{each["reason"]}"}}' for each in seen["levels"]}
    return seen


def _current(engine: Engine) -> set[str]:
    shown = {name: value for name, value in engine.metrics().items() if name.startswith("gridops_fsm_current_state")}
    assert len(shown) == 8
    return {name.split('"')[1] for name, value in shown.items() if value}


def _place(bench: Bench) -> Place:
    home = Home(bench.home)
    return Place(
        located=Located(home=home, source="--home"),
        account=ACCOUNT,
        config=None,
        evidence_root=bench.home / "evidence",
    )
