"""Drills are refused unless every word is known, run to a verdict by the venue and the journal, and repeat."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import SystemRandom
from typing import Any

import pytest
from gridops.decide import conditions
from gridops.errors import ConfigError
from gridops.sim.drill_catalogue import FILE, catalogue, read_catalogue
from gridops.sim.drill_day import DrillDay
from gridops.sim.drill_fault_verdict import FAULT_JUDGES
from gridops.sim.drill_fault_words import STRIKING
from gridops.sim.drill_run import run_drill
from gridops.sim.drill_spec import _STEP, Drill, parse, parse_cue, read_drill
from gridops.sim.drill_verdict import _JUDGES
from gridops.sim.drill_words import EXPECTS, VERBS
from tests.effort import FULL

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "drills"
DRILLS = {path.stem: path for path in sorted(FOLDER.glob("*.toml")) if path.name != FILE}
TOUR = "fsm-tour"
"""Has a test file of its own: it takes as long as all others."""
VIRTUAL = [name for name, path in DRILLS.items() if name != TOUR and read_drill(path).tier == "virtual"]

SMALL: dict[str, Any] = {
    "name": "small", "title": "t", "shows": "s", "runbook": "fsm", "run_s": 20,
    "step": [{"name": "fault", "after": "state ACTIVE", "do": "market_silent", "for_s": 5}],
    "expect": [{"that": "state", "enters": "DEGRADED", "reason": "feed_stale", "within_s": 4}],
}  # fmt: skip


def small(**changed: Any) -> Drill:
    return parse({**SMALL, **changed}, "small")


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"colour": "red"}, ["colour", "'red'", "run_s"]),
        ({"name": "other"}, ["name", "'other'", "small"]),
        ({"tier": "cloud"}, ["tier", "'cloud'", "virtual"]),
        ({"step": [{"do": "call_fault", "fault": "fire"}]}, ["fault", "fire", "reset"]),
        ({"step": [{"do": "frames_lost", "event": "x"}]}, ["event", "'x'", "ACCOUNT_UPDATE"]),
        ({"expect": [{"that": "journal", "record": "Diary"}]}, ["record", "Diary", "OrderMoved"]),
        ({"expect": [{"that": "rests", "at": "nowhere"}]}, ["nowhere"]),
        ({"covers": ["F-1"]}, ["covers", "F-1", "X-01"]),
        ({"listed": "ETHUSDT"}, ["listed", "ETHUSDT", "list"]),
        ({"contract": {"tick_size": "1e-7"}}, ["contract", "1e-7", "0.05"]),
        ({"contract": {"tick_size": "5"}, "market": "light"}, ["contract", "light", "script"]),
        ({"seeds": [-1]}, ["seeds", "-1"]),
        ({"run_s": "long"}, ["run_s", "'long'", "seconds"]),
        ({"settings": {"grid.levels": 0}}, ["grid.levels", "0", "1"]),
        ({"settings": {"grid.colour": 1}}, ["grid.colour", "1"]),
        ({"step": [{"do": "explode"}]}, ["verb", "explode", "market_silent"]),
        ({"step": [{"do": "market_silent"}]}, ["for_s", "missing"]),
        ({"step": [{"do": "market_silent", "for_s": 1, "loud": True}]}, ["loud", "True", "for_s"]),
        ({"step": [{"do": "market_silent", "for_s": -1}]}, ["for_s", "-1", "0 to"]),
        ({"step": [{"do": "market_silent", "for_s": [3, 1]}]}, ["for_s", "low, high"]),
        ({"step": [{"do": "book", "shape": "round", "for_s": 1}]}, ["shape", "round", "crossed"]),
        ({"step": [{"do": "pause", "after": "state SAD"}]}, ["state SAD", "level REASON"]),
        ({"step": [{"do": "pause", "at_s": 1, "after": "flat"}]}, ["at_s", "after"]),
        ({"step": [{"do": "pause", "name": "a"}, {"do": "resume", "name": "a"}]}, ["'a'", "twice"]),
        ({"step": [{"do": "signal"}]}, ["signal", "missing"]),
        ({"step": [{"do": "signal", "signal": "weather"}]}, ["signal", "weather", "toxicity", "maintenance"]),
        ({"market": "light", "step": [{"do": "price", "move_bps": 1}]}, ["price", "'light'", "script"]),
        ({"expect": [{"that": "luck"}]}, ["expectation", "luck", "books_equal"]),
        ({"expect": [{"that": "ends_in", "states": ["SAD"]}]}, ["states", "SAD", "READY"]),
        ({"expect": [{"that": "flat", "within_s": 1, "since": "nowhere"}]}, ["nowhere"]),
        ({"expect": [{"that": "answer", "step": "nowhere"}]}, ["nowhere"]),
    ],
)
def test_what_is_unknown_is_refused_with_key_value_and_allowed(changed: dict[str, Any], names: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        small(**changed)
    said = f"{refused.value} {refused.value.hint}"
    assert [name for name in names if name not in said] == []


@pytest.mark.parametrize("key", ["name", "title", "shows", "runbook", "run_s", "step", "expect"])
def test_what_is_required_is_named(key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key} is missing"):
        parse({name: held for name, held in SMALL.items() if name != key}, "small")


def test_every_word_of_the_catalogue_is_carried_out_and_judged() -> None:
    operator = {"pause", "resume", "ack", "kill", "stop", "sync", "sync_apply"}
    methods = {name.removeprefix("verb_") for name in dir(DrillDay) if name.startswith("verb_")}
    assert methods | operator == set(VERBS) and not methods & operator
    assert set(_JUDGES) | set(FAULT_JUDGES) == set(EXPECTS)


def test_no_argument_bears_the_name_of_a_key_that_the_step_or_the_expectation_has_itself() -> None:
    """Such an argument could never be given: the step would keep it."""
    assert [(name, key) for name, word in VERBS.items() for key in word.args if key in _STEP] == []
    assert [name for name, word in EXPECTS.items() if "that" in word.args] == []


def test_every_drill_names_a_runbook_that_is_there() -> None:
    pages = FOLDER.parents[1] / "runbooks"
    for path in DRILLS.values():
        page, _, anchor = read_drill(path).runbook.partition("#")
        text = (pages / f"{page}.md").read_text()
        assert not anchor or f"### {anchor}\n" in text, path.name


def test_every_scenario_has_a_drill_or_a_reason_and_no_drill_names_one_that_is_none() -> None:
    found = read_catalogue(FOLDER, [read_drill(path) for path in DRILLS.values()])
    groups = {group: sum(each.group == group for each in found) for group in "ABCDEFGHIJKLMNX"}
    assert list(groups.values()) == [20, 12, 18, 11, 3, 12, 18, 8, 18, 4, 7, 7, 7, 5, 12]
    assert all(bool(each.drills) != bool(each.not_covered) for each in found)


ROW = {"id": "F-001", "severity": "S1", "group": "A", "title": "t"}


@pytest.mark.parametrize(
    ("rows", "covers", "names"),
    [
        ([ROW], {}, "F-001 is without a drill and a reason"),
        ([{**ROW, "not_covered": "why"}], {"one": ["F-001"]}, "F-001 is both covered by one"),
        ([ROW, ROW], {"one": ["F-001"]}, "F-001 stands twice"),
        ([ROW], {"one": ["F-001", "F-002"]}, "drill one covers F-002"),
        ([{**ROW, "severity": "S9"}], {"one": ["F-001"]}, "severity = 'S9'"),
        ([{**ROW, "id": "G-1"}], {}, "id = 'G-1'"),
        ([{**ROW, "colour": "red"}], {}, "colour = 'red'"),
        ([{"id": "F-001"}], {}, "severity is missing"),
        ("none", {}, "malformed"),
    ],
)
def test_a_catalogue_that_does_not_agree_with_the_drills_is_refused(
    rows: object, covers: dict[str, list[str]], names: str
) -> None:
    with pytest.raises(ConfigError, match=names):
        catalogue({"scenarios": rows}, covers)


def test_cues_are_words() -> None:
    assert parse_cue("level feed_stale opens").edge == "opens"
    with pytest.raises(ConfigError):
        parse_cue("level feed_stale")


def test_a_cue_nobody_can_look_at_is_refused() -> None:
    step = [{"do": "mark", "name": "then", "after": "quoted"}]
    with pytest.raises(ConfigError, match="quoted"):
        small(tier="wire", step=step, expect=[{"that": "flat"}])


@pytest.mark.simulation
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", VIRTUAL)
def test_a_drill_passes(name: str, drawn: Callable[..., None]) -> None:
    """One seed drawn anew each time; at night those of its file, which `gridops drill run` takes."""
    drill = read_drill(DRILLS[name])
    for seed in drill.seeds if FULL else (SystemRandom().randrange(1, 1_000_000),):
        print(f"drill {name}, seed {seed}")
        drawn(name, seed)
        report = run_drill(drill, seed)
        assert [check.says for check in report.checks if not check.ok] == [], f"{name}, seed {seed}"
        assert len(report.checks) == len(drill.expects)


@pytest.mark.simulation
def test_equal_seeds_give_equal_runs_and_ranges_are_drawn_by_the_seed() -> None:
    drill = small(step=[{**SMALL["step"][0], "plus_s": [1, 9]}])
    one, again, other = (run_drill(drill, seed) for seed in (1, 1, 2))
    assert one == again
    assert one.steps != other.steps and one.digest != other.digest


@pytest.mark.simulation
def test_an_engine_that_does_not_notice_fails_its_drill(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_drill(small(), 1).ok
    monkeypatch.setattr(conditions, "_feed", lambda *_: None)
    report = run_drill(small(), 1)
    assert not report.ok
    assert any("DEGRADED" in check.says for check in report.checks if not check.ok)


@pytest.mark.simulation
def test_verdicts_come_from_the_venue(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine believes itself flat; another hand's trade says otherwise, and the drill believes the venue."""
    expect = [{"that": "flat", "within_s": 5}, {"that": "exposure_within_cap", "pct": 1}, {"that": "holding"}]
    step = [{"at_s": 8, "do": "user_silent", "for_s": 60}, {"name": "fault", "at_s": 9, "do": "foreign_order",
             "side": "BUY", "lots": 3}]  # fmt: skip
    checks = run_drill(small(step=step, expect=expect, run_s=12), 1).checks
    assert [check.ok for check in checks] == [False, False, True]


@pytest.mark.simulation
def test_each_expectation_is_met_by_what_holds_and_failed_by_what_does_not() -> None:
    """One run: the feed is silent from 10 s to 15 s, an operator pauses at 40 s; what happened is known."""
    step = [
        {"name": "fault", "at_s": 10, "do": "market_silent", "for_s": 5},
        {"name": "word", "at_s": 80, "do": "pause"},
        {"name": "late", "at_s": 90, "do": "mark"},
    ]
    met: list[dict[str, Any]] = [
        {"that": "state", "enters": "DEGRADED", "event": "TRUST_LOST", "within_s": 4},
        {"that": "never", "enters": ["EMERGENCY"]},
        {"that": "ends_in", "states": ["PAUSED"]},
        {"that": "path", "states": ["DEGRADED", "READY", "ACTIVE", "PAUSED"]},
        {"that": "level", "reason": "feed_stale", "edge": "closes", "since": "state DEGRADED", "within_s": 4},
        {"that": "no_level", "reason": "venue_down"},
        {"that": "no_increase", "since": "word", "grace_s": 1},
        {"that": "no_increase_rests", "since": "word", "within_s": 2},
        {"that": "flat", "within_s": 0},
        {"that": "exposure_within_cap"},
        {"that": "note", "topic": "operator", "since": "word", "within_s": 1},
        {"that": "answer", "step": "word"},
        {"that": "fills", "least": 0},
        {"that": "bundle", "mode": "transition", "within_s": 4},
        {"that": "decisions", "decision": "cancel_replace", "reason": "new_level"},
        {"that": "amends_exact", "least": 0},
        {"that": "requests", "symbol": "ETHUSDT"},
        {"that": "router_cases", "reasons": ["kill"]},
        {"that": "journal", "record": "Transition", "where": {"to_state": "DEGRADED"}, "most": 1},
        {"that": "calls", "method": "POST", "path": "batchorders", "least": 2, "since": "fault", "until": "word"},
        {"that": "refusals", "most": 0},
        {"that": "rests", "at": "word", "least": 8, "most": 8},
        {"that": "books_equal"},
    ]
    failed: list[dict[str, Any]] = [
        {"that": "state", "enters": "DEGRADED", "reason": "venue_down", "within_s": 4},
        {"that": "state", "enters": "DEGRADED", "within_s": 1},
        {"that": "state", "enters": "PAUSED", "since": "late", "within_s": 4},
        {"that": "never", "enters": ["DEGRADED"]},
        {"that": "ends_in", "states": ["ACTIVE"]},
        {"that": "path", "states": ["DEGRADED", "READY", "ACTIVE"]},
        {"that": "level", "reason": "venue_down", "within_s": 100},
        {"that": "no_level", "reason": "feed_stale"},
        {"that": "no_increase", "since": "start"},
        {"that": "no_increase_rests", "since": "fault", "within_s": 1},
        {"that": "holding"},
        {"that": "exposure_within_cap", "pct": 1},
        {"that": "mismatch", "kind": "position_qty", "within_s": 100},
        {"that": "note", "topic": "operator", "since": "late", "within_s": 1},
        {"that": "answer", "step": "word", "accepted": False},
        {"that": "fills", "least": 1_000},
        {"that": "ended", "within_s": 100},
        {"that": "bundle", "mode": "kill", "within_s": 100},
        {"that": "every_row"},
        {"that": "decisions", "decision": "amend", "reason": "size_changed", "least": 1_000},
        {"that": "amends_exact", "least": 10_000},
        {"that": "requests", "symbol": "BTCUSDT"},
        {"that": "router_cases", "least": 10_000},
        {"that": "booked", "kind": "funding_fee"},
        {"that": "remedied", "remedy": "import_trades", "within_s": 100},
        {"that": "trips", "since": "start"},
        {"that": "flat", "since": "state EMERGENCY", "within_s": 100},
        {"that": "journal", "record": "Transition", "where": {"to_state": "EMERGENCY"}},
        {"that": "journal", "record": "Wrote", "most": 1},
        {"that": "calls", "method": "PUT", "least": 1},
        {"that": "calls", "method": "POST", "most": 1},
        {"that": "refusals", "least": 1},
        {"that": "rests"},
        {"that": "rests", "at": "word", "most": 7},
        {"that": "rests", "at": "state EMERGENCY", "least": 0},
    ]
    checks = run_drill(small(step=step, expect=[*met, *failed], run_s=100), 1).checks
    assert [check.says for check in checks[: len(met)] if not check.ok] == []
    assert [check.says for check in checks[len(met) :] if check.ok] == []
    assert {each["that"] for each in failed} | {"books_equal"} == set(EXPECTS)


@pytest.mark.simulation
def test_a_hand_the_venue_refuses_is_a_mistake_in_the_drill() -> None:
    step = [{"at_s": 5, "do": "venue_call", "method": "POST", "path": "/fapi/v1/order", "params": {"symbol": "NONE"}}]
    with pytest.raises(ConfigError, match="the venue refuses POST"):
        run_drill(small(step=step), 1)


@pytest.mark.simulation
def test_a_run_does_not_depend_on_the_hash_seed() -> None:
    program = (
        "from tests.sim.test_drills import small; from gridops.sim.drill_run import run_drill; "
        "r = run_drill(small(), 5); print(r.digest, r.checks)"
    )
    root = str(FOLDER.parents[1])
    told = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": root},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(told) == 1


@pytest.mark.simulation
def test_a_step_that_never_comes_due_fails_the_drill() -> None:
    step = [{"after": "state EMERGENCY", "within_s": 3, "do": "ack"}]
    report = run_drill(small(step=step, expect=[{"that": "ends_in", "states": ["ACTIVE"]}]), 1)
    assert not report.ok and "state EMERGENCY" in report.checks[0].says


_ANY: dict[str, dict[str, Any]] = {
    "call_fault": {"fault": "reset", "path": "order"},
    "call_slow": {"hold_s": 1, "path": "order"},
    "call_refuse": {"code": -2019, "method": "POST"},
    "batch_mixed": {},
    "call_stale": {"path": "openOrders"},
    "call_change": {"field": "time", "method": "GET", "path": "openOrders"},
    "call_omit": {"path": "openOrders"},
    "row_added": {"row": {"symbol": "NEWUSDT"}},
    "fill_at": {"method": "PUT"},
    "frames_lost": {"event": "ORDER_TRADE_UPDATE"},
    "frames_twice": {"event": "markPriceUpdate"},
    "frames_late": {"event": "bookTicker", "wait_s": 1},
    "frames_mixed": {"event": "ACCOUNT_UPDATE", "wait_s": 1},
    "frames_changed": {"event": "ORDER_TRADE_UPDATE", "field": "o.X"},
}


@pytest.mark.parametrize("verb", sorted(STRIKING - {"own_ended"}))
def test_a_fault_that_never_struck_fails_its_drill(verb: str) -> None:
    """The engine is gone when the rule begins and the market ends with it: nothing is there to be struck."""
    step = [{"at_s": 0, "do": "crash", "away_s": 100}, {"do": verb, "name": "fault", **_ANY[verb]}]
    if verb.startswith("frames") and _ANY[verb]["event"] in ("markPriceUpdate", "bookTicker"):
        step[1]["skip"] = 10**6
    checks = run_drill(small(step=step, expect=[{"that": "refusals", "most": 0}], run_s=1), 1).checks
    assert [check.says for check in checks if not check.ok] == ["the fault of fault strikes: it never did"]


def test_numbers_keep_their_digits() -> None:
    said = tomllib.loads("x = 0.1", parse_float=Decimal)
    assert small(step=[{"do": "freeze", "for_s": said["x"]}]).steps[0].args == {"for_s": Decimal("0.1")}
