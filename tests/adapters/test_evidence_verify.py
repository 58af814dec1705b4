"""Verification names every kind of tampering, follows no link, and pruning leaves a root that verifies."""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from gridops.adapters import evidence_verify
from gridops.adapters.evidence_chain import INDEX
from gridops.adapters.evidence_files import Bundle, EvidenceWriter
from gridops.adapters.evidence_index import locked
from gridops.adapters.evidence_list import latest, list_bundles
from gridops.adapters.evidence_prune import prune
from gridops.adapters.evidence_verify import verify
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.errors import EvidenceError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five bundles of one mode, one of another."""
    folder = tmp_path / "evidence"
    for seq in range(6):
        write(folder, seq)
    return folder


def write(folder: Path, seq: int) -> None:
    EvidenceWriter(folder, run8="ab12cd34").write(
        Bundle(
            mode=EvidenceMode.RUN if seq < 5 else EvidenceMode.KILL,
            status=EvidenceStatus.OK,
            reason="market_ended",
            at_ms=1_721_347_199_877,
            seq=seq,
            summary_text="text",
            summary={},
            files={"records.jsonl": b"{}\n"},
            context={},
        )
    )


def first(root: Path) -> Path:
    return sorted((root / "run").iterdir())[0]


def resum(folder: Path, name: str) -> None:
    """What a forger does after changing a file."""
    sums = folder / "sha256sums.txt"
    lines = [each for each in sums.read_text().splitlines() if not each.endswith(f" {name}")]
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    sums.write_text("\n".join([*lines, f"{digest}  {name}"]) + "\n")


def change_file(root: Path) -> None:
    (first(root) / "records.jsonl").write_bytes(b"[]\n")


def change_file_and_sums(root: Path) -> None:
    change_file(root)
    resum(first(root), "records.jsonl")


def change_schema(root: Path) -> None:
    path = first(root) / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    resum(first(root), "summary.json")


def borrow_summary(root: Path) -> None:
    path = first(root) / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "name": "run/of-another"}))
    resum(first(root), "summary.json")


def remove_file(root: Path) -> None:
    (first(root) / "context.json").unlink()


def add_file(root: Path) -> None:
    (first(root) / "extra.txt").write_text("")


def link_file(root: Path) -> None:
    (first(root) / "records.jsonl").unlink()
    (first(root) / "records.jsonl").symlink_to("/etc/passwd")


def add_fifo(root: Path) -> None:
    os.mkfifo(first(root) / "pipe.txt")


def climb(root: Path) -> None:
    with (first(root) / "sha256sums.txt").open("a") as file:
        file.write("0" * 64 + "  ../../../../etc/passwd\n" + "0" * 64 + "  /etc/shadow\nnonsense\n")


def drop_sums(root: Path) -> None:
    (first(root) / "sha256sums.txt").unlink()


def remove_bundle(root: Path) -> None:
    first(root).rename(root.parent / "gone")


def link_bundle(root: Path) -> None:
    folder = first(root)
    folder.rename(root.parent / "gone")
    folder.symlink_to(root.parent / "gone")


def strange_name(root: Path) -> None:
    (root / "run" / "a\x1b[2J").mkdir()


def drop_index_line(root: Path) -> None:
    lines = (root / "index.jsonl").read_text().splitlines(keepends=True)
    (root / "index.jsonl").write_text("".join(lines[:1] + lines[2:]))


def swap_index_lines(root: Path) -> None:
    lines = (root / "index.jsonl").read_text().splitlines(keepends=True)
    (root / "index.jsonl").write_text("".join([lines[1], lines[0], *lines[2:]]))


def edit_last_index_line(root: Path) -> None:
    text = (root / "index.jsonl").read_text()
    at = text.rindex('"status":"ok"')
    (root / "index.jsonl").write_text(text[:at] + '"status":"no"' + text[at + 13 :])


def drop_index(root: Path) -> None:
    (root / "index.jsonl").unlink()


@pytest.mark.parametrize(
    ("tamper", "codes"),
    [
        (change_file, {"sum_mismatch"}),
        (change_file_and_sums, {"index_digest"}),
        (change_schema, {"schema", "index_digest"}),
        (borrow_summary, {"schema", "index_digest"}),
        (remove_file, {"missing_file"}),
        (add_file, {"unlisted_file"}),
        (link_file, {"symlink", "missing_file"}),
        (add_fifo, {"not_a_file"}),
        (climb, {"path_escape", "sums_malformed", "index_digest"}),
        (drop_sums, {"sums_missing", "index_digest"}),
        (remove_bundle, {"bundle_missing"}),
        (link_bundle, {"symlink", "bundle_missing"}),
        (strange_name, {"bad_name"}),
        (drop_index_line, {"chain_broken", "not_indexed"}),
        (swap_index_lines, {"chain_broken", "not_indexed"}),
        (edit_last_index_line, {"chain_broken", "not_indexed"}),
        (drop_index, {"not_indexed"}),
    ],
)
def test_each_tampering_has_its_finding(root: Path, tamper: Callable[[Path], None], codes: set[str]) -> None:
    assert verify(root).ok and verify(root).bundles == 6
    tamper(root)
    report = verify(root)
    assert {finding.code for finding in report.findings} == codes
    assert all(finding.path.isprintable() and finding.detail.isprintable() for finding in report.findings)


def test_one_bundle_is_checked_alone_and_against_its_root(root: Path, tmp_path: Path) -> None:
    assert verify(first(root)).ok
    change_file_and_sums(root)
    assert [finding.code for finding in verify(first(root)).findings] == ["index_digest"]
    copied = tmp_path / first(root).name
    first(root).rename(copied)
    assert verify(copied).ok


@pytest.mark.parametrize("alone", [False, True])
def test_a_bundle_on_its_way_into_the_index_is_no_finding(root: Path, alone: bool) -> None:
    """Between its rename and its line a running engine's writer holds the index; what died there stays a finding."""
    *lines, last = (root / INDEX).read_bytes().splitlines(keepends=True)
    (root / INDEX).write_bytes(b"".join(lines))
    newest = root / json.loads(last)["name"]
    visible = threading.Event()

    def publish() -> None:
        with locked(root):
            visible.set()
            time.sleep(0.2)
            with (root / INDEX).open("ab") as index:
                index.write(last)

    writer = threading.Thread(target=publish)
    assert [finding.code for finding in verify(newest if alone else root).findings] == ["not_indexed"]
    writer.start()
    assert visible.wait(5.0)
    assert verify(newest if alone else root).ok
    writer.join()


def test_a_root_that_is_written_to_is_sound_at_every_look(root: Path) -> None:
    enough = threading.Event()

    def keep_writing() -> None:
        for seq in count(6):
            if enough.is_set():
                return
            write(root, seq)

    writer = threading.Thread(target=keep_writing)
    writer.start()
    looks = [verify(root) for _ in range(20)]
    enough.set()
    writer.join()
    assert [each.findings for each in looks if not each.ok] == []
    assert verify(root).bundles > 6


def test_huge_files_are_not_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_verify, "MAX_FILE", 2)
    assert "oversized" in {finding.code for finding in verify(first(root)).findings}


def test_nothing_to_check_is_not_called_sound(tmp_path: Path) -> None:
    assert [finding.code for finding in verify(tmp_path).findings] == ["no_evidence"]
    assert [finding.code for finding in verify(tmp_path / "absent").findings] == ["absent"]


def test_pruning_keeps_the_newest_of_each_mode_and_a_sound_chain(root: Path) -> None:
    newest = latest(root, EvidenceMode.RUN)
    removed = prune(root, 2)
    assert [name.rpartition("-")[2] for name in removed] == ["2", "1", "0"]
    assert len(list_bundles(root)) == 3 and latest(root, EvidenceMode.RUN) == newest
    assert verify(root).ok, verify(root).findings
    assert prune(root, 2) == ()


def test_pruning_follows_no_link_and_keeps_at_least_one(root: Path, tmp_path: Path) -> None:
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    (treasure / "keep.txt").write_text("x")
    (root / "run" / "19700101T000000.000Z-ab12cd34-0").symlink_to(treasure)
    prune(root, 1)
    assert (treasure / "keep.txt").exists()
    with pytest.raises(EvidenceError):
        prune(root, 0)


def test_pruning_clears_what_dead_processes_left_half_written(root: Path) -> None:
    dead, mine = root / ".tmp" / f"{2**22 + 1}-0-x", root / ".tmp" / f"{os.getpid()}-0-x"
    dead.mkdir()
    mine.mkdir()
    prune(root, 5)
    assert not dead.exists() and mine.exists()


def test_a_damaged_bundle_is_listed_as_unreadable(root: Path) -> None:
    (first(root) / "summary.json").write_text("{")
    entry = list_bundles(root)[-1]
    assert (entry.ref.status, entry.ref.reason, entry.ref.digest) == (EvidenceStatus.FAILED, "unreadable", None)
