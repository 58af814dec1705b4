"""`gridops drill` and `gridops runbook`: verdicts in plain words, evidence each, exit 1 on a failed drill."""

from pathlib import Path

import pytest
from gridops.adapters.evidence_verify import verify
from tests.commands.kit import Cli

PASSING = """
name = "quiet"
title = "Nothing happens"
shows = "A calm minute quotes"
runbook = "fsm"
seeds = [1, 2]
run_s = 10

[[step]]
after = "state ACTIVE"
do = "mark"

[[expect]]
that = "ends_in"
states = ["ACTIVE"]
"""


def drill(folder: Path, name: str, text: str) -> str:
    path = folder / f"{name}.toml"
    path.write_text(text.replace('"quiet"', f'"{name}"'))
    return str(path)


@pytest.mark.simulation
def test_a_passing_and_a_failing_drill_say_so_with_a_bundle_each(cli: Cli, empty_folder: Path) -> None:
    good = drill(empty_folder, "quiet", PASSING)
    bad = drill(empty_folder, "loud", PASSING.replace('"ACTIVE"]', '"EMERGENCY"]'))
    ran = cli("drill", "run", good, bad)
    assert ran.code == 1
    assert "PASSED  quiet" in ran.out and "FAILED  loud" in ran.out
    assert "FAIL  ends in EMERGENCY: it is ACTIVE" in ran.out
    assert "2 drills: 1 passed, 1 failed, 0 skipped; 4 seeds" in ran.out
    assert "quiet, seed 2" in ran.err
    refs = ran.refs("out")
    assert [(ref.mode, ref.status, ref.reason) for ref in refs] == [
        ("drill", "ok", "passed"),
        ("drill", "finding", "failed"),
    ]
    root = empty_folder / "evidence"
    assert verify(root).ok
    folder = Path(refs[0].evidence_dir or "")
    assert {each.name for each in folder.iterdir()} >= {"drill.toml", "records-1.jsonl", "records-2.jsonl"}
    page = (folder / "summary.txt").read_text()
    assert "\nseed 2: passed, journal digest " in page and "\n  pass  ends in ACTIVE: it is ACTIVE\n" in page


@pytest.mark.simulation
def test_json_holds_every_figure_and_the_list_remembers_the_run(cli: Cli, empty_folder: Path) -> None:
    ran = cli("drill", "run", "stale-feed", "--seed", "1", "--json")
    assert ran.code == 0, ran.err
    said = ran.document()
    assert said["schema"] == "gridops.drill.run/1" and said["ok"] is True and said["failed"] == []
    (run,) = said["drills"][0]["runs"]
    assert 0 < run["detect_ms"] <= 3_500 and run["detect_ms"] <= run["safe_ms"] <= 5_500
    assert float(run["worst_exposure"]) <= float(run["cap"])
    assert all(check["ok"] for check in run["checks"]) and run["transitions"]
    assert said["drills"][0]["evidence"] == said["evidence"]
    assert ran.refs("out") == [] and len(ran.refs("err")) == 1
    (listed,) = [each for each in cli("drill", "list", "--json").document()["drills"] if each["name"] == "stale-feed"]
    assert listed["last"]["ok"] is True and listed["last"]["changed"] == []
    copy = empty_folder / "evidence" / "drill"
    (bundle,) = copy.iterdir()
    summary = bundle / "summary.json"
    summary.write_text(summary.read_text().replace('"build"', '"was"'))
    lines = cli("drill", "list").out.splitlines()
    (line,) = [each for each in lines if each.startswith("stale-feed ")]
    assert line.split()[3:5] == ["passed", "build"] and max(map(len, lines[:-1])) <= 100
    assert ": 1 passed when last run, 0 failed, " in "\n".join(lines)


def test_a_drill_that_is_none_is_refused_with_what_is_allowed(cli: Cli) -> None:
    ran = cli("drill", "run", "nonsense")
    assert ran.code == 2 and "stale-feed" in ran.err and ran.refs("out")[0].status == "failed"
    assert cli("drill", "run").code == 2
    assert cli("drill", "run", "stale-feed", "--all").code == 2
    assert cli("drill", "run", "stale-feed", "--seeds", "3").code == 2


def test_a_list_in_a_fresh_folder_has_never_run_anything(cli: Cli) -> None:
    ran = cli("drill", "list")
    assert ran.code == 0 and "fsm-tour" in ran.out and "never" in ran.out
    assert ran.refs("out")[0].reason == "none_yet"
    words = cli("drill", "words")
    assert "market_silent: " in words.out and "books_equal: " in words.out
    assert "tier wire: verbs\n" in words.out and "part_dies: " in words.out and "asks_only: " in words.out


def test_the_catalogue_says_for_every_scenario_which_drill_it_has_or_why_none(cli: Cli) -> None:
    ran = cli("drill", "list", "--catalogue")
    assert ran.code == 0 and "user-stream-lost" in ran.out and "162 scenarios: " in ran.out
    said = cli("drill", "list", "--catalogue", "--json").document()
    assert said["schema"] == "gridops.drill.catalogue/1"
    rows, count = said["scenarios"], said["count"]
    assert len(rows) == count["scenarios"] == count["covered"] + count["not_covered"]
    assert count["covered"] == sum(bool(row["drills"]) for row in rows)
    assert [row["id"] for row in rows if not row["drills"] and not row["not_covered"]] == []


def test_a_runbook_is_printed_and_an_unknown_one_refused(cli: Cli) -> None:
    assert "fsm" in cli("runbook").out.splitlines()
    section = cli("runbook", "alerts-critical#gridopsdown")
    assert section.code == 0 and section.out.startswith("## GridopsDown\n") and "## GridopsHung" not in section.out
    ran = cli("runbook", "fsm")
    assert ran.code == 0 and ran.out.startswith("# The lifecycle") and ran.refs("out")[0].reason == "none_yet"
    assert cli("runbook", "fsm", "--json").document()["schema"] == "gridops.runbook/1"
    for name in ("nonsense", "../README", "README"):
        assert cli("runbook", name).code == 2, name
