"""`doctor` answers each check by itself, whatever the others found, and never crashes."""

from pathlib import Path

import pytest
from gridops.adapters.home import Home
from gridops.errors import ExitCode
from tests.commands.kit import Runner, boot, write_journal


def checks(cli: Runner, *words: str) -> dict[str, tuple[str, str]]:
    found = cli("doctor", "--json", *words).document()
    return {each["name"]: (each["answer"], each["detail"]) for each in found["checks"]}


def test_an_empty_folder_is_ready_for_a_first_paper_run(cli: Runner, home: Home) -> None:
    ran = cli("doctor")
    assert ran.code == 0, ran.out
    seen = checks(cli)
    assert {seen[name][0] for name in ("config", "disk", "journal", "keys", "engine")} == {"ok"}
    assert seen["venue"][0] == "skipped", "no paper venue is started for a look"
    assert not home.root.exists()
    assert ran.refs("out")[0].reason == "none_yet"


def test_a_refused_config_leaves_the_rest(cli: Runner, tmp_path: Path) -> None:
    file = tmp_path / "gridops.toml"
    file.write_text("[grid]\nlevels = 0\n")
    seen = checks(cli, "--config", str(file))
    assert seen["config"][0] == "finding" and "grid.levels" in seen["config"][1]
    assert seen["disk"][0] == "ok" and seen["filters"][0] == "skipped"


def test_missing_keys_are_a_finding(cli: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDOPS_VENUE__URL", "http://127.0.0.1:9")
    ran = cli("doctor")
    assert ran.code == ExitCode.FINDING
    assert checks(cli)["keys"][0] == "finding"


def test_a_venue_that_is_not_there_is_no_crash_and_no_key_is_told(cli: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "canary-secret-0123456789"
    monkeypatch.setenv("GRIDOPS_API_KEY", "canary-key-0123456789")
    monkeypatch.setenv("GRIDOPS_API_SECRET", secret)
    monkeypatch.setenv("GRIDOPS_VENUE__URL", "http://127.0.0.1:9")
    ran = cli("doctor", "--bundle")
    assert ran.code == ExitCode.FINDING
    assert secret not in ran.out + ran.err and "Traceback" not in ran.err
    folder = Path(ran.refs("out")[0].evidence_dir or "")
    assert all(secret.encode() not in each.read_bytes() for each in folder.iterdir())
    assert len(cli("doctor", "--fingerprint").out.splitlines()[0]) == 64


def test_a_damaged_journal_is_a_finding(cli: Runner, home: Home) -> None:
    write_journal(home, [boot()])
    assert checks(cli)["journal"][0] == "ok"
    path = home.journal("paper")
    path.write_bytes(b"no database at all, but some text that is long enough" * 30)
    assert checks(cli)["journal"][0] == "finding"
