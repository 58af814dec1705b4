"""From nothing to a ladder: the config that `init` writes is one the engine quotes with, and its change can be seen."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.wire


def gridops(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gridops_cli", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_what_init_writes_quotes(tmp_path: Path) -> None:
    made = gridops(tmp_path, "init", "--equity", "3000")
    assert made.returncode == 0, made.stderr
    plan = gridops(tmp_path, "run", "--dry-run")
    assert plan.returncode == 0 and "create 20" in plan.stdout, plan.stdout + plan.stderr
    file = tmp_path / "gridops.toml"
    file.write_text(file.read_text().replace("levels = 10", "levels = 4"))
    changed = gridops(tmp_path, "config", "diff", "--ladder")
    assert changed.returncode == 0 and "create 8" in changed.stdout and "grid.levels" in changed.stdout, changed.stdout
    again = gridops(tmp_path, "init", "--equity", "3000")
    assert again.returncode == 4 and "exists already" in again.stderr
