"""The router's page explains every reason under the decision that the table gives it."""

import json
import re
from pathlib import Path

import pytest
from gridops.domain.vocabulary import Decision, RouterReason

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "runbooks" / "router.md").read_text()
CASES = (ROOT / "fixtures" / "router" / "decisions.jsonl").read_text().splitlines()

pytestmark = pytest.mark.docs


def test_every_reason_stands_once_under_its_decision() -> None:
    told: dict[str, str] = {}
    for decision in Decision:
        part = PAGE.partition(f"### {decision}\n")[2].partition("\n### ")[0]
        for reason in re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE):
            assert reason not in told
            told[reason] = decision
    assert set(told) == {reason.value for reason in RouterReason}
    for raw in map(json.loads, CASES):
        assert all(told[reason] == decision for _, decision, reason in raw["expect"]["choices"]), raw["name"]
