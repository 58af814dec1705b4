"""Every rule of the router is reached by a case written as data, and each case gets the answer written beside it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from gridops.decide.router_cases import answer, read_case
from gridops.decide.router_rules import ADMISSION_RULES, SHAPE_RULES
from gridops.domain.vocabulary import Decision, RouterReason

CASES_FILE = Path(__file__).resolve().parents[2] / "fixtures" / "router" / "decisions.jsonl"
CASES: list[dict[str, Any]] = [json.loads(line) for line in CASES_FILE.read_text().splitlines()]

_DIGEST = """
import hashlib, json, sys
from gridops.decide.router_cases import answer, read_case
lines = open(sys.argv[1]).read().splitlines()
plans = [read_case(json.loads(line)).run() for line in lines]
print(hashlib.sha256(repr(plans).encode()).hexdigest())
"""


@pytest.mark.parametrize("raw", CASES, ids=[raw["name"] for raw in CASES])
def test_the_answer_is_the_one_written(raw: dict[str, Any]) -> None:
    got = answer(read_case(raw).run())
    assert sorted(got["choices"]) == sorted(raw["expect"]["choices"])
    assert got["ops"] == raw["expect"]["ops"]


def test_a_case_shows_the_rule_it_is_named_for() -> None:
    shown = {raw["name"]: {reason for _level, _decision, reason in raw["expect"]["choices"]} for raw in CASES}
    assert [raw["name"] for raw in CASES if raw["rule"] not in shown[raw["name"]]] == []


def test_the_cases_are_many_and_each_is_another() -> None:
    assert len(CASES) >= 500
    assert len({raw["name"] for raw in CASES}) == len(CASES)
    assert len({json.dumps({**raw, "name": "", "rule": ""}) for raw in CASES}) == len(CASES)


def test_no_reason_lacks_a_case_of_its_own() -> None:
    covered = Counter(raw["rule"] for raw in CASES)
    assert [reason for reason in RouterReason if not covered[reason]] == []


def test_every_rule_of_both_tables_has_its_own_reason_or_shares_it_on_purpose() -> None:
    shape = [rule.reason for rule in SHAPE_RULES]
    admission = [rule.reason for rule in ADMISSION_RULES]
    assert len(shape) == len(set(shape))
    assert len(admission) == len(set(admission))
    assert set(shape) | set(admission) == set(RouterReason)
    assert set(shape) & set(admission) == {RouterReason.DEFERRED_BUDGET}


def test_a_decision_and_its_reason_always_go_together() -> None:
    of_reason: dict[str, set[str]] = {}
    for raw in CASES:
        for choice in read_case(raw).run().choices:
            of_reason.setdefault(choice.reason, set()).add(choice.decision)
    assert {reason: found for reason, found in of_reason.items() if len(found) != 1} == {}
    assert set().union(*of_reason.values()) == set(Decision)


def test_a_deferred_decision_says_when_it_is_tried_again() -> None:
    timed = {RouterReason.REFILL_WAIT, RouterReason.PARTIAL_IN_FLIGHT, RouterReason.DEFERRED_REFUSED}
    for raw in CASES:
        plan = read_case(raw).run()
        times = [choice.retry_ms for choice in plan.choices if choice.retry_ms]
        assert plan.wake_ms == (min(times) if times else 0), raw["name"]
        assert all(choice.retry_ms > 0 for choice in plan.choices if choice.reason in timed), raw["name"]


def test_the_gate_that_refused_is_named() -> None:
    for raw in CASES:
        for choice in read_case(raw).run().choices:
            assert (choice.gate is not None) == (choice.reason is RouterReason.BLOCKED_GATE), raw["name"]


def digest_of(interpreter: str, hash_seed: str, **environment: str) -> str:
    seeded = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(CASES_FILE.parents[2])}
    there = subprocess.run(
        [interpreter, "-c", _DIGEST, str(CASES_FILE)],
        env={**os.environ, **seeded, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return there.stdout.strip()


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_plans_do_not_depend_on_the_hash_seed(hash_seed: str) -> None:
    here = hashlib.sha256(repr([read_case(raw).run() for raw in CASES]).encode()).hexdigest()
    assert digest_of(sys.executable, hash_seed) == here


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_plans_do_not_depend_on_the_interpreter(version: str) -> None:
    """The router needs the standard library only, so any interpreter of the machine can judge the table."""
    interpreter = shutil.which(f"python{version}")
    chosen = {"PYENV_VERSION": version}
    if (
        interpreter is None
        or subprocess.run(
            [interpreter, "-c", "pass"], env={**os.environ, **chosen}, capture_output=True, check=False
        ).returncode
    ):
        pytest.skip(f"no Python {version} here")
    assert digest_of(interpreter, "7", **chosen) == digest_of(sys.executable, "0")
