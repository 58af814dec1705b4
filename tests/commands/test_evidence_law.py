"""Every command ends with an evidence line of the one grammar: on success, on failure, on a bug, on a full disk."""

import subprocess
from pathlib import Path

import pytest
from gridops.adapters.home import Home
from gridops.domain.evidence_ref import EvidenceStatus
from gridops.errors import ExitCode
from gridops.usecases import evidence_read, fsm_show
from tests.commands.kit import Runner, boot, write_journal
from tests.commands.test_help import EVERY

# What a command needs beside its name, so that it runs instead of being refused for its words.
WORDS = {
    ("roundtrip", "show"): ["0123abcd"],
    ("fsm", "pause"): ["--reason", "x"],
    ("fsm", "resume"): ["--reason", "x"],
    ("fsm", "ack"): ["--reason", "x"],
    ("fsm", "emergency"): ["--reason", "x"],
    ("kill",): ["--reason", "x"],
    ("evidence", "prune"): ["--keep", "3"],
    ("run",): ["--venue", "ftp://nowhere"],
    ("venue",): ["--market", "nonsense:1"],
    ("init",): ["--venue", "nowhere"],
}
VIEWS = [
    ["fsm", "show"],
    ["fsm", "show", "--table"],
    ["replay"],
    ["config", "show"],
    ["config", "check"],
    ["config", "diff"],
    ["evidence", "list"],
    ["evidence", "verify"],
    ["venue", "list"],
    ["roundtrip", "list"],
    ["roundtrip", "report"],
]
GROUPS = {("fsm",), ("evidence",), ("config",), ("roundtrip",), ("drill",)}
COMMANDS = [path for path in EVERY if path not in GROUPS]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_prints_its_evidence(path: tuple[str, ...], cli: Runner) -> None:
    ran = cli(*path, *WORDS.get(path, []))
    assert ran.refs(), ran
    assert ran.code in set(ExitCode) - {ExitCode.BUG}
    if ran.code not in (0, 1):
        assert ran.refs()[-1].status is EvidenceStatus.FAILED
        assert Path(str(ran.refs()[-1].evidence_dir)).is_dir()


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_refused_words_leave_evidence_too(path: tuple[str, ...], cli: Runner) -> None:
    ran = cli(*path, "--no-such-option")
    assert ran.code == ExitCode.USAGE
    (ref,) = ran.refs("out")
    assert ref.status is EvidenceStatus.FAILED and ref.reason == "usage"
    assert ran.err.startswith("error: ") and "hint: see `gridops" in ran.err


def test_with_json_the_line_goes_to_stderr_and_the_fields_into_the_document(cli: Runner, home: Home) -> None:
    write_journal(home, [boot()])
    for words in VIEWS:
        ran = cli(*words, "--json")
        assert ran.refs("out") == []
        (ref,) = ran.refs("err")
        assert ran.document()["evidence"] == ref.fields()
        assert ran.document()["schema"].startswith(f"gridops.{words[0]}") and ran.document()["schema"].endswith("/1")


def test_a_failure_with_json_is_a_document(cli: Runner) -> None:
    ran = cli("fsm", "pause", "--json", "--reason", "x")
    document = ran.document()
    assert (document["schema"], document["exit_code"]) == ("gridops.error/1", ExitCode.REFUSED)
    assert document["evidence"] == ran.refs("err")[0].fields()


def test_viewing_writes_nothing(cli: Runner, home: Home, empty_folder: Path) -> None:
    write_journal(home, [boot()])
    for words in (["fsm", "show"], ["fsm", "show", "--table"], ["evidence", "list"], ["evidence", "verify"],
                  ["config", "show"], ["venue", "list"]):  # fmt: skip
        (ref,) = cli(*words).refs("out")
        assert ref.reason == "none_yet"
    assert not (empty_folder / "evidence").exists()


def test_a_bug_keeps_its_traceback_and_ends_with_70(cli: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "sk" + "x" * 20
    monkeypatch.setenv("GRIDOPS_API_SECRET", secret)

    def broken(*_: object) -> None:
        raise RuntimeError(f"odd thing with {secret}")

    monkeypatch.setattr(fsm_show, "execute", broken)
    ran = cli("fsm", "show")
    assert ran.code == ExitCode.BUG
    assert "Traceback (most recent call last)" in ran.err and "odd thing with ***" in ran.err
    assert secret not in ran.err + ran.out
    folder = Path(str(ran.refs("out")[0].evidence_dir))
    assert "odd thing with ***" in (folder / "traceback.txt").read_text()
    assert secret.encode() not in b"".join(path.read_bytes() for path in folder.iterdir())


def test_a_secret_on_the_command_line_is_not_repeated(cli: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "sk" + "x" * 20
    monkeypatch.setenv("GRIDOPS_API_SECRET", secret)
    ran = cli("fsm", "show", "--format", secret)
    assert ran.code == ExitCode.USAGE and "--format '***' is refused" in ran.err
    folder = Path(str(ran.refs("out")[0].evidence_dir))
    assert secret.encode() not in b"".join(path.read_bytes() for path in folder.iterdir())


def test_an_interrupt_ends_with_130(cli: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(evidence_read, "listing", interrupted)
    ran = cli("evidence", "list")
    assert ran.code == ExitCode.INTERRUPT
    assert ran.refs("out")[0].reason == "interrupted"


def test_without_a_disk_the_line_says_so(cli: Runner, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = cli("fsm", "pause", "--reason", "x", "--evidence-dir", str(tmp_path / "file" / "root"))
    (ref,) = ran.refs("out")
    assert (ref.reason, ref.evidence_dir) == ("evidence_unwritable", None)
    assert ran.code == ExitCode.REFUSED


def test_the_sums_check_with_the_systems_own_tool(cli: Runner) -> None:
    (ref,) = cli("bogus").refs("out")
    done = subprocess.run(["sha256sum", "-c", "sha256sums.txt"], cwd=str(ref.evidence_dir), capture_output=True)
    assert done.returncode == 0


def test_what_commands_wrote_verifies(cli: Runner) -> None:
    cli("bogus")
    cli("fsm", "pause", "--reason", "x")
    ran = cli("evidence", "verify")
    assert ran.code == 0 and "2 bundles" in ran.out
