"""Readers see a journal while its engine writes, after it was killed, and in a folder they cannot write."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from gridops.adapters.journal_reader import JournalReader
from gridops.errors import JournalError
from tests.adapters.journal_rows import opened, snapshot, step


def test_absent(tmp_path: Path) -> None:
    """No journal is an answer with the place that was looked at, and nothing is created."""
    with pytest.raises(JournalError, match=r"no journal at .*j\.db"):
        JournalReader(tmp_path / "j.db")
    assert list(tmp_path.iterdir()) == []


def test_empty(tmp_path: Path) -> None:
    """A journal without rows answers with nothing."""
    opened(tmp_path / "j.db").close()
    with JournalReader(tmp_path / "j.db") as reader:
        assert (reader.last_row(), reader.last_checkpoint(), reader.count()) == (None, None, 0)
        assert (reader.orders(), reader.fills(), reader.runs(), list(reader.rows(0, 99))) == ([], [], [], [])
        assert reader.verify_all().rows == 0


def test_reads_while_written(tmp_path: Path) -> None:
    """A reader beside a busy writer only ever sees a whole, growing, gapless prefix, and fails no commit."""
    path = tmp_path / "j.db"
    journal = opened(path)
    journal.flush(5)
    seen: list[int] = []
    stop = threading.Event()

    def read() -> None:
        with JournalReader(path) as reader:
            while not stop.is_set():
                seqs = [row.seq for row in reader.rows(0, 1 << 40)]
                assert seqs == list(range(1, len(seqs) + 1))
                seen.append(reader.count())

    reading = threading.Thread(target=read)
    reading.start()
    for seq in range(1, 1_500):
        journal.append(step(seq, durable=seq % 2 == 0))
        if seq % 250 == 0:
            time.sleep(0.02)
    assert journal.flush(20)
    stop.set()
    reading.join(10)
    assert seen and seen == sorted(seen)
    assert journal.failures == 0
    journal.close()


@pytest.mark.parametrize(
    ("change", "ask"),
    [
        ("UPDATE steps SET nth = 'x'", lambda reader: reader.count()),
        ("UPDATE steps SET body = 5", lambda reader: reader.last_row()),
        ("UPDATE steps SET body = 5", lambda reader: list(reader.rows(0, 9))),
        ("UPDATE steps SET kind = CAST(X'D5D5' AS TEXT)", lambda reader: reader.last_row()),
        ("UPDATE checkpoints SET state = 5", lambda reader: reader.last_checkpoint()),
    ],
)
def test_a_value_of_another_type_is_damage_that_is_told(
    tmp_path: Path, change: str, ask: Callable[[JournalReader], object]
) -> None:
    """A flipped bit may change what a column holds altogether, whatever the schema promises."""
    path = tmp_path / "j.db"
    journal = opened(path)
    journal.append(step(1))
    journal.checkpoint(snapshot(1))
    assert journal.flush(5)
    journal.close()
    apsw.Connection(str(path)).execute(change)
    with JournalReader(path) as reader, pytest.raises(JournalError, match="damaged"):
        ask(reader)


def test_reads_what_a_killed_writer_left(tmp_path: Path) -> None:
    """The log a dead engine left behind is read, without a writer and without being moved."""
    path = tmp_path / "j.db"
    script = """
        import os, sys
        from pathlib import Path
        from gridops.adapters.journal_sqlite import open_journal
        from gridops.runtime.ports_journal import JournalRow
        journal = open_journal(Path(sys.argv[1]), account="paper", clock_ms=lambda: 0)
        for seq in range(1, 51):
            journal.append(JournalRow(seq, seq, "market", b"x", True))
        assert journal.flush(20)
        os.kill(os.getpid(), 9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(path)], timeout=60)
    log = tmp_path / "j.db-wal"
    assert log.stat().st_size > 0
    with JournalReader(path) as reader:
        last = reader.last_row()
        assert last is not None
        assert (last.seq, reader.count()) == (50, 50)
    assert log.stat().st_size > 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_reads_in_a_folder_it_cannot_write(tmp_path: Path) -> None:
    """A journal copied into a read-only folder can be read."""
    folder = tmp_path / "copy"
    folder.mkdir()
    journal = opened(folder / "j.db")
    journal.append(step(1))
    journal.close()
    folder.chmod(0o500)
    try:
        with JournalReader(folder / "j.db") as reader:
            assert reader.count() == 1
    finally:
        folder.chmod(0o700)


def test_pages_and_bounds(tmp_path: Path) -> None:
    """Ranges are inclusive on both ends and cross page borders."""
    journal = opened(tmp_path / "j.db")
    for seq in range(1, 2_501):
        journal.append(step(seq, durable=False))
    journal.checkpoint(snapshot(2_500))
    journal.close()
    with JournalReader(tmp_path / "j.db") as reader:
        assert [row.seq for row in reader.rows(400, 2_100)] == list(range(400, 2_101))
        assert list(reader.rows(2_501, 9_999)) == []
        assert reader.checkpoint_at(2_499) is None
        assert reader.checkpoint_at(9_999) == reader.last_checkpoint() == snapshot(2_500)
        assert reader.checkpoints() == [(2_500, "s2500", "r2500")]
        assert reader.size_bytes() > 0


class Ticks:
    """Counts the steps of SQLite's machine; False lets it go on."""

    count = 0

    def __call__(self) -> bool:
        self.count += 1
        return False


def test_the_end_is_found_without_walking(tmp_path: Path) -> None:
    """Last row, last checkpoint and count cost the same few steps of SQLite's machine at any length."""
    path = tmp_path / "j.db"
    journal = opened(path)
    costs = []
    seq = 0
    for length in (50, 5_000):
        while seq < length:
            seq += 1
            journal.append(step(seq, durable=False))
        journal.checkpoint(snapshot(seq))
        journal.flush(20)
        with JournalReader(path) as reader:
            ticks = Ticks()
            reader._connection.set_progress_handler(ticks, 1)
            assert reader.last_row() and reader.last_checkpoint() and reader.count() == length
            costs.append(ticks.count)
    journal.close()
    assert costs[1] <= costs[0] + 5


def test_writes_nothing(tmp_path: Path) -> None:
    """The reader's connection cannot change the file."""
    opened(tmp_path / "j.db").close()
    with JournalReader(tmp_path / "j.db") as reader, pytest.raises(apsw.ReadOnlyError):
        reader._connection.execute("DELETE FROM meta")
