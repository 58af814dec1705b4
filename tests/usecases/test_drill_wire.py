"""Drills with real processes pass, are refused where they must not act, and are red where nothing holds."""

import os
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.home import Home
from gridops.errors import ConfigError, Refused
from gridops.sim.drill_process_words import WIRE_EXPECTS, WIRE_VERBS
from gridops.sim.drill_spec import Drill, parse, read_drill
from gridops.usecases import drill_wire_verdict
from gridops.usecases.drill import engine_at
from gridops.usecases.drill_wire import _Run, run_attached, run_wire_drill

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "drills"
WIRE = [path for path in sorted(FOLDER.glob("*.toml")) if 'tier = "wire"' in path.read_text()]
BY_DAY = {"strangers-at-the-port", "double-start"}
"""What no test of the wire shows otherwise; the rest runs each night."""


def small(**changed: Any) -> Drill:
    said = {
        "name": "small", "title": "t", "shows": "s", "runbook": "fsm", "tier": "wire", "run_s": 4,
        "settings": {"health.dwell_seconds": 2},
        "step": [{"name": "fault", "after": "state ACTIVE", "do": "mark"}],
        "expect": [{"that": "alive"}],
    }  # fmt: skip
    return parse({**said, **changed}, "small")


@pytest.mark.wire
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "path",
    [pytest.param(each, marks=[] if each.stem in BY_DAY else [pytest.mark.nightly]) for each in WIRE],
    ids=lambda path: path.stem,
)
def test_a_drill_with_real_processes_passes(path: Path) -> None:
    report = run_wire_drill(read_drill(path), 1, lambda _: None)
    assert [check.says for check in report.checks if not check.ok] == []


@pytest.mark.wire
@pytest.mark.nightly
@pytest.mark.timeout(240)
def test_each_expectation_is_failed_by_what_does_not_hold() -> None:
    step = [
        {"name": "before", "after": "state ACTIVE", "do": "mark"},
        {"name": "fault", "plus_s": 1, "do": "ask", "command": "kill"},
        {"name": "poked", "plus_s": 1, "do": "poke", "text": "GET / HTTP/1.1\nHost: x\n\n"},
    ]
    met = [
        {"that": "state", "enters": "EMERGENCY", "reason": "kill_switch", "within_s": 3},
        {"that": "never", "enters": ["DEGRADED"]},
        {"that": "ends_in", "states": ["EMERGENCY"]},
        {"that": "no_increase", "grace_s": 1},
        {"that": "nothing_rests"},
        {"that": "flat"},
        {"that": "alive"},
        {"that": "loopback_only"},
        {"that": "answer", "step": "poked", "holds": "HTTP/1.1"},
        {"that": "books_equal"},
    ]
    broken = [
        {"that": "state", "enters": "PAUSED", "within_s": 3},
        {"that": "never", "enters": ["EMERGENCY"]},
        {"that": "ends_in", "states": ["ACTIVE"]},
        {"that": "no_increase", "since": "start"},
        {"that": "exits", "code": 3},
        {"that": "engine_says", "text": "words that nobody says"},
        {"that": "answer", "step": "poked", "holds": "HTTP/1.1", "lacks": "HTTP"},
        {"that": "answer", "step": "before"},
    ]
    checks = run_wire_drill(small(step=step, expect=[*met, *broken]), 1, lambda _: None).checks
    assert [check.says for check in checks[: len(met)] if not check.ok] == []
    assert [check.says for check in checks[len(met) : len(met) + len(broken)] if check.ok] == []


def test_a_step_that_waits_for_a_state_is_done_when_the_journal_entered_it() -> None:
    """It quotes in that step, and a look at its state comes up to a tenth of a second later."""
    states = [(1_000, "ACTIVE"), (3_000, "DEGRADED"), (6_000, "ACTIVE")]
    assert drill_wire_verdict.entered_ms(states, "ACTIVE", 6_046) == 6_000 - drill_wire_verdict.CLOCKS_MS
    assert drill_wire_verdict.entered_ms(states, "DEGRADED", 6_046) == 3_000 - drill_wire_verdict.CLOCKS_MS
    assert drill_wire_verdict.entered_ms(states, "PAUSED", 6_046) == 6_046


def test_every_word_is_carried_out_and_judged() -> None:
    assert {name.removeprefix("do_") for name in dir(_Run) if name.startswith("do_")} == set(WIRE_VERBS)
    assert set(drill_wire_verdict._JUDGES) == set(WIRE_EXPECTS)


def test_no_drill_acts_on_what_is_not_an_emulator_of_ours(tmp_path: Path) -> None:
    for said in ("https://fapi.binance.com", "http://127.0.0.1:9", str(tmp_path / "nowhere")):
        with pytest.raises(ConfigError, match="--against"):
            engine_at(said, os.environ)
    home = Home(tmp_path / "home").ensure()
    with pytest.raises(Refused, match="no emulator of ours"):
        run_attached(small(), 1, home.root, "paper", lambda _: None)
    with pytest.raises(ConfigError, match="it has freeze"):
        run_attached(small(step=[{"do": "freeze", "for_s": 1}]), 1, home.root, "paper", lambda _: None)
