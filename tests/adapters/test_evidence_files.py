"""Bundles are whole or absent, check with sha256sum, stay in one chain over processes, and hold no secret."""

import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from gridops.adapters import evidence_files
from gridops.adapters.evidence_files import Bundle, EvidenceWriter
from gridops.adapters.evidence_list import latest, list_bundles
from gridops.adapters.evidence_queue import EvidenceQueue
from gridops.adapters.evidence_verify import verify
from gridops.adapters.redaction import Secrets
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.errors import EvidenceError

AT_MS = 1_721_347_199_877
CANARY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"


def bundle(seq: int = 0, **changes: object) -> Bundle:
    fields: dict[str, object] = {
        "mode": EvidenceMode.TRANSITION,
        "status": EvidenceStatus.FINDING,
        "reason": "feed_stale",
        "at_ms": AT_MS,
        "seq": seq,
        "summary_text": "ACTIVE -> DEGRADED, feed_stale",
        "summary": {"equity": Decimal("1000.10"), "hops": 1},
        "files": {"records.jsonl": b'{"seq":1}\n'},
        "context": {"build": "0.1.0"},
        **changes,
    }
    return Bundle(**fields)  # type: ignore[arg-type]


def writer(root: Path, run8: str = "ab12cd34", secrets: Secrets | None = None) -> EvidenceWriter:
    return EvidenceWriter(root, run8=run8, secrets=secrets)


def everything_under(root: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file())


def index_names(root: Path) -> list[str]:
    return [json.loads(text)["name"] for text in (root / "index.jsonl").read_text().splitlines()]


def test_bundle_holds_what_the_contract_names_and_sha256sum_passes(tmp_path: Path) -> None:
    ref = writer(tmp_path).write(bundle())
    folder = tmp_path / "transition" / "20240718T235959.877Z-ab12cd34-0"
    assert ref.evidence_dir == str(folder)
    assert {path.name for path in folder.iterdir()} == {
        "summary.txt", "summary.json", "context.json", "records.jsonl", "sha256sums.txt",
    }  # fmt: skip
    checked = subprocess.run(["sha256sum", "-c", "--strict", "sha256sums.txt"], cwd=folder, capture_output=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert ref.digest == hashlib.sha256((folder / "sha256sums.txt").read_bytes()).hexdigest()


def test_summary_says_the_same_as_the_reference(tmp_path: Path) -> None:
    ref = writer(tmp_path).write(bundle())
    said = json.loads((Path(str(ref.evidence_dir)) / "summary.json").read_text())
    assert (said["schema_version"], said["mode"], said["status"], said["reason"]) == (
        1, "transition", "finding", "feed_stale",
    )  # fmt: skip
    assert said["facts"] == {"equity": "1000.10", "hops": 1}
    assert said["at"] == "2024-07-18T23:59:59.877Z"


def test_name_is_known_before_the_bundle_is_written(tmp_path: Path) -> None:
    each = writer(tmp_path)
    known = each.folder(EvidenceMode.TRANSITION, AT_MS, 3)
    assert each.write(bundle(3)).evidence_dir == known


def test_the_same_bundle_twice_stays_one_and_another_of_its_name_is_refused(tmp_path: Path) -> None:
    each = writer(tmp_path)
    assert each.write(bundle()) == each.write(bundle())
    with pytest.raises(EvidenceError, match="exists"):
        each.write(bundle(summary_text="another story"))
    assert len(index_names(tmp_path)) == 1
    assert verify(tmp_path).ok


@pytest.mark.parametrize(
    "name",
    [
        "../x.jsonl",
        "/etc/x.jsonl",
        "a/b.jsonl",
        ".hidden.jsonl",
        "",
        "x",
        "x.gz",
        "summary.json",
        "a\nb.jsonl",
        "é.txt",
    ],
)
def test_a_file_name_that_is_a_path_or_not_text_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(EvidenceError):
        writer(tmp_path).write(bundle(files={name: b""}))
    assert not list(tmp_path.rglob("*.jsonl"))


def test_a_linked_mode_folder_is_not_written_through(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "transition").symlink_to(elsewhere)
    with pytest.raises(EvidenceError):
        writer(root).write(bundle())
    assert not list(elsewhere.iterdir())


def test_a_registered_secret_reaches_no_byte_on_disk(tmp_path: Path) -> None:
    secrets = Secrets()
    secrets.register(CANARY)
    odd = 'p"ass\\word/ü+ x'
    secrets.register(odd)
    leak = f"key={CANARY} other={odd}"
    each = writer(tmp_path, secrets=secrets)
    each.write(
        bundle(
            summary_text=leak,
            summary={CANARY: [leak]},
            context={"dump": {"headers": leak}},
            files={"inputs.jsonl": json.dumps({"q": leak}).encode() + b"\n", "raw.txt": leak.encode()},
        )
    )
    each.write(bundle(1, reason=f"bad-{CANARY}"[:64]))
    with pytest.raises(EvidenceError) as refused:
        each.write(bundle(2, reason=f"bad key {CANARY}"))
    seen = everything_under(tmp_path)
    assert CANARY.encode() not in seen and CANARY not in str(refused.value)
    assert odd.encode() not in seen and json.dumps(odd)[1:-1].encode() not in seen
    assert b"***" in seen and verify(tmp_path).ok


def test_text_from_the_venue_cannot_drive_a_terminal(tmp_path: Path) -> None:
    nasty = "a\x1b]52;c;x\x07\r\x9b2J\u202egnp\u2028z"
    ref = writer(tmp_path).write(bundle(summary_text=f"one\ntwo {nasty}", summary={"msg": nasty}))
    folder = Path(str(ref.evidence_dir))
    text = (folder / "summary.txt").read_text() + (folder / "summary.json").read_text()
    assert text.replace("\n", "").isprintable()
    assert json.loads((folder / "summary.json").read_text())["facts"]["msg"] == nasty


@pytest.mark.parametrize("moment", ["_write_synced", "_sync_folder", "_publish", "append", "clear_pending"])
def test_killed_at_any_moment_leaves_no_half_bundle_and_a_sound_index(tmp_path: Path, moment: str) -> None:
    """The process dies as the named function is entered for the second time; a later writer heals what is open."""
    run_in_child(lambda: write_then_die(tmp_path, moment))
    for name in [] if not (tmp_path / "index.jsonl").exists() else index_names(tmp_path):
        assert verify(tmp_path / name).ok
    writer(tmp_path, "ffffffff").write(bundle(9))
    report = verify(tmp_path)
    assert report.ok, report.findings
    assert report.bundles == len(set(index_names(tmp_path))) == len(index_names(tmp_path))


def write_then_die(root: Path, moment: str) -> None:
    from gridops.adapters.evidence_index import LockedIndex

    owner: object = LockedIndex if moment in ("append", "clear_pending") else evidence_files
    owner = EvidenceWriter if moment == "_publish" else owner
    real: Callable[..., object] = getattr(owner, moment)
    calls = [0]

    def deadly(*args: object) -> object:
        calls[0] += 1
        if calls[0] == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args)

    setattr(owner, moment, deadly)
    for seq in range(3):
        writer(root).write(bundle(seq))


def run_in_child(work: Callable[[], None]) -> None:
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL


def test_two_processes_share_one_chain(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    children = [fork.Process(target=write_many, args=(tmp_path, run8)) for run8 in ("aaaaaaaa", "bbbbbbbb", "cccccccc")]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    report = verify(tmp_path)
    assert report.ok, report.findings
    assert report.bundles == len(index_names(tmp_path)) == 45


def write_many(root: Path, run8: str) -> None:
    for seq in range(15):
        writer(root, run8).write(bundle(seq))


def test_a_torn_index_line_is_cut_and_said(tmp_path: Path) -> None:
    writer(tmp_path).write(bundle(0))
    with (tmp_path / "index.jsonl").open("ab") as file:
        file.write(b'{"half":')
    assert [finding.code for finding in verify(tmp_path).findings] == ["index_torn"]
    writer(tmp_path).write(bundle(1))
    assert verify(tmp_path).ok
    assert json.loads((tmp_path / "index.jsonl").read_text().splitlines()[1])["cut_bytes"] == 8


def test_listing_is_newest_first_by_time_then_sequence(tmp_path: Path) -> None:
    each = writer(tmp_path)
    assert latest(tmp_path, EvidenceMode.TRANSITION) is None
    for at_ms, seq in ((AT_MS, 2), (AT_MS, 10), (AT_MS - 86_400_000, 99)):
        each.write(bundle(seq, at_ms=at_ms))
    each.write(bundle(0, mode=EvidenceMode.RUN, at_ms=AT_MS + 1, reason="market_ended"))
    names = [entry.name.rpartition("-")[2] for entry in list_bundles(tmp_path)]
    assert names == ["0", "10", "2", "99"]
    found = latest(tmp_path, EvidenceMode.TRANSITION)
    assert found is not None and found == each.write(bundle(10))
    assert len(list_bundles(tmp_path, EvidenceMode.TRANSITION, limit=2)) == 2


def test_a_root_that_cannot_be_written_is_an_operators_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvidenceError, match="cannot write evidence"):
        writer(tmp_path / "file" / "root").write(bundle())


class SlowWriter(EvidenceWriter):
    """Stands still until told."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, run8="ab12cd34")
        self.go = threading.Event()

    def write(self, bundle: Bundle) -> EvidenceRef:
        assert self.go.wait(20)
        if bundle.seq == 2:
            raise OSError("no space left")
        return super().write(bundle)


def test_the_queue_never_waits_and_counts_what_is_lost(tmp_path: Path) -> None:
    slow = SlowWriter(tmp_path)
    lost: list[int] = []
    done: list[EvidenceRef] = []
    queue = EvidenceQueue(
        slow,
        limit=3,
        on_done=lambda _, ref: done.append(ref),
        on_failure=lambda bundle, _: lost.append(bundle.seq),
    )
    began = time.monotonic()
    taken = [queue.put(bundle(seq)) for seq in range(8)]
    assert time.monotonic() - began < 5 and not queue.close(0.01)
    slow.go.set()
    assert queue.close(20)
    assert taken.count(False) == len([seq for seq in lost if seq != 2]) >= 4 and 2 in lost
    assert queue.failures == len(lost) and queue.written == len(done) == taken.count(True) - 1
    assert not queue.put(bundle(99)) and 99 in lost
    assert verify(tmp_path).ok


def test_a_failing_callback_does_not_end_the_queue(tmp_path: Path) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("callback")

    queue = EvidenceQueue(writer(tmp_path), on_done=broken, on_failure=broken)
    assert queue.put(bundle(0)) and queue.put(bundle(1, reason="not a code")) and queue.put(bundle(2))
    assert queue.close(20)
    assert queue.written == 2 and queue.failures == 4
