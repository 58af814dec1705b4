"""A start is refused on a build that is mixed, changed, incomplete, shadowed or of another version."""

import os
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from gridops import __version__
from gridops.adapters.installed_build import wrong_part

FILES = {"gridops/__init__.py": b"one\n", "gridops/decide/grid.py": b"two\n", "gridops_cli/app.py": b"three\n"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation as an installer leaves it, in front of every other one."""
    rows = []
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        digest = urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(content)}")
    about = tmp_path / f"gridops_cli-{__version__}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: gridops-cli\nVersion: {__version__}\n")
    (about / "RECORD").write_text("\n".join([*rows, f"{about.name}/RECORD,,"]) + "\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def test_an_installation_as_it_was_made_is_right(site: Path) -> None:
    assert wrong_part(site) == ""


def test_a_start_is_refused_with_what_is_wrong(tmp_path: Path) -> None:
    """The command itself: an installation of another version stands in front."""
    about = tmp_path / "gridops_cli-9.9.9.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gridops-cli\nVersion: 9.9.9\n")
    home = tmp_path / "home"
    ran = subprocess.run(
        [sys.executable, "-m", "gridops_cli", "run", "--headless", "--duration", "1s", "--home", str(home)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}, cwd=tmp_path,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 4, ran.stderr
    assert f"version 9.9.9 is installed, and version {__version__} runs" in ran.stderr
    assert "error: " in ran.stderr and "hint: " in ran.stderr and "Traceback" not in ran.stderr
    assert not home.exists()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda site: (site / "gridops/decide/grid.py").write_bytes(b"2\n"), "gridops/decide/grid.py is not the file"),
        (lambda site: (site / "gridops_cli/app.py").unlink(), "gridops_cli/app.py is missing"),
    ],
)
def test_a_file_of_another_build_is_named(site: Path, spoil: Callable[[Path], object], says: str) -> None:
    spoil(site)
    assert says in wrong_part(site)


def test_code_that_shadows_the_installed_build_is_named(site: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("tree")
    assert wrong_part(elsewhere) == f"{elsewhere} runs, and the installed build lies in {site}"


def test_another_version_than_the_installed_one_is_named(site: Path) -> None:
    assert wrong_part(site, version="9.9.9") == f"version {__version__} is installed, and version 9.9.9 runs"


def test_a_record_without_files_of_ours_is_compared_by_version_alone(site: Path) -> None:
    """As an editable install leaves it."""
    (site / f"gridops_cli-{__version__}.dist-info" / "RECORD").write_text("__editable__.pth,,\n")
    assert wrong_part(Path("/nowhere")) == ""
    assert wrong_part(Path("/nowhere"), version="9.9.9") != ""
