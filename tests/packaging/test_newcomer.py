"""A newcomer's first ten minutes, from the wheel, in an empty folder: what the README names, in its order."""

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from tests.packaging.kit import ROOT, environment, gridops

pytestmark = [pytest.mark.packaging, pytest.mark.nightly, pytest.mark.timeout(400)]

PATH = (
    "init --equity 5000",
    "config check",
    "doctor",
    "run --headless --duration 20s",
    "fsm show",
    "triage",
    "drill run kill-flat",
    "roundtrip report",
    "evidence verify",
)
SHAPES = (
    (r"EVIDENCE_REF v=1 mode=(\w+) status=(\w+) .*", r"EVIDENCE_REF mode=\1 status=\2"),
    (r"[0-9a-f]{12,64}", "DIGEST"),
    (r"https?://\S+", "URL"),
    (r"/\S+", "PATH"),
    (r"[+-]?\d[\d,.:]*", "N"),
)


def shape(text: str) -> list[str]:
    """The first word of each line: what is told, without the figures of this run."""
    for pattern, put in SHAPES:
        text = re.sub(pattern, put, text)
    return [line.split("  ")[0].strip() for line in text.splitlines() if line.strip() and not line.startswith(" ")]


def test_the_readme_names_every_step() -> None:
    readme = (ROOT / "README.md").read_text()
    for step in PATH:
        words = step.split()
        name = " ".join(words[:2]) if words[0] in ("drill", "roundtrip", "evidence", "config", "fsm") else words[0]
        assert f"gridops {name}" in readme, name


def test_from_nothing_to_a_report(installed: Path, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    folder = tmp_path / "grid"
    folder.mkdir()
    told = {}
    for step in PATH:
        done = gridops(installed, folder, *step.split(), within_s=120)
        assert done.returncode in (0, 1), (step, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr and "EVIDENCE_REF" in done.stdout, step
        told[step] = (done.stdout, done.returncode)
    codes = {step: code for step, (_, code) in told.items()}
    assert codes == {**dict.fromkeys(PATH, 0), "triage": codes["triage"]}
    assert "net of fees" in told["run --headless --duration 20s"][0]
    assert (folder / "gridops.toml").is_file()
    # What the run and the venue's luck say differs from day to day; what is there to be said does not.
    steady = {
        step: shape(told[step][0]) for step in ("init --equity 5000", "config check", "doctor", "evidence verify")
    }
    assert steady == snapshot
    assert set(shape(told["run --headless --duration 20s"][0])) >= {"outcome", "fills", "fees", "result"}
    left = {path.name for path in folder.iterdir()}
    # The registry of running engines is in the user's state folder, and this user's home is this folder.
    assert left - {".local"} == {"gridops.toml", ".gridops", "evidence"}


def test_a_stop_by_hand_ends_in_order(installed: Path, tmp_path: Path) -> None:
    """Ctrl-C is the first thing a newcomer tries."""
    process = subprocess.Popen(
        [str(installed), "run", "--headless"], cwd=tmp_path, env=environment(tmp_path), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    time.sleep(12)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "net of fees" in out
