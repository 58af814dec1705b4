"""Runbooks and README tell the lifecycle as the table has it, and their commands exist, look only, and work."""

import os
import re
from pathlib import Path

import pytest
from gridops.decide.fsm_table import ROWS
from gridops.decide.levels import CONDITIONS
from gridops.domain.vocabulary import FsmEvent, FsmState
from gridops.usecases import runbook

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.stem for path in (ROOT / "runbooks").glob("*.md") if path.stem != "README")

pytestmark = pytest.mark.docs


def table_of(text: str) -> list[list[str]]:
    """The cells between the marks."""
    found = re.search(r"<!-- table -->\n(.*?)\n<!-- /table -->", text, re.DOTALL)
    assert found is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()]


@pytest.mark.parametrize("file", ["README.md", "runbooks/fsm.md"])
def test_the_lifecycle_stands_there_as_the_table_has_it(file: str) -> None:
    title, rule, *body = table_of((ROOT / file).read_text())
    assert title[1:] == [state.value for state in FsmState] and set(rule) == {"---"}
    assert [line[0] for line in body] == [event.value for event in FsmEvent]
    told = {
        (state, line[0]): cell for line in body for state, cell in zip(title[1:], line[1:], strict=True) if cell != "-"
    }
    assert told == {(row.state.value, row.event.value): row.to_state.value for row in ROWS if row.moves}


def test_every_condition_is_explained_with_what_it_asserts_and_what_clears_it() -> None:
    text = (ROOT / "runbooks" / "fsm.md").read_text()
    told = dict(re.findall(r"^### (\w+)\n\n(.+)$", text, re.MULTILINE))
    assert [reason.value for reason in CONDITIONS if reason.value not in told] == []
    for reason, condition in CONDITIONS.items():
        event = "no event" if condition.event is None else condition.event.value
        assert f"Asserts {event}. Cleared by: " in told[reason.value], reason


def test_the_index_lists_every_page() -> None:
    text = (ROOT / "runbooks" / "README.md").read_text()
    assert [name for name in PAGES if f"[{name}]({name}.md)" not in text] == []


@pytest.mark.parametrize("name", PAGES)
def test_commands_of_a_page_only_look(name: str) -> None:
    found = runbook.commands((ROOT / "runbooks" / f"{name}.md").read_text())
    assert found
    assert [each for each in found if not runbook.looks(each)] == []


def test_a_command_that_acts_is_told_from_one_that_looks() -> None:
    assert runbook.looks("gridops fsm show --json")
    for acting in (
        "gridops fsm pause --reason x",
        "gridops kill --reason x",
        "gridops evidence prune --keep 3",
        "gridops fsm show; rm -r /",
        "gridops fsm show > file",
        "rm gridops fsm show",
        "gridops fsm show $(kill)",
    ):
        assert not runbook.looks(acting), acting


@pytest.mark.parametrize("name", PAGES)
def test_a_page_executes_in_an_empty_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environment = {name: held for name, held in os.environ.items() if not name.startswith("GRIDOPS_")}
    page = runbook.execute(name, tmp_path / "evidence", {**environment, "XDG_STATE_HOME": str(tmp_path / "state")})
    assert {each.exit_code for each in page.ran} <= {0, 1, 2, 5}
    shown = {each.command: each for each in page.ran}
    assert shown["gridops fsm show"].exit_code == 0 and str(tmp_path) in shown["gridops fsm show"].out
    folder = page.evidence.evidence_dir
    assert folder is not None and "$ gridops fsm show" in (Path(folder) / "answers.txt").read_text()
