"""`replay --explain` tells decisions with figures that can be checked by hand; `--set` finds what a setting changes."""

import json
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.home import Home
from gridops.adapters.journal_sqlite import open_journal
from gridops.domain.evidence_ref import EvidenceStatus
from gridops.domain.records import Decided
from gridops.domain.vocabulary import RouterReason
from gridops.errors import ExitCode
from gridops.runtime.ports_journal import JournalRow
from gridops.usecases.explain import WHY
from tests.commands.kit import START_MS, Runner
from tests.runtime.engine_kit import Desk

MOVES = (0, 60, 130, 260, 90, -150, -400, -390)
"""Ticks the market moves by, from the middle: inside the hold band (65 ticks) and outside it."""


@pytest.fixture
def desk(home: Home) -> Desk:
    """A quoting engine whose market walks, and its journal in the home."""
    made = Desk()
    made.up()
    for move in MOVES:
        made.settle(made.view(650_000 + move))
        made.run_ms(1_500)
    home.ensure()
    journal = open_journal(home.journal("paper"), account="paper", clock_ms=lambda: START_MS)
    journal.begin_run("run000000001", 7, "0")
    for header, event, body in made.history:
        journal.append(JournalRow(header.seq, header.wall_ms, type(event).__name__, body, False))
    assert journal.flush(10)
    journal.close()
    return made


def explained(cli: Runner, level: int) -> list[dict[str, Any]]:
    ran = cli("replay", "--json", "--explain", str(level))
    assert ran.code == 0, ran.err
    found: list[dict[str, Any]] = ran.document()["decisions"]
    return found


def test_every_reason_has_its_sentence() -> None:
    assert set(WHY) == set(RouterReason)


@pytest.mark.parametrize("level", [-3, -1, 1, 2])
def test_each_decision_of_the_level_is_told_in_order(cli: Runner, desk: Desk, level: int) -> None:
    told = explained(cli, level)
    said = [each.choice for each in desk.said(Decided) if each.choice.level == level]
    assert [(each["decision"], each["rule"], each["client_id"]) for each in told] == [
        (choice.decision, choice.reason, choice.client_id) for choice in said
    ]
    assert told and [each["seq"] for each in told] == sorted(each["seq"] for each in told)


def test_the_band_told_is_the_one_that_decided(cli: Runner, desk: Desk) -> None:
    """The distance is that of the two prices in the case, and it lies on the side of the band the rule says."""
    seen: Counter[str] = Counter()
    for level in (-3, -2, -1, 1, 2, 3):
        for each in explained(cli, level):
            figures = re.search(r"(\d+) ticks from its target, (within|beyond) the band of (\d+)", each["why"])
            if figures is None:
                continue
            off, band = int(figures[1]), int(figures[3])
            rests, wanted = re.findall(r"@([\d.]+) (?:rests|wanted)", each["case"])
            assert off == abs(Decimal(rests) - Decimal(wanted)) / Decimal("0.1")
            assert (off <= band) == (figures[2] == "within"), each
            seen[each["decision"]] += 1
    assert seen["noop"] and seen["amend"], seen


def test_the_second_best_is_told_with_its_price(cli: Runner, desk: Desk) -> None:
    told = [each for level in (-2, -1, 1, 2) for each in explained(cli, level)]
    kept = [each for each in told if each["rule"] == "within_hold_band"]
    moved = [each for each in told if each["rule"] == "outside_hold_band"]
    assert kept and moved
    assert all(each["instead"] == "amend" and each["instead_cost"].startswith("1 call, 1 order") for each in kept)
    assert all(each["cost"] == "nothing" for each in kept)
    assert all(each["cost"].startswith("1 call, 1 order") for each in moved)
    assert all(each["instead"] == "cancel_replace" for each in moved)
    assert all("2 calls, 1 weight, 1 order, 50 ms bare" in each["instead_cost"] for each in moved)


def test_the_text_and_the_bundle_say_the_same(cli: Runner, desk: Desk) -> None:
    ran = cli("replay", "--explain", "-1")
    assert ran.code == 0
    folder = Path(str(ran.refs("out")[0].evidence_dir))
    kept = [json.loads(line) for line in (folder / "level-1.jsonl").read_text().splitlines()]
    assert kept == explained(cli, -1)
    assert kept[-1]["why"] in ran.out
    assert f"level -1: {len(kept)} decisions" in ran.out


def compared(cli: Runner, *assignments: str) -> dict[str, Any]:
    ran = cli("replay", "--json", *(word for each in assignments for word in ("--set", each)))
    assert ran.code == 0, ran.err
    assert ran.refs("err")[0].status is EvidenceStatus.OK
    found: dict[str, Any] = ran.document()["what_if"]
    return found


def test_the_setting_in_force_changes_nothing(cli: Runner, desk: Desk) -> None:
    found = compared(cli, f"grid.hold_band={Decimal(desk.rules.router.hold_band_pct) / 100}")
    assert found["first"] is None and found["differing"] == 0
    assert found["before"] == found["after"]
    assert found["moments"] > 10


def test_no_band_at_all_moves_what_was_kept(cli: Runner, desk: Desk) -> None:
    found = compared(cli, "grid.hold_band=0")
    assert found["after"].get("noop/within_hold_band", 0) == 0
    assert found["before"]["noop/within_hold_band"] > 0
    assert found["after"]["amend/outside_hold_band"] > found["before"].get("amend/outside_hold_band", 0)
    first = found["first"]
    assert first["before"].startswith("noop") and first["after"].startswith("amend")
    assert found["differing"] > 0


def test_fewer_levels_would_take_the_outer_orders_off(cli: Runner, desk: Desk) -> None:
    found = compared(cli, "grid.levels=2")
    assert found["after"]["cancel_replace/surplus_level"] >= 2
    assert "cancel_replace/surplus_level" not in found["before"]
    text = cli("replay", "--set", "grid.levels=2").out
    assert "cancel_replace/surplus_level" in text and "first difference: input" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "grid.levels"), "sets nothing"),
        (("--set", "grid.lvels=3"), "did you mean levels?"),
        (("--set", "grid.levels=0"), "grid.levels"),
        (("--set", "grid.symbols=ETHUSDT"), "cannot be changed"),
        (("--set", "venue.speed=2"), "decides nothing"),
        (("--set", "grid.levels=3", "--explain", "-1"), "one thing at a time"),
    ],
)
def test_what_cannot_be_asked_is_refused(cli: Runner, home: Home, words: tuple[str, ...], said: str) -> None:
    ran = cli("replay", *words)
    assert ran.code == ExitCode.USAGE
    assert said in ran.err
