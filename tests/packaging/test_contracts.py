"""The layers hold: import contracts are kept, and each is there; pins name no host."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_import_contracts_are_kept() -> None:
    pytest.importorskip("importlinter", reason="import-linter comes with the lint extra")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout
    for name in ("Layers point downwards", "know no library and no clock", "The venue is the judge"):
        assert re.search(f"{name}.* KEPT", done.stdout), done.stdout


def test_pins_name_no_host_and_cover_what_is_asked_for() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if "://" in line or "@" in line or line.startswith("-")] == []
    pinned = {line.partition("==")[0] for line in lines if "==" in line}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = {re.split(r"[<>=~! \[]", need)[0] for need in (*project["dependencies"], *extras["test"], *extras["lint"])}
    assert asked <= pinned
