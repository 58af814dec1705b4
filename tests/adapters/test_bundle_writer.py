"""A bundle ordered by the engine holds exactly the rows it speaks of, passes sha256sum, and its loss is an input."""

import json
import subprocess
import threading
from pathlib import Path

from gridops.adapters.bundle_writer import BundleSink
from gridops.adapters.evidence_files import EvidenceWriter
from gridops.adapters.evidence_list import list_bundles
from gridops.domain.effects import WriteBundle
from gridops.domain.events import SinkReport, Woke
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus, bundle_name
from gridops.runtime import codec
from tests.adapters.record_kit import WALL_MS, header, note, transition

RUN8 = "0123abcd"
CONTEXT = {"build": "0.1.0", "config_hash": "ff"}


def rows(first: int, last: int) -> list[bytes]:
    """One row per number; every tenth carries a transition."""
    return [
        codec.encode_row(header(seq), Woke(), [transition()] if seq % 10 == 0 else [note("tick", f"n{seq}")], [])
        for seq in range(first, last + 1)
    ]


def order(seq: int, *, mode: EvidenceMode = EvidenceMode.TRANSITION, at: int = 0, name: str = "") -> WriteBundle:
    return WriteBundle(
        mode=mode.value,
        status="finding",
        reason="feed_stale",
        name=name or bundle_name(mode, at_ms=WALL_MS, run8=RUN8, seq=seq * 10 + at),
        at_ms=WALL_MS,
        seq=seq,
        title="ACTIVE -> DEGRADED: feed_stale",
        facts=(("from_state", "ACTIVE"), ("to_state", "DEGRADED")),
        from_seq=max(0, seq - 20),
    )


class Heard:
    """Every callback of a BundleSink, from whatever thread."""

    def __init__(self) -> None:
        self.reports: list[SinkReport] = []
        self.counted: list[str] = []
        self.arrived = threading.Semaphore(0)

    def report(self, report: SinkReport) -> None:
        self.reports.append(report)
        self.arrived.release()

    def evidence_written(self, mode: EvidenceMode, status: EvidenceStatus) -> None:
        self.counted.append(f"{mode} {status}")

    def evidence_failed(self) -> None:
        self.counted.append("failed")


def sink_at(root: Path, heard: Heard) -> BundleSink:
    writer = EvidenceWriter(root, run8=RUN8)
    return BundleSink(writer, context=CONTEXT, report=heard.report, counted=heard)


def jsonl(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_bundle_lies_where_the_record_says_and_holds_its_rows(tmp_path: Path) -> None:
    heard = Heard()
    sink = sink_at(tmp_path, heard)
    wanted = order(50)
    # The ring reaches further back than asked, and the loop may have gone on.
    sink.write(wanted, rows(1, 55))
    assert sink.close()
    folder = tmp_path / wanted.name
    assert [row["seq"] for row in jsonl(folder / "inputs.jsonl")] == list(range(30, 51))
    assert [row["seq"] for row in jsonl(folder / "records.jsonl")] == list(range(30, 51))
    moved = [row for row in jsonl(folder / "records.jsonl") if row["kind"] == "Transition"]
    assert [row["seq"] for row in moved] == [30, 40, 50]
    data = moved[0]["data"]
    assert isinstance(data, dict) and (data["to_state"], data["reason"]) == ("DEGRADED", "feed_stale")
    assert jsonl(folder / "inputs.jsonl")[0] == {"seq": 30, "at_ms": WALL_MS + 30, "kind": "Woke", "data": {}}
    assert subprocess.run(["sha256sum", "-c", "--quiet", "sha256sums.txt"], cwd=folder, check=False).returncode == 0
    context = json.loads((folder / "context.json").read_text())
    assert context["build"] == "0.1.0"
    assert json.loads((folder / "summary.json").read_text())["facts"]["to_state"] == "DEGRADED"
    assert heard.counted == ["transition finding"] and heard.reports == []
    assert [entry.ref.evidence_dir for entry in list_bundles(tmp_path, run8=RUN8)] == [str(folder)]
    assert list_bundles(tmp_path, run8="another1") == []


def test_summary_is_for_a_person(tmp_path: Path) -> None:
    sink = sink_at(tmp_path, Heard())
    sink.write(order(50), rows(30, 50))
    sink.close()
    text = (tmp_path / order(50).name / "summary.txt").read_text()
    assert text.startswith("ACTIVE -> DEGRADED: feed_stale\n")
    for expected in ("from_state: ACTIVE", "50  ACTIVE -> DEGRADED by TRUST_LOST", "next", "gridops fsm show"):
        assert expected in text


def test_two_bundles_of_one_input_are_two(tmp_path: Path) -> None:
    sink = sink_at(tmp_path, Heard())
    sink.write(order(7, at=0), rows(1, 7))
    sink.write(order(7, at=1), rows(1, 7))
    sink.close()
    assert len(list_bundles(tmp_path)) == 2


def test_an_unwritable_root_is_reported_once_and_its_recovery_too(tmp_path: Path) -> None:
    root = tmp_path / "evidence"
    root.write_text("a file stands here")
    heard = Heard()
    sink = sink_at(root, heard)
    sink.write(order(10), rows(1, 10))
    assert heard.arrived.acquire(timeout=5)
    sink.write(order(11), rows(1, 11))
    while heard.counted.count("failed") < 2:
        threading.Event().wait(0.01)
    root.unlink()
    sink.write(order(12), rows(1, 12))
    sink.close()
    assert [(report.sink, report.ok) for report in heard.reports] == [("evidence", False), ("evidence", True)]
    assert heard.counted == ["failed", "failed", "transition finding"]


def test_an_order_that_cannot_be_built_is_a_failure_and_raises_nothing(tmp_path: Path) -> None:
    heard = Heard()
    sink = sink_at(tmp_path, heard)
    sink.write(order(10, name="transition/20240718T235959.877Z-another0-100"), rows(1, 10))
    sink.write(order(11), [b"not a row"])
    sink.close()
    assert heard.counted == ["failed", "failed"]
    assert [report.ok for report in heard.reports] == [False]
    assert not (tmp_path / "transition").exists()
