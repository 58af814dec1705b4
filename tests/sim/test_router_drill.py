"""The router's drill turns red when a rule is missing, a request unplanned, or a symbol off the list asked for."""

from pathlib import Path
from typing import Any

import pytest
from gridops.decide import router_rules
from gridops.domain.vocabulary import RouterReason
from gridops.sim.drill_cases import judge_cases
from gridops.sim.drill_day import DrillDay
from gridops.sim.drill_run import run_drill
from gridops.sim.drill_spec import Drill, parse, read_drill

ROUTER = Path(__file__).resolve().parents[2] / "fixtures" / "drills" / "router.toml"
SHORT: dict[str, Any] = {
    "name": "short", "title": "t", "shows": "s", "runbook": "router", "run_s": 30, "listed": ["ETHUSDT"],
    "settings": {"grid.spacing_bps": 1, "grid.hold_band": 0},
    "step": [{"name": "fault", "after": "state ACTIVE", "do": "price", "move_bps": 2, "over_s": 10}],
}  # fmt: skip


def short(*expected: dict[str, Any]) -> Drill:
    return parse({**SHORT, "expect": list(expected)}, "short")


@pytest.mark.simulation
@pytest.mark.timeout(300)
def test_the_drill_passes_with_every_seed_and_repeats() -> None:
    drill = read_drill(ROUTER)
    reports = [run_drill(drill, seed) for seed in drill.seeds]
    assert [check.says for report in reports for check in report.checks if not check.ok] == []
    assert run_drill(drill, drill.seeds[0]) == reports[0]


@pytest.mark.simulation
@pytest.mark.parametrize("planted", ["lost", "alien"])
def test_an_amend_that_was_not_planned_or_did_not_leave_fails_the_drill(planted: str) -> None:
    drill = short({"that": "amends_exact"}, {"that": "books_equal"})
    assert run_drill(drill, 1).ok
    seen: list[str] = []

    def prepare(day: DrillDay) -> None:
        watched = day.tape.on_write

        def on_write(method: str, path: str, params: Any) -> None:
            watched(method, path, params)
            if method == "PUT" and not seen:
                seen.append(path)
                legs = day.tape.amend_legs
                legs[:] = [*legs, legs[0]] if planted == "alien" else []

        day.tape.on_write = on_write  # type: ignore[method-assign]

    report = run_drill(drill, 1, prepare=prepare)
    assert seen and [check.ok for check in report.checks] == [False, True]
    assert ("unplanned [('" in report.checks[0].says) is (planted == "alien")


@pytest.mark.simulation
def test_a_decision_too_rare_or_too_frequent_and_a_request_for_another_symbol_fail_the_drill() -> None:
    amends = {"that": "decisions", "decision": "amend"}
    report = run_drill(
        short(
            amends,
            {**amends, "reason": "size_changed"},
            {**amends, "least": 0, "most": 3},
            {"that": "requests", "symbol": "ETHUSDT"},
            {"that": "requests", "symbol": "BTCUSDT"},
        ),
        1,
    )
    assert [check.ok for check in report.checks] == [True, False, False, True, False]


def test_written_cases_fail_when_a_rule_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = judge_cases(frozenset())
    assert judged.ok and judged.cases >= 500 and judged == judge_cases(frozenset())
    left = tuple(rule for rule in router_rules.SHAPE_RULES if rule.reason is not RouterReason.AMEND_LIMIT)
    monkeypatch.setattr(router_rules, "SHAPE_RULES", left)
    assert not judge_cases(frozenset()).ok
    assert judge_cases(frozenset({"kill"})).ok


def test_a_reason_without_a_case_is_said() -> None:
    judged = judge_cases(frozenset({"unheard_of"}))
    assert not judged.ok and judged.cases == 0 and "no case of unheard_of" in judged.says
