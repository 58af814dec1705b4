"""Words that contradict a proof are refused before anything is opened."""

from pathlib import Path

import pytest
from gridops.errors import ExitCode
from tests.commands.kit import Runner

from gridops_cli import proof


@pytest.mark.parametrize(
    ("words", "why"),
    [(["--restart-proof", "--fresh"], "--fresh"), (["--restart-proof", "--dry-run"], "--dry-run"),
     (["--yes"], "agrees to nothing")],
)  # fmt: skip
def test_contradictions_are_refused(words: list[str], why: str, cli: Runner, empty_folder: Path) -> None:
    ran = cli("run", "--headless", *words)
    assert ran.code == ExitCode.USAGE and why in ran.err
    assert not (empty_folder / ".gridops").exists()


def test_the_engine_behind_a_screen_is_not_asked_again() -> None:
    assert proof.without(["run", "--restart-proof", "--yes", "--stop-mode", "leave"]) == ["run", "--stop-mode", "leave"]
