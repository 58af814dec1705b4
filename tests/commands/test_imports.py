"""Short commands stay short: a fresh interpreter shows which libraries each of them loads."""

import subprocess
import sys
from pathlib import Path

import pytest
from gridops.adapters.home import Home
from tests.commands.kit import boot, write_journal

HEAVY = ("ccxt", "textual", "numpy", "aiohttp", "pydantic", "rich", "prometheus_client", "asyncio")
CODE = """
import sys
from gridops_cli.outcome import run_command
code = run_command(sys.argv[2:])
print("LOADED", code, *sorted(set(sys.argv[1].split(",")) & set(sys.modules)))
"""


def _loaded(*words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", CODE, ",".join(HEAVY), *words], capture_output=True, text=True, timeout=60, check=True
    )
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("LOADED")]
    return line.split()[1:]


@pytest.mark.parametrize(
    "words",
    [["--help"], ["fsm", "--help"], ["fsm", "show"], ["fsm", "show", "--table"], ["kill", "--help"]],
    ids=" ".join,
)
def test_nothing_heavy_is_loaded(words: list[str], home: Home) -> None:
    write_journal(home, [boot()], checkpoint_after=1)
    assert _loaded(*words) == ["0"]


@pytest.mark.parametrize("words", [["evidence", "show", "x"], ["fsm", "pause", "--reason", "x"]], ids=" ".join)
def test_asking_an_engine_loads_no_loop_and_no_exchange_library(words: list[str], empty_folder: Path) -> None:
    assert _loaded(*words)[1:] == []


def test_the_guard_can_see_a_heavy_import() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import pydantic\n" + CODE, ",".join(HEAVY), "--help"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "pydantic" in done.stdout.splitlines()[-1]
