"""The pages about the program are about this program: every module named exists, the command line is what it prints."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
CLI = (ROOT / "docs" / "cli.md").read_text()
MANUAL = ROOT / "docs" / "gridops.1"

pytestmark = [pytest.mark.docs, pytest.mark.timeout(90)]


def modules(page: str) -> list[str]:
    return sorted(set(re.findall(r"`(gridops(?:_cli|\.[a-z_.]+))`", page)))


@pytest.mark.parametrize("name", modules(ARCHITECTURE))
def test_every_module_named_exists(name: str) -> None:
    assert importlib.util.find_spec(name) is not None


def test_the_architecture_page_names_every_layer_and_the_step_in_its_order() -> None:
    said = (ROOT / "gridops" / "runtime" / "step.py").read_text()
    assert len(modules(ARCHITECTURE)) > 30
    for layer in re.search(r"layers = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL)[1].split('"')[1::2]:  # type: ignore[index]
        for name in layer.split(" | "):
            assert f"`{name}`" in ARCHITECTURE, name
    called = [said.index(word) for word in ("observe(state", "assess.run(", "act.run(", "truth.run(")]
    assert called == sorted(called), "the page tells the step's order; it changed"
    told = [ARCHITECTURE.index(f"`gridops.runtime.{name}`") for name in ("observe", "assess", "act", "commit")]
    assert told == sorted(told)


def test_the_architecture_page_is_one_page() -> None:
    assert len(ARCHITECTURE.splitlines()) <= 90


def test_the_reference_is_what_the_commands_say() -> None:
    """A change to a help text asks for `make reference`."""
    done = subprocess.run(
        [sys.executable, "scripts/write_reference.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_command_and_option_is_in_both() -> None:
    manual = MANUAL.read_text().replace("\\-", "-")
    for command in re.findall(r"^## (gridops .+)$", CLI, re.MULTILINE):
        assert f".SS {command}\n" in manual, command
    options = set(re.findall(r"^  (--[a-z-]+)", CLI, re.MULTILINE))
    assert len(options) > 40
    assert [option for option in sorted(options) if option not in manual] == []


def test_the_man_page_is_one_without_a_warning() -> None:
    tool = shutil.which("man")
    if tool is None or shutil.which("groff") is None:
        pytest.skip("no man here")
    done = subprocess.run(
        [tool, "--warnings", "-l", str(MANUAL)],
        capture_output=True, text=True, env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8"}, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "gridops run" in done.stdout and "EXIT STATUS" in done.stdout


def test_contributing_names_what_is_there() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    for path in re.findall(r"`((?:gridops|tests|fixtures|runbooks)/[\w./-]+|[A-Z]+\.md)`", page):
        assert (ROOT / path).exists(), path
    made = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([a-z-]+)`", page):
        assert f"\n{target}:" in made, target


@pytest.mark.parametrize(
    ("typed", "offered"), [("gridops fs", "fsm"), ("gridops fsm ", "pause"), ("gridops run --dr", "--dry-run")]
)
def test_completion_offers_what_fits(typed: str, offered: str, tmp_path: Path) -> None:
    words = typed.split(" ")
    asked = {"_GRIDOPS_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    code = "import sys; sys.argv = ['gridops']; from gridops_cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert offered in done.stdout.split(), done
    assert "EVIDENCE_REF" not in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
