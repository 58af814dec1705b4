"""A wheel built through the sdist is complete: it installs, starts and finds its data from an empty folder."""

import json
import shutil
import signal
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from gridops.domain.evidence_ref import EvidenceMode
from tests.packaging.kit import ROOT, environment, gridops, new_environment, pip

STATES = ("INIT", "READY", "ACTIVE", "THROTTLED", "PAUSED", "DEGRADED", "EMERGENCY", "STOPPING")

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(300)]


def test_sdist_carries_the_sources_and_nothing_private(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "gridops/py.typed"} <= names
    kept_back = [name for name in names if name.startswith((".venv", ".git/", ".gridops", "evidence/"))]
    assert kept_back == []


def test_wheel_holds_both_packages_their_data_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"gridops/__init__.py", "gridops/py.typed", "gridops_cli/__init__.py"} <= names
    assert "gridops/_data/fixtures/market/specs.json" in names
    assert {"gridops/_data/fixtures/drills/fsm-tour.toml", "gridops/_data/runbooks/fsm.md"} <= set(names)
    assert [name for name in names if name.endswith("licenses/LICENSE")]
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith((".dist-info", ".data"))} == {"gridops", "gridops_cli"}
    assert [name for name in names if name.endswith(".data/data/share/man/man1/gridops.1")]
    assert [name for name in names if "__pycache__" in name] == []


def test_it_starts_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    helped = gridops(installed, tmp_path, "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    for command in ("run", "fsm", "kill", "evidence", "replay", "venue", "config"):
        assert f"\n  {command} " in helped.stdout
    table = gridops(installed, tmp_path, "fsm", "show", "--table")
    assert table.returncode == 0, table.stderr
    assert [state for state in STATES if state not in table.stdout] == []
    assert "EVIDENCE_REF v=1 mode=fsm" in table.stdout
    assert [path.name for path in tmp_path.iterdir()] == [], "looking must leave nothing behind"


def test_it_runs_its_own_code_and_not_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = "import gridops, gridops_cli; print(gridops.__file__); print(gridops_cli.__file__)"
    done = subprocess.run(
        [str(installed.parent / "python"), "-c", code],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
    )
    assert [Path(line).is_relative_to(installed.parents[1]) for line in done.stdout.split()] == [True, True]


def test_the_venue_finds_its_data_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [str(installed), "venue", "--market", "synthetic:1"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        about = json.loads(process.stdout.readline())
        assert {"rest", "ws", "ws_api", "oracle", "control", "api_key", "api_secret"} <= about.keys()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_lost_data_is_one_error_line(installed: Path, tmp_path: Path) -> None:
    (data,) = (installed.parents[1] / "lib").glob("python3*/site-packages/gridops/_data")
    away = data.with_name("_data_away")
    shutil.move(data, away)
    try:
        done = gridops(installed, tmp_path, "venue", "--market", "synthetic:1")
    finally:
        shutil.move(away, data)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and "Traceback" not in done.stderr, done.stderr


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_it_trades_from_a_wheel_with_dependencies_of_its_own(wheel: Path, tmp_path: Path) -> None:
    python = new_environment(tmp_path / "venv")
    pip(python, "-c", str(ROOT / "constraints.txt"), str(wheel))
    folder = tmp_path / "empty"
    folder.mkdir()
    done = subprocess.run(
        [str(python.parent / "gridops"), "run", "--headless", "--duration", "60s"],
        cwd=folder,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "net of fees" in done.stdout
    bundle = next(word for word in done.stdout.split() if word.startswith("evidence_dir=")).partition("=")[2]
    assert (
        subprocess.run(["sha256sum", "-c", "--quiet", "sha256sums.txt"], cwd=folder / bundle, check=False).returncode
        == 0
    )


def test_an_installation_checks_itself_and_its_claims(installed: Path, tmp_path: Path) -> None:
    """After a deploy: a line an item, and every kind of evidence with the bundle it last left."""
    sanity = gridops(installed, tmp_path, "triage", "--sanity")
    assert sanity.returncode == 0, sanity.stdout
    lines = [line for line in sanity.stdout.splitlines() if not line.startswith("EVIDENCE_REF")]
    assert len(lines) >= 10 and [line for line in lines if not line.startswith("PASS ")] == []
    gridops(installed, tmp_path, "fsm", "pause", "--reason", "nobody there")
    claims = gridops(installed, tmp_path, "triage", "--claims")
    assert claims.returncode == 0, claims.stdout
    shown = claims.stdout.splitlines()
    told = {mode: [line for line in shown if f"  evidence {mode.value} " in line] for mode in EvidenceMode}
    assert [mode for mode, found in told.items() if len(found) != 1] == []
    for mode in (EvidenceMode.TRIAGE, EvidenceMode.FSM):
        assert f"evidence/{mode.value}/" in told[mode][0], "the kind of bundle it left"
    unproven = [line for line in claims.stdout.splitlines() if line.startswith("UNPROVEN") and "gate " not in line]
    assert unproven == [] and "FAIL" not in claims.stdout
