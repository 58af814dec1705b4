"""The README tells the truth: its commands and options exist and start, its settings load, its two commands work."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from gridops.config import load
from gridops.decide.fsm_table import ROWS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
LIFECYCLE = (ROOT / "runbooks" / "fsm.md").read_text()
LATER = "## Not there yet"

pytestmark = [pytest.mark.docs, pytest.mark.timeout(90)]


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Every `gridops ...` the text shows as a command that exists."""
    found = re.findall(r"`gridops ([a-z]+(?: [a-z]+)?)[^`]*`", README.partition(LATER)[0])
    return sorted(set(found))


def gridops(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: held for name, held in os.environ.items() if not name.startswith("GRIDOPS_")}
    return subprocess.run(
        [sys.executable, "-m", "gridops_cli", *arguments],
        cwd=folder,
        env={**environment, "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", commands())
def test_command_exists_and_helps(command: str, tmp_path: Path) -> None:
    done = gridops(tmp_path, *command.split(), "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage:") and f"gridops {command}" in " ".join(done.stdout.split())


def test_every_command_of_the_tool_is_in_the_table(tmp_path: Path) -> None:
    listed = gridops(tmp_path, "--help").stdout.partition("Commands:")[2]
    offered = set(re.findall(r"^  ([a-z]+)  ", listed, re.MULTILINE))
    assert offered == {command.split()[0] for command in commands()}


def test_what_is_called_missing_is_missing(tmp_path: Path) -> None:
    missing = re.findall(r"`([a-z]+)`", README.partition(LATER)[2].partition("##")[0])
    assert [name for name in missing if gridops(tmp_path, name, "--help").returncode == 0] == []


def test_options_belong_to_the_command_of_their_row(tmp_path: Path) -> None:
    for row in re.findall(r"^\| `gridops ([a-z ]+)` \|(.*)\|$", README, re.MULTILINE):
        command, text = row
        options = set(re.findall(r"`(--[a-z-]+)`", text))
        helped = gridops(tmp_path, *command.split(), "--help").stdout if options else ""
        assert [option for option in options if option not in helped] == [], command


def test_commands_that_look_work_in_an_empty_folder(tmp_path: Path) -> None:
    for command in ("fsm show --table", "config show", "config check", "config diff", "evidence list", "venue list"):
        done = gridops(tmp_path, *command.split())
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert "EVIDENCE_REF v=1 " in done.stdout, command


def operators() -> list[tuple[str, list[str]]]:
    """(file, words) of every command that an operator is told to type to an engine, in `text` blocks."""
    found = []
    for file, page in {"README.md": README, "fsm.md": LIFECYCLE}.items():
        for block in blocks("text", page):
            lines = [line for line in block.splitlines() if line.startswith("gridops ")]
            found += [(file, shlex.split(line, comments=True)[1:]) for line in lines]
    return found


def test_commands_to_an_engine_are_understood_and_say_that_none_runs(tmp_path: Path) -> None:
    """As printed. Nothing runs here, so each is refused for that alone: a wrong word would be a usage error."""
    told = operators()
    assert {" ".join(words[:2]) for _, words in told} >= {"fsm pause", "fsm resume", "fsm ack", "fsm signal"}
    for file, words in told:
        done = gridops(tmp_path, *words)
        wanted = 0 if words[:2] == ["fsm", "show"] else 4
        assert done.returncode == wanted, f"{file}: {words}: {done.stderr}"


@pytest.mark.parametrize("block", [*blocks("toml"), *blocks("toml", LIFECYCLE)])
def test_settings_shown_are_settings(block: str, tmp_path: Path) -> None:
    file = tmp_path / "gridops.toml"
    file.write_text(block)
    loaded = load(file=file, environment={})
    shown = re.findall(r"^([a-z_]+) = ", block, re.MULTILINE)
    assert shown == [key.partition(".")[2] for key, source in loaded.sources.items() if source.startswith("file ")]


def test_the_environment_variable_shown_is_one() -> None:
    ((name, value),) = re.findall(r"`(GRIDOPS_[A-Z]+__[A-Z_]+)=([^`]+)`", README)
    loaded = load(file=None, environment={name: value})
    assert set(loaded.sources) == {name.removeprefix("GRIDOPS_").replace("__", ".").lower()}


def test_defaults_named_are_the_defaults() -> None:
    grid = load(file=None, environment={}).settings.grid
    assert f"the default rungs\nstand {grid.spacing_bps} bps apart" in README
    states = re.search(r"--table`: ([A-Z, ]+)\.", README)
    assert states and states[1].split(", ") == list(dict.fromkeys(row.state.value for row in ROWS))


def test_the_two_commands_are_the_scripts() -> None:
    assert blocks("sh")[0].split("\n")[:2] == ["./dev run", "./dev test"]
    helped = subprocess.run(["./dev", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"{command} " in helped for command in ("./dev run", "./dev test", "./dev check", "./dev bench"))


def test_first_command_trades_and_ends_in_order(tmp_path: Path) -> None:
    """As written, but for a shorter time and folders of its own."""
    environment = Path(sys.prefix)
    if not any(environment.glob(".gridops-*")):
        pytest.skip("this environment was not set up by ./dev")
    done = subprocess.run(
        ["./dev", "run", "--duration", "12s", "--home", str(tmp_path / "home"), "--evidence-dir", str(tmp_path / "e")],
        cwd=ROOT,
        env={**os.environ, "DEV_VENV": str(environment), "XDG_STATE_HOME": str(tmp_path / "state")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "net of fees:" in done.stdout and "ACTIVE" in done.stdout
    folder = re.search(r"^EVIDENCE_REF .*mode=run status=ok .*evidence_dir=(\S+)", done.stdout, re.MULTILINE)
    assert folder is not None, done.stdout
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "sha256sums.txt"], cwd=folder[1], check=False)
    assert checked.returncode == 0
