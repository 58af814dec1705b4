"""Each command test runs in an empty folder, with a home and a state folder of its own."""

from pathlib import Path

import pytest
from gridops.adapters.home import Home
from tests.commands.kit import Runner


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("GRIDOPS_HOME", "GRIDOPS_EVIDENCE_DIR", "GRIDOPS_API_KEY", "GRIDOPS_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def home(empty_folder: Path) -> Home:
    return Home(empty_folder / ".gridops")


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(capsys)
