"""`triage` on a dead engine, none, a hung one, a damaged or locked journal: it names the first cause, quickly."""

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import apsw
import pytest
from gridops.adapters.home import Home
from gridops.adapters.journal_reader import JournalReader
from gridops.domain.events import Event, Woke
from gridops.domain.evidence_ref import EvidenceMode
from gridops.domain.vocabulary import Gate, OperatorCommand
from gridops.errors import ExitCode
from gridops.usecases import triage_slice, triage_wired
from gridops.usecases.snapshot import snapshot
from tests.commands.kit import START_MS, Runner, boot, said, write_journal
from tests.commands.test_fsm import HISTORY, serving

ROOT = Path(__file__).resolve().parents[2]
LONG: list[Event] = [boot(), said(OperatorCommand.PAUSE, "news"), *(Woke() for _ in range(40))]


def page(cli: Runner, *words: str) -> dict[str, Any]:
    return cli("triage", "--json", *words).document()


def test_nothing_ever_ran_here(cli: Runner, home: Home) -> None:
    ran = cli("triage")
    assert ran.code == ExitCode.FINDING
    assert ran.out.startswith("FIRST CAUSE  absent: ")
    assert str(home.root) in ran.out and "gridops run" in ran.out
    assert not home.root.exists()
    assert ran.refs("out")[0].mode is EvidenceMode.TRIAGE


def test_a_dead_engine_is_the_first_cause_and_its_last_word_is_told(cli: Runner, home: Home) -> None:
    engine = write_journal(home, HISTORY, checkpoint_after=4)
    shown = page(cli, "--since", "366d")
    assert (shown["process"], shown["stale"], shown["verdict"]) == ("dead", True, "finding")
    assert shown["first"]["reason"] == "dead"
    fsm = shown["fsm"]
    assert (fsm["state"], fsm["last_reason"]) == ("EMERGENCY", engine.state.fsm.last_reason)
    assert fsm["since"] > START_MS and fsm["evidence_ref"]
    ladder = {each["question"]: each for each in shown["ladder"]}
    assert ladder["emergency"]["answer"] == "finding", "a latch outlives the process"
    assert ladder["feeds"]["answer"] == "skipped"
    assert {each["mode"] for each in shown["newest"]} == set(EvidenceMode)
    assert shown["evidence"]["reason"] == "dead"


def test_a_live_engines_own_word_is_shown(cli: Runner, home: Home) -> None:
    engine = write_journal(home, HISTORY[:2])
    live = snapshot(engine.state)
    live["wall_ms"] = time.time_ns() // 1_000_000

    async def status(_: dict[str, Any]) -> dict[str, Any]:
        return {"accepted": True, "state": live["state"], "detail": "", "snapshot": live}

    with serving(home, status):
        shown = page(cli)
    assert (shown["process"], shown["stale"]) == ("live", False)
    assert shown["fsm"]["state"] == live["state"]
    assert shown["fsm"]["last_reason"] == (live["last"]["reason"] or "none")


def test_an_engine_that_answers_and_takes_no_input_does_not_step(cli: Runner, home: Home) -> None:
    engine = write_journal(home, HISTORY[:2])
    frozen = snapshot(engine.state)

    async def status(_: dict[str, Any]) -> dict[str, Any]:
        return {"accepted": True, "state": frozen["state"], "detail": "", "snapshot": frozen}

    with serving(home, status):
        assert page(cli)["first"]["reason"] == "not_stepping"


def test_a_damaged_journal_is_told_and_not_raised(cli: Runner, home: Home) -> None:
    home.ensure()
    home.journal("paper").write_bytes(b"no database at all, but some text that is long enough" * 30)
    ran = cli("triage", "--json")
    assert ran.code == ExitCode.FINDING
    ladder = {each["question"]: each for each in ran.document()["ladder"]}
    assert (ladder["journal"]["answer"], ladder["journal"]["reason"]) == ("finding", "unreadable")
    assert ladder["truth"]["answer"] != "ok"


def test_a_locked_journal_is_told_apart_from_a_damaged_one(cli: Runner, home: Home) -> None:
    write_journal(home, HISTORY)
    path = home.journal("paper")
    holder = apsw.Connection(str(path))
    try:
        holder.pragma("locking_mode", "exclusive")
        holder.execute("BEGIN EXCLUSIVE")
        shown = page(cli)
    finally:
        holder.close(True)
    ladder = {each["question"]: each for each in shown["ladder"]}
    assert ladder["journal"]["reason"] == "locked"


def test_a_refused_config_does_not_hide_the_rest(cli: Runner, home: Home, tmp_path: Path) -> None:
    write_journal(home, HISTORY)
    file = tmp_path / "gridops.toml"
    file.write_text("[grid]\nlevels = 0\n")
    ladder = {each["question"]: each for each in page(cli, "--config", str(file))["ladder"]}
    assert ladder["config"]["reason"] == "config_refused" and "grid.levels" in ladder["config"]["detail"]
    assert ladder["process"]["reason"] == "dead"


def test_a_bundle_whose_folder_is_gone_is_missed(cli: Runner, home: Home, empty_folder: Path) -> None:
    write_journal(home, HISTORY)
    first = cli("triage", "--json").document()["evidence"]["evidence_dir"]
    newest = {each["mode"]: each["verified"] for each in page(cli)["newest"]}
    assert newest["triage"] == "ok"
    shutil.rmtree(empty_folder / "evidence" / "triage")
    newest = {each["mode"]: each["verified"] for each in page(cli)["newest"]}
    assert newest["triage"].startswith("missing: ") and first


def test_an_incident_bundle_replays_elsewhere(
    cli: Runner, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = write_journal(home, LONG, checkpoint_after=9)
    ran = cli("triage", "--bundle", "--since", "366d", "--json")
    folder = Path(ran.document()["evidence"]["evidence_dir"])
    assert ran.document()["evidence"]["mode"] == "incident"
    checked = subprocess.run(["sha256sum", "-c", "sha256sums.txt"], cwd=folder, capture_output=True, check=False)
    assert checked.returncode == 0
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(folder, elsewhere / folder.name)
    monkeypatch.chdir(elsewhere)
    replayed = cli("replay", folder.name, "--json")
    assert replayed.code == 0, replayed.err
    assert replayed.document()["records_digest"] == engine.records_digest
    assert replayed.document()["checkpoints"] == 1


@pytest.mark.parametrize("name", [triage_slice.SLICE, triage_slice.ROWS])
def test_a_changed_byte_of_a_slice_is_found(cli: Runner, home: Home, name: str) -> None:
    write_journal(home, LONG, checkpoint_after=9)
    folder = Path(cli("triage", "--bundle", "--since", "366d", "--json").document()["evidence"]["evidence_dir"])
    path = folder / name
    spoilt = path.read_bytes().replace(b"news", b"nuws", 1) if name == triage_slice.ROWS else None
    body = path.read_bytes()
    path.write_bytes(spoilt if spoilt not in (None, body) else body.replace(b"1", b"2", 1))
    assert cli("evidence", "verify", str(folder)).code != 0
    assert cli("replay", str(folder)).code in (ExitCode.FINDING, ExitCode.EVIDENCE)


@pytest.mark.parametrize(
    "spoil",
    [b"", b"{}", b"null", b"[1]", b"\x00" * 80, b'{"version":1}', b"\xff\xfe"],
)
def test_a_strange_slice_is_refused_without_a_traceback(cli: Runner, tmp_path: Path, spoil: bytes) -> None:
    folder = tmp_path / "strange"
    folder.mkdir()
    for name in (triage_slice.SLICE, triage_slice.ROWS):
        (folder / name).write_bytes(spoil)
    ran = cli("replay", str(folder))
    assert ran.code == ExitCode.EVIDENCE and "Traceback" not in ran.err


@pytest.mark.parametrize("checkpoint_after", [0, 3, 30, 42])
def test_a_slice_begins_at_the_checkpoint_before_the_moment(home: Home, checkpoint_after: int) -> None:
    write_journal(home, LONG, checkpoint_after=checkpoint_after)
    with JournalReader(home.journal("paper")) as reader:
        files = triage_slice.cut(reader, START_MS + 35_000)
    told = json.loads(files[triage_slice.SLICE])
    kept = checkpoint_after if 0 < checkpoint_after <= 35 else 0
    assert told["from_seq"] == kept + 1
    assert told["to_seq"] == len(LONG)


def test_no_secret_of_the_environment_is_in_an_incident_bundle(
    cli: Runner, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "canary0123456789abcdefghij"
    monkeypatch.setenv("GRIDOPS_API_SECRET", canary)
    monkeypatch.setenv("MY_TOKEN", canary[::-1])
    home.ensure()
    (home.log_dir / "paper.jsonl").write_text(f'{{"text": "signed with {canary} and {canary[::-1]}"}}\n')
    write_journal(home, [boot(), said(OperatorCommand.PAUSE, f"see {canary}")])
    folder = Path(cli("triage", "--bundle", "--json").document()["evidence"]["evidence_dir"])
    for path in folder.iterdir():
        body = path.read_bytes()
        assert canary.encode() not in body and canary[::-1].encode() not in body, path.name


def test_sanity_and_claims_are_a_line_an_item(cli: Runner) -> None:
    sanity = cli("triage", "--sanity")
    assert sanity.code == 0, sanity.out
    lines = sanity.out.splitlines()[:-1]
    assert len(lines) >= 10 and all(line.startswith("PASS ") for line in lines)
    claims = cli("triage", "--claims")
    assert claims.code == 0, claims.out
    assert {line.split()[0] for line in claims.out.splitlines()[:-1]} <= {"PROVEN", "UNPROVEN", "SEEN", "NONE"}
    for mode in EvidenceMode:
        assert f"  evidence {mode.value} " in claims.out
    unproven = [line for line in claims.out.splitlines() if line.startswith("UNPROVEN") and "gate " not in line]
    assert unproven == []


def test_wired_names_tests_that_exist() -> None:
    """`wired: yes` only by a test; whoever renames one is told here."""
    from tests.sim.condition_scenes import SCENES, WIRE
    from tests.sim.test_gates import SCENES as ALONE

    nodes = [*triage_wired.GATES.values(), *(triage_wired.of_condition(each) for each in (*SCENES, *WIRE))]
    for node in nodes:
        path, _, name = node.partition("::")
        name, _, parameter = name.rstrip("]").partition("[")
        assert f"def {name}(" in (ROOT / path).read_text("utf-8"), node
        if parameter:
            assert parameter in {*map(str, SCENES), *map(str, ALONE)}, node
    assert {reason: triage_wired.of_condition(reason) for reason in WIRE} == dict(WIRE)
    assert triage_wired.of_gate(Gate.MODE) == "", "a gate that no test has shown is not wired"
    assert {gate for gate in Gate if not triage_wired.of_gate(gate)} == {Gate.MODE}
    assert triage_wired.behind(Gate.MODE), "an unwired gate says why"


def test_the_chain_shows_every_gate_of_an_increase(cli: Runner, home: Home) -> None:
    write_journal(home, HISTORY)
    for figures in page(cli)["figures"]:
        assert [each["gate"] for each in figures["gates"]] in ([], list(Gate))


def test_modes_exclude_each_other(cli: Runner) -> None:
    assert cli("triage", "--watch", "--bundle").code == ExitCode.USAGE


def test_a_journal_of_many_rows_is_answered_from_its_end(cli: Runner, home: Home) -> None:
    write_journal(home, [boot(), *(Woke() for _ in range(30))], checkpoint_after=25)
    path = home.journal("paper")
    with JournalReader(path) as reader:
        newest = reader.last_row()
        assert newest is not None
    assert page(cli)["figures_as_of_ms"] == newest.wall_ms


def test_hung_is_told(cli: Runner, home: Home) -> None:
    """A socket whose owner never answers."""
    import asyncio

    write_journal(home, HISTORY)

    async def silence(_: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(20)
        return {}

    with serving(home, silence):
        shown = page(cli)
    assert (shown["process"], shown["first"]["reason"]) == ("hung", "hung")
    assert "kill --direct" in shown["first"]["command"]


def test_a_venue_that_was_asked_and_not_heard_is_said(cli: Runner, empty_folder: Path) -> None:
    ran = cli("triage", "--venue")
    assert "venue    not heard: no paper venue" in ran.out and ran.code == ExitCode.FINDING
