"""Drills of commands pass, and each thing they look for turns them red: a code, a word, a secret, a stray file."""

from pathlib import Path
from typing import Any

import pytest
from gridops.errors import ConfigError
from gridops.sim.drill_process_words import COMMAND_EXPECTS, COMMAND_VERBS
from gridops.sim.drill_run import DrillReport
from gridops.sim.drill_spec import parse, read_drill
from gridops.usecases import drill_command, drill_command_verdict, drill_sandbox
from gridops.usecases.drill_command import run_command_drill
from tests.effort import FULL

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "drills"
COMMAND = [path for path in sorted(FOLDER.glob("*.toml")) if 'tier = "command"' in path.read_text()]
BY_DAY = {"setting-typos", "not-a-number", "paths-that-leave", "damaged-journal", "shared-journal"}
"""The others run each night: they are real processes, half a second and more each."""


def small(**changed: Any) -> DrillReport:
    said = {
        "name": "small", "title": "t", "shows": "s", "runbook": "fsm", "tier": "command", "run_s": 10,
        "step": [{"name": "a", "do": "run", "words": ["runbook", "nowhere"]}],
        "expect": [{"that": "refused"}],
    }  # fmt: skip
    return run_command_drill(parse({**said, **changed}, "small"), 1, lambda _: None)


def failed(report: DrillReport) -> str:
    return "; ".join(check.says for check in report.checks if not check.ok)


@pytest.mark.simulation
@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", COMMAND, ids=lambda path: path.stem)
def test_a_drill_of_commands_passes(path: Path) -> None:
    if path.stem not in BY_DAY and not FULL:
        pytest.skip("each night")
    report = run_command_drill(read_drill(path), 1, lambda _: None)
    assert failed(report) == ""


def test_every_word_is_carried_out_and_judged() -> None:
    assert set(drill_command._VERBS) == set(COMMAND_VERBS)
    assert set(drill_command_verdict._JUDGES) == set(COMMAND_EXPECTS)


PROGRAMS = {
    "print('Traceback (most recent call last):')": "no traceback shows",
    "import os; print(os.environ['GRIDOPS_API_SECRET'])": "no secret shows",
    "import os; open('kept', 'w').write(os.environ['GRIDOPS_API_KEY'])": "no secret shows",
    "open('../around/tmp/left', 'w')": "nothing is written outside",
    "open('../around/precious', 'w')": "nothing is written outside",
    "open('../beside', 'w')": "nothing is written outside",
    "import time; time.sleep(9)": "every command ends by itself",
}


@pytest.mark.simulation
@pytest.mark.parametrize("program", PROGRAMS)
def test_what_no_command_may_do_fails_any_drill(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill_sandbox, "PROGRAM", ("-c", program))
    step = [{"name": "a", "do": "run", "words": ["x"], "within_s_each": 2}]
    report = small(step=step, expect=[{"that": "absent", "path": "nothing"}])
    assert failed(report).startswith(PROGRAMS[program])


@pytest.mark.simulation
def test_each_expectation_is_met_by_what_holds_and_failed_by_what_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import sys; print('out'); print('error: one about red', 'hint: two', sep=chr(10), file=sys.stderr); "
    monkeypatch.setattr(drill_sandbox, "PROGRAM", ("-c", program + "open('made', 'w').write('text'); sys.exit(2)"))
    step = [
        {"do": "file", "path": "given", "text": "x"},
        {"do": "file", "path": "changed", "text": "x"},
        {"name": "a", "do": "each", "words": ["{}"], "cases": {"1": "red"}},
        {"name": "b", "do": "each", "words": ["{}"], "cases": {"1": "blue"}},
        {"do": "file", "path": "made-later", "text": "x", "mode": "640"},
    ]
    met: list[dict[str, Any]] = [
        {"that": "refused", "step": "a"},
        {"that": "exit", "step": "a", "code": 2},
        {"that": "says", "step": "a", "texts": ["out", "two"]},
        {"that": "says_not", "texts": ["blue"]},
        {"that": "kept", "path": "given"},
        {"that": "present", "path": "made", "holds": "text"},
        {"that": "absent", "path": "nothing"},
        {"that": "took", "most_s": 30},
    ]
    broken: list[dict[str, Any]] = [
        {"that": "refused", "step": "b"},
        {"that": "refused", "step": "a", "code": 3},
        {"that": "refused", "step": "step 1"},
        {"that": "exit", "code": 0},
        {"that": "says", "texts": ["blue"]},
        {"that": "says_not", "texts": ["out"]},
        {"that": "kept", "path": "made"},
        {"that": "kept", "path": "nothing"},
        {"that": "present", "path": "made", "holds": "other"},
        {"that": "present", "path": "made-later", "mode": "600"},
        {"that": "absent", "path": "made"},
        {"that": "took", "most_s": 0},
    ]
    checks = small(step=step, expect=[*met, *broken]).checks[-len(met) - len(broken) :]
    assert [check.says for check in checks[: len(met)] if not check.ok] == []
    assert [check.says for check in checks[len(met) :] if check.ok] == []
    assert {each["that"] for each in met} == set(COMMAND_EXPECTS)


def test_a_path_that_leaves_the_folder_is_a_mistake_in_the_drill() -> None:
    for path in ("../x", "/etc/x"):
        with pytest.raises(ConfigError, match="refused"):
            small(step=[{"do": "file", "path": path}])


def test_a_step_that_finds_nothing_is_a_mistake_in_the_drill() -> None:
    with pytest.raises(ConfigError, match="matches"):
        small(step=[{"do": "spoil", "path": "x*", "how": "flip"}])


def test_the_folder_is_gone_afterwards() -> None:
    with drill_sandbox.Sandbox() as box:
        box.write("a/b", b"x")
        folder = box.folder
    assert not folder.parent.exists()
