"""The suite runner counts what ran, kills what overruns, and never calls a broken suite green."""

import importlib.util
import os
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(120)]

ROOT = Path(__file__).resolve().parents[2]

TESTS = """
import subprocess, sys, time
import pytest

@pytest.mark.good
def test_a(request):
    request.node.user_properties += [("fresh seeds", "light market 40 13"), ("fresh seeds", "a drill 7 1")]

@pytest.mark.good
@pytest.mark.parametrize("n", [1, 2])
def test_b(n): pytest.skip("no such thing here")

@pytest.mark.bad
def test_c(): assert False

@pytest.mark.bad
def test_d(no_fixture): pass

@pytest.mark.slow
def test_e():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open("child", "w") as file: file.write(str(child.pid))
    time.sleep(600)

@pytest.mark.rare
@pytest.mark.nightly
def test_f(): pass
"""


@pytest.fixture
def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("suites", ROOT / "scripts" / "suites.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "test_it.py").write_text(TESTS)
    marks = "\n  ".join(["good", "bad", "slow", "rare", "nightly"])
    (tmp_path / "pytest.ini").write_text(f"[pytest]\naddopts = -p no:cacheprovider\nmarkers =\n  {marks}\n")
    return tmp_path


def ran(runner: ModuleType, project: Path, capfd: pytest.CaptureFixture[str], *names: str) -> tuple[int, list[str]]:
    chosen = tuple(runner.Suite(name, name, 6 if name == "slow" else 60, grace_s=1) for name in names)
    code = runner.main([], root=project, suites=chosen)
    return code, capfd.readouterr().out.splitlines()


def test_counts_and_reasons_end_in_the_one_line(
    runner: ModuleType, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, lines = ran(runner, project, capfd, "good")
    assert (code, lines[-1]) == (0, "1 passed, 0 failed, 2 skipped")
    assert "skipped 2: no such thing here" in lines
    [seeds] = [line for line in lines if line.startswith("fresh seeds: 14, ")]
    assert seeds.endswith(" a minute: light market 40+13, a drill 7")


def test_failures_and_errors_both_fail(runner: ModuleType, project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, lines = ran(runner, project, capfd, "good", "bad")
    assert (code, lines[-1]) == (1, "1 passed, 2 failed, 2 skipped")


def test_an_empty_suite_is_said_and_passes(
    runner: ModuleType, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, lines = ran(runner, project, capfd, "rare")
    assert (code, lines[-1]) == (0, "0 passed, 0 failed, 0 skipped")
    assert [line for line in lines if line.endswith("(no tests)")]
    assert runner.main(["--nightly"], root=project, suites=(runner.Suite("rare", "rare", 60),)) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "1 passed, 0 failed, 0 skipped"


def test_an_overrun_fails_and_leaves_no_process(
    runner: ModuleType, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, lines = ran(runner, project, capfd, "slow")
    assert (code, lines[-1]) == (1, "0 passed, 1 failed, 0 skipped")
    assert [line for line in lines if "killed after 7 s" in line]
    child = int((project / "child").read_text())
    deadline = time.monotonic() + 5
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(child)


def test_a_suite_that_cannot_start_fails(runner: ModuleType, project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    code, lines = ran(runner, project, capfd, "good")
    assert (code, lines[-1]) == (1, "0 passed, 1 failed, 0 skipped")


def test_an_unknown_suite_is_refused(runner: ModuleType, project: Path) -> None:
    with pytest.raises(SystemExit):
        runner.main(["nonsense"], root=project)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie waits for init, and does nothing.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
