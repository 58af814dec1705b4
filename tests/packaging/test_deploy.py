"""The unit file and the container definition say what the engine really does. No engine for containers is needed."""

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
from gridops.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy" / "gridops.service"
CONTAINER = (ROOT / "deploy" / "Containerfile").read_text()
README = (ROOT / "deploy" / "README.md").read_text()

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(120)]


class Everything(ConfigParser):
    """Keys keep their case."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def unit() -> dict[str, str]:
    found = Everything(strict=False, interpolation=None)
    found.read(UNIT)
    return dict(found["Service"])


def test_the_unit_waits_for_our_word_and_restarts_a_hung_engine() -> None:
    said = unit()
    assert (said["Type"], said["NotifyAccess"], said["Restart"]) == ("notify", "main", "on-failure")
    assert int(said["WatchdogSec"]) >= 10
    assert said["ExecStart"].endswith("gridops run --headless")
    assert {int(each) for each in said["RestartPreventExitStatus"].split()} == {ExitCode.USAGE, ExitCode.REFUSED}
    # An orderly stop may take 30 s, and 60 s from EMERGENCY.
    assert int(said["TimeoutStopSec"]) > 60 and said["KillSignal"] == "SIGTERM"


def test_the_unit_gives_keys_as_credentials_and_takes_rights_away() -> None:
    text, said = UNIT.read_text(), unit()
    assert re.findall(r"^LoadCredentialEncrypted=(\w+)$", text, re.MULTILINE) == [
        "gridops_api_key",
        "gridops_api_secret",
    ]
    assert "GRIDOPS_API" not in text
    assert said["User"] != "root" and said["ProtectSystem"] == "strict" and said["NoNewPrivileges"] == "yes"
    assert said["LimitCORE"] == "0", "a core file would hold the keys"


def test_the_managers_own_check_passes(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("no systemd-analyze on this machine")
    text = (
        UNIT.read_text().replace("/opt/gridops/bin/gridops", "/bin/true").replace("Documentation=man:gridops(1)\n", "")
    )
    checked = tmp_path / "gridops.service"
    checked.write_text(text.replace("User=gridops", "User=root").replace("Group=gridops", "Group=root"))
    done = subprocess.run([tool, "verify", str(checked)], capture_output=True, text=True, timeout=60, check=False)
    about = [line for line in (done.stdout + done.stderr).splitlines() if "gridops.service" in line]
    assert about == []


def instructions() -> list[tuple[str, str]]:
    """Word and rest of each instruction, continued lines joined."""
    lines = re.sub(r"\\\n", " ", CONTAINER).splitlines()
    return [
        (word, rest.strip()) for line in lines if line and line[0] != "#" for word, _, rest in [line.partition(" ")]
    ]


def test_the_container_is_built_in_two_stages_and_runs_as_nobody_special() -> None:
    found = instructions()
    assert [word for word, _ in found].count("FROM") == 2
    last = found[max(at for at, (word, _) in enumerate(found) if word == "FROM") :]
    users = [rest for word, rest in last if word == "USER"]
    assert users and users[-1].isdecimal() and int(users[-1]) > 0
    assert all("pip" not in rest for word, rest in last if word == "RUN")
    assert dict(last)["ENTRYPOINT"] == '["gridops"]' and dict(last)["STOPSIGNAL"] == "SIGTERM"


def test_the_container_takes_pinned_versions_and_no_secret() -> None:
    (install,) = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]
    assert "-c constraints.txt" in install
    assert not [rest for word, rest in instructions() if word in ("ENV", "ARG") and re.search("KEY|SECRET", rest)]
    for source in (rest.split()[:-1] for word, rest in instructions() if word == "COPY" and "--from" not in rest):
        assert [name for name in source if not (ROOT / name).exists()] == []
    supported = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert set(re.findall(r"python:(3\.\d+)", CONTAINER)) <= set(supported)


def test_it_builds_where_an_engine_answers() -> None:
    tool = next((each for each in ("podman", "docker") if shutil.which(each)), None)
    if tool is None or subprocess.run([tool, "info"], capture_output=True, timeout=30, check=False).returncode:
        pytest.skip("no container engine answers on this machine")
    done = subprocess.run(
        [tool, "build", "-f", "deploy/Containerfile", "-t", "gridops-test", "."],
        cwd=ROOT, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    if done.returncode and re.search("pull|resolve|registry|network", done.stderr):
        pytest.skip("the base image is out of reach")
    assert done.returncode == 0, done.stderr[-2_000:]


def test_what_is_said_of_the_log_is_what_the_engine_sets() -> None:
    root = (ROOT / "gridops" / "bootstrap.py").read_text()
    size, backups = re.search(r"max_bytes=([\d_]+),\s+backups=(\d+)", root).groups()  # type: ignore[union-attr]
    most = int(size) * (int(backups) + 1) // 1_000_000
    assert f"at {int(size) // 1_000_000} MB" in README and f"most {most} MB" in README.replace("\n", " ")
