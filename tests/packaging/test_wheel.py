"""A wheel built through the sdist is complete: it installs, starts and finds its data from an empty folder."""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATES = ("INIT", "READY", "ACTIVE", "THROTTLED", "PAUSED", "DEGRADED", "EMERGENCY", "STOPPING")

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(300)]


def build(source: Path, target: str, out: Path) -> Path:
    """Build one distribution with the backend the project names."""
    pytest.importorskip("hatchling", reason="hatchling comes with the test extra")
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (source,) = unpacked.iterdir()
    return build(source, "wheel", tmp_path_factory.mktemp("wheel"))


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the caller's but the path and what a start needs."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}


def new_environment(folder: Path) -> Path:
    """A fresh virtual environment's interpreter."""
    done = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this Python cannot make an environment with pip: {done.stdout.strip()[:80]}")
    return folder / "bin" / "python"


def pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel in a fresh environment; its dependencies are borrowed from the one that runs the tests.

    A plain path line makes their modules importable and takes no notice of the editable install beside them.
    """
    python = new_environment(tmp_path_factory.mktemp("fresh") / "venv")
    pip(python, "--no-deps", "--no-index", str(wheel))
    (site,) = (python.parent.parent / "lib").glob("python3*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python.parent / "gridops"


def gridops(command: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(command), *arguments],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


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
    assert {name for name in top if not name.endswith(".dist-info")} == {"gridops", "gridops_cli"}
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
