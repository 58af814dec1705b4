"""`evidence` lists newest first, shows by name or mode, finds what was changed, and prunes to what still verifies."""

from pathlib import Path

import pytest
from gridops.adapters.evidence_files import Bundle, EvidenceWriter
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.errors import ExitCode
from tests.commands.kit import START_MS, Runner


@pytest.fixture
def bundles(empty_folder: Path) -> list[EvidenceRef]:
    writer = EvidenceWriter(Path("evidence"), run8="run00001")
    modes = (EvidenceMode.RUN, EvidenceMode.TRANSITION, EvidenceMode.TRANSITION)
    return [
        writer.write(
            Bundle(mode=mode, status=EvidenceStatus.OK, reason="r", at_ms=START_MS + at, seq=at,
                   summary_text=f"story {at} \x1b[31m", summary={}, files={"records.jsonl": b"{}\n"}, context={})
        )
        for at, mode in enumerate(modes)
    ]  # fmt: skip


def test_the_newest_is_first_and_pointed_to(cli: Runner, bundles: list[EvidenceRef]) -> None:
    ran = cli("evidence", "list")
    shown = [line.split()[-1] for line in ran.out.splitlines()[1:-1]]
    assert shown == [str(Path(str(ref.evidence_dir)).relative_to("evidence")) for ref in reversed(bundles)]
    assert ran.refs("out") == [bundles[2]]
    assert cli("evidence", "list", "--mode", "run").refs("out") == [bundles[0]]
    assert len(cli("evidence", "list", "--limit", "1", "--json").document()["bundles"]) == 1
    assert cli("evidence", "list", "--mode", "nonsense").code == ExitCode.USAGE


def test_a_bundle_is_shown_by_mode_name_or_folder(cli: Runner, bundles: list[EvidenceRef]) -> None:
    folder = str(bundles[0].evidence_dir)
    for named in ("run", folder, folder.removeprefix("evidence/")):
        ran = cli("evidence", "show", named)
        assert "story 0" in ran.out and "\x1b" not in ran.out and "records.jsonl" in ran.out
        assert ran.refs("out") == [bundles[0]]
    assert cli("evidence", "show").refs("out") == [bundles[2]]
    assert cli("evidence", "show", "kill").code == ExitCode.EVIDENCE
    assert cli("evidence", "show", "../../etc").code == ExitCode.EVIDENCE


def test_a_changed_byte_is_found(cli: Runner, bundles: list[EvidenceRef]) -> None:
    assert cli("evidence", "verify").code == 0
    (Path(str(bundles[1].evidence_dir)) / "records.jsonl").write_bytes(b"{ }\n")
    ran = cli("evidence", "verify")
    assert ran.code == ExitCode.FINDING and "sum_mismatch" in ran.out
    assert ran.refs("out")[0].status is EvidenceStatus.FINDING
    assert cli("evidence", "verify", str(bundles[1].evidence_dir)).code == ExitCode.FINDING
    assert cli("evidence", "verify", str(bundles[0].evidence_dir)).refs("out") == [bundles[0]]


def test_a_folder_that_is_not_there_is_a_finding(cli: Runner) -> None:
    assert cli("evidence", "verify", "nowhere").code == ExitCode.FINDING


def test_pruning_keeps_the_newest_and_the_chain(cli: Runner, bundles: list[EvidenceRef]) -> None:
    ran = cli("evidence", "prune", "--keep", "1")
    assert ran.code == 0 and "1 bundles removed" in ran.out
    assert not Path(str(bundles[1].evidence_dir)).exists() and Path(str(bundles[2].evidence_dir)).exists()
    assert cli("evidence", "verify").code == 0
    assert cli("evidence", "prune", "--keep", "0").code == ExitCode.USAGE
