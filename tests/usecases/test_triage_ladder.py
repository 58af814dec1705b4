"""Broken situations, written down by hand, each with the first cause an operator must be told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gridops.config import Settings
from gridops.decide.levels import CONDITIONS
from gridops.decide.triage_answers import COMMANDS, SETTINGS
from gridops.decide.triage_facts import Process, Snapshot
from gridops.decide.triage_ladder import ASKS, GROUPS, Answer, climb, confirming, first_finding
from gridops.domain.vocabulary import FsmState

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "fixtures" / "triage"
BASE = "healthy"
CASES = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != BASE)


def case(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return found


def snapshot(change: dict[str, Any]) -> Snapshot:
    return msgspec.convert({**case(BASE), **change}, Snapshot)


@pytest.mark.parametrize("name", CASES)
def test_the_first_cause_is_named(name: str) -> None:
    told = case(name)
    rungs = climb(snapshot(told["change"]))
    first = first_finding(rungs)
    seen = None if first is None else {"question": first.question, "reason": first.reason, "command": first.command}
    assert seen == told["first"]
    unknown = confirming(rungs)
    if told["unknown"]:
        assert unknown is not None and unknown.question == told["unknown"]


def test_there_are_enough_of_them_and_every_question_is_once_the_first_cause() -> None:
    firsts = [case(name)["first"] for name in CASES]
    found = [each["question"] for each in firsts if each]
    assert len(found) >= 25
    assert set(ASKS) - set(found) == {"account", "orders"}, "a mode changed and an empty book are reached below"


def test_every_condition_stands_in_one_question() -> None:
    told = [reason for reasons in GROUPS.values() for reason in reasons]
    assert len(told) == len(set(told))
    assert set(told) == set(CONDITIONS)


def test_every_finding_has_a_step_on_a_page_and_a_setting_that_exists() -> None:
    pages = {name: (ROOT / "runbooks" / f"{name}.md").read_text("utf-8") for name in ("fsm", "triage")}
    for name in CASES:
        for rung in climb(snapshot(case(name)["change"])):
            if rung.answer is Answer.FINDING:
                page, _, heading = rung.runbook.partition("#")
                assert f"### {heading}\n" in pages[page], rung.runbook
                assert rung.command.startswith("gridops ")
    known = {f"{section}.{key}" for section, held in Settings().model_dump().items() for key in held}
    assert set(SETTINGS.values()) <= known
    assert set(COMMANDS.values()) >= {"gridops run"}


@pytest.mark.parametrize("reason", CONDITIONS, ids=str)
def test_a_condition_alone_is_the_first_finding_of_a_live_engine(reason: str) -> None:
    held = [{"reason": reason, "scope": "account", "since_ms": 1, "detail": "figures"}]
    first = first_finding(climb(snapshot({"levels": held, "state": "PAUSED"})))
    assert first is not None and first.reason == reason and first.since_ms == 1 and "figures" in first.detail


@pytest.mark.parametrize(
    "blind",
    [
        {"symbols": None}, {"doubts": None}, {"state": None}, {"disk_free_bytes": None}, {"keys": ""},
        {"input_age_ms": None},
    ],
    ids=lambda each: next(iter(each)),
)  # fmt: skip
def test_what_is_not_known_is_never_ok(blind: dict[str, Any]) -> None:
    rungs = climb(snapshot(blind))
    assert confirming(rungs) is not None
    assert [each.question for each in rungs if each.answer is Answer.OK] != list(ASKS)


@pytest.mark.parametrize("process", [Process.HUNG, Process.DEAD, Process.ABSENT])
def test_nobody_vouches_for_the_feeds_of_a_process_that_does_not_answer(process: Process) -> None:
    held = [{"reason": each, "scope": "account", "since_ms": 5} for each in ("feed_stale", "venue_down")]
    change = {"process": process, "input_age_ms": None, "levels": held}
    answers = {each.question: each.answer for each in climb(snapshot(change))}
    assert answers["process"] is Answer.FINDING
    for question in ("feeds", "venue", "orders", "price", "plan"):
        assert answers[question] in (Answer.SKIPPED, Answer.UNKNOWN), question


@pytest.mark.parametrize("state", FsmState)
@pytest.mark.parametrize("process", Process)
def test_it_answers_every_question_in_order_whatever_it_is_given(
    state: FsmState, process: Process, everything: Callable[[], dict[str, Any]]
) -> None:
    rungs = climb(snapshot({**everything(), "state": state, "process": process}))
    assert [each.question for each in rungs] == list(ASKS)
    assert rungs == climb(snapshot({**everything(), "state": state, "process": process}))


@pytest.fixture
def everything() -> Callable[[], dict[str, Any]]:
    """Every condition at once."""
    held = [{"reason": each, "scope": "account", "since_ms": 5, "detail": ""} for each in CONDITIONS]
    return lambda: {"levels": held, "kill_latch": "anna: why", "disk_free_bytes": 0, "symbols": []}
