"""`venue` serves any client by its one JSON line, is listed and stopped by others, and leaves its account behind."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from gridops.adapters.home import Home
from gridops.domain.evidence_ref import EvidenceStatus, parse
from gridops.errors import ExitCode
from tests.commands.kit import Runner

pytestmark = pytest.mark.wire


def test_a_venue_by_hand_is_found_and_stopped(cli: Runner, home: Home, empty_folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "gridops_cli", "venue", "--market", "synthetic:7", "--idle-exit", "60s"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=empty_folder, env=dict(os.environ),
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = json.loads(process.stdout.readline())
        assert {"rest", "ws", "ws_api", "oracle", "control", "api_key", "api_secret"} <= said.keys()
        with urllib.request.urlopen(f"{said['rest']}/fapi/v1/time", timeout=10) as answer:
            assert json.load(answer)["serverTime"] > 0
        (seen,) = cli("venue", "list", "--json").document()["venues"]
        assert (seen["name"], seen["rest"], seen["pid"]) == ("by-hand", said["rest"], process.pid)
        assert said["api_secret"] not in cli("venue", "list").out
        asked = cli("venue", "probe", "--venue", "by-hand", "--with-order", "--json")
        verdicts = {each["name"]: each["verdict"] for each in asked.document()["findings"]}
        assert asked.code == 0 and verdicts["amend-same"] == "confirmed"
        assert said["api_secret"] not in asked.out + asked.err
        stopped = cli("venue", "stop", "by-hand")
        assert stopped.code == 0 and stopped.refs("out")[0].reason == "stopped"
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0 and out == b""
    (line,) = [each for each in err.decode().splitlines() if each.startswith("EVIDENCE_REF")]
    assert parse(line).status is EvidenceStatus.OK
    assert (home.root / "paper" / "by-hand").is_dir()
    assert cli("venue", "list", "--json").document()["venues"] == []


def test_a_probe_without_a_venue_lists_and_asks_nothing(cli: Runner, home: Home) -> None:
    found = cli("venue", "probe", "--json").document()["findings"]
    assert len(found) > 20
    assert {each["verdict"] for each in found} == {"unchecked"}
    refused = cli("venue", "probe", "--venue", "http://fapi.binance.com")
    assert refused.code == ExitCode.USAGE and "is refused" in refused.err


def test_stopping_what_does_not_run_names_the_home(cli: Runner, home: Home) -> None:
    ran = cli("venue", "stop", "by-hand")
    assert ran.code == ExitCode.USAGE and str(home.root) in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--speed", "nan"], "--speed 'nan' is not finite"), (["--port", "70000"], "outside 0 to 65535"),
     (["--clock", "sun"], "clock 'sun'"), (["--from", "noon"], "market time 'noon'"),
     (["--idle-exit", "-5s"], "no duration")],
)  # fmt: skip
def test_bad_words_are_refused_with_evidence(cli: Runner, words: list[str], said: str) -> None:
    ran = cli("venue", *words)
    assert ran.code == ExitCode.USAGE and said in ran.err
    assert ran.refs()[-1].status is EvidenceStatus.FAILED
