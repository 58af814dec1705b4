"""The journal keeps what its tokens promised: order, projections, runs, failures of the disk, recovery."""

import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gridops.adapters import journal_queue
from gridops.adapters.journal_reader import JournalReader
from gridops.adapters.journal_sqlite import SqliteJournal
from gridops.errors import JournalError
from gridops.runtime.ports_journal import InputRow, Journal, JournalRow, Token
from tests.adapters.journal_rows import T0_MS, fill, opened, order, snapshot, step


def settled(token: Token, timeout_s: float = 5.0) -> Token:
    deadline = time.monotonic() + timeout_s
    while not token.done():
        assert time.monotonic() < deadline, "the writer never answered"
        time.sleep(0.001)
    return token


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """The kernel refuses to let any file of this process grow past the journal's present size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = path.with_name(path.name + "-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 5_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_is_a_journal(tmp_path: Path) -> None:
    """The class fits the port the runtime codes against."""
    journal: Journal = opened(tmp_path / "j.db")
    journal.close()


def test_recovery_starts_after_the_last_checkpoint(tmp_path: Path) -> None:
    """A reopened journal gives the newest checkpoint and exactly the rows behind it."""
    journal = opened(tmp_path / "j.db")
    for seq in range(1, 8):
        journal.append(step(seq))
        if seq in (3, 5):
            journal.checkpoint(snapshot(seq))
    journal.close()
    again = opened(tmp_path / "j.db")
    assert again.tail().checkpoint == snapshot(5)
    assert again.tail().rows == [InputRow(s, T0_MS + s, "market", b"body-%d" % s) for s in (6, 7)]
    assert again.tail().torn == 0
    again.append(step(8))
    again.close()
    assert opened_and_verified(tmp_path / "j.db") == 8


def opened_and_verified(path: Path) -> int:
    with JournalReader(path) as reader:
        return reader.verify_all().rows


def test_rows_out_of_order_are_a_bug(tmp_path: Path) -> None:
    """A sequence number never repeats or falls, over a restart too, and a checkpoint names the last row."""
    journal = opened(tmp_path / "j.db")
    journal.append(step(4))
    with pytest.raises(ValueError):
        journal.append(step(4))
    with pytest.raises(ValueError):
        journal.checkpoint(snapshot(3))
    journal.close()
    again = opened(tmp_path / "j.db")
    with pytest.raises(ValueError):
        again.append(step(3))
    again.close()


def test_projections_hold_the_last_form(tmp_path: Path) -> None:
    """An order is kept in its newest form whether it changed within a batch or later; a fill is kept once."""
    journal = opened(tmp_path / "j.db")
    journal.append(JournalRow(1, T0_MS, "reply", b"1", True, (order("g-1", "PENDING", 1), order("g-2", "PENDING", 1))))
    journal.append(JournalRow(2, T0_MS, "user", b"2", False, (order("g-1", "OPEN", 2),), (fill(900, 2),)))
    journal.flush(5)
    again = (fill(900, 3), fill(901, 3))
    journal.append(JournalRow(3, T0_MS, "user", b"3", False, (order("g-1", "FILLED", 3, filled_lots=7),), again))
    journal.close()
    with JournalReader(tmp_path / "j.db") as reader:
        assert reader.orders() == [order("g-1", "FILLED", 3, filled_lots=7), order("g-2", "PENDING", 1)]
        assert reader.orders("PENDING") == [order("g-2", "PENDING", 1)]
        assert reader.fills() == [fill(900, 2), fill(901, 3)]
        assert reader.fills()[0].maker is True


def test_wide_steps_are_kept_whole(tmp_path: Path) -> None:
    """Every order of a step is stored, whatever the number, and the step is one row."""
    wide = tuple(order(f"g-{n:04d}", "PENDING", 1) for n in range(151))
    journal = opened(tmp_path / "j.db")
    journal.append(JournalRow(1, T0_MS, "timer", b"wide", True, wide))
    journal.close()
    with JournalReader(tmp_path / "j.db") as reader:
        assert reader.orders() == list(wide)
        assert reader.count() == 1


def test_group_commit_loses_nothing(tmp_path: Path) -> None:
    """Rows appended faster than the disk share commits, and every token is handed to the listener once."""
    seen: list[int] = []
    threads: set[int] = set()
    journal = opened(tmp_path / "j.db")

    def note(token: Token) -> None:
        seen.append(token.seq)
        threads.add(threading.get_ident())

    journal.on_commit(note)
    started = time.perf_counter()
    tokens = [journal.append(step(seq, durable=seq % 3 == 0)) for seq in range(1, 3001)]
    assert time.perf_counter() - started < 2.0
    assert journal.flush(30)
    assert all(token.done() and token.error is None for token in tokens)
    journal.close()
    assert [seq for seq in seen if seq] == list(range(1, 3001))
    assert threads and threading.get_ident() not in threads


def test_a_listener_that_fails_does_not_stop_the_writing(tmp_path: Path) -> None:
    """The callback of a loop that is gone is passed over."""
    journal = opened(tmp_path / "j.db")

    def closed_loop(token: Token) -> None:
        raise RuntimeError("Event loop is closed")

    journal.on_commit(closed_loop)
    assert settled(journal.append(step(1))).error is None
    assert settled(journal.append(step(2))).error is None
    journal.close()


def test_a_full_disk_fails_tokens_and_loses_no_row(tmp_path: Path) -> None:
    """While the disk refuses, append answers by token; when it takes rows again, all arrive in order."""
    path = tmp_path / "j.db"
    journal = opened(path)
    assert settled(journal.append(step(1))).error is None
    with full_disk(path):
        failed = [settled(journal.append(step(seq, body=bytes(9_000)))) for seq in (2, 3)]
        assert all(token.error is not None for token in failed)
        assert journal.failures >= 1
        assert not journal.flush(0.2)
    assert settled(journal.append(step(4))).error is None
    assert failed[0].error is not None
    journal.close()
    with JournalReader(path) as reader:
        assert [row.seq for row in reader.rows(0, 99)] == [1, 2, 3, 4]
        assert reader.verify_all().rows == 4


def test_a_run_that_cannot_be_recorded_is_not_half_recorded(tmp_path: Path) -> None:
    """begin_run on a full disk raises, and can be asked again later."""
    path = tmp_path / "j.db"
    journal = opened(path)
    settled(journal.append(step(1)))
    with full_disk(path):
        with pytest.raises(JournalError, match="recording run r-1"):
            journal.begin_run("r-1" + "x" * 9_000, 17, "b1")
    assert journal.begin_run("r-1", 17, "b1") == 1
    journal.close()


def test_the_queue_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes nothing ends in a refusal, not in memory without end."""
    monkeypatch.setattr(journal_queue, "MOST_QUEUED", 50)
    path = tmp_path / "j.db"
    journal = opened(path)
    settled(journal.append(step(1)))
    with full_disk(path):
        for seq in range(2, 52):
            journal.append(step(seq, body=bytes(9_000)))
        with pytest.raises(JournalError, match="50 rows wait"):
            journal.append(step(52))
    assert journal.flush(10)
    # Nothing may stand behind the row that was refused: a replay would miss what it held.
    with pytest.raises(JournalError, match="ends with row 51"):
        journal.append(step(53))
    with pytest.raises(JournalError, match="ends with row 51"):
        journal.checkpoint(snapshot(53))
    journal.close()
    assert opened_and_verified(path) == 51


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_died_is_a_failure_at_the_next_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = opened(tmp_path / "j.db")
    settled(journal.append(step(1)))

    def dies(*_: object, **__: object) -> None:
        raise SystemExit

    monkeypatch.setattr(journal._queue._batches, "write", dies)
    journal.append(step(2))
    journal._queue._thread.join(5)
    with pytest.raises(JournalError, match="nothing writes"):
        journal.append(step(3))
    journal._queue._closing = True
    journal.close()


def test_runs_are_numbered_and_remembered(tmp_path: Path) -> None:
    """A run that ended says how; a killed one says nothing; numbers never repeat."""
    path = tmp_path / "j.db"
    first = opened(path)
    assert first.begin_run("r-1", 17, "build-a") == 1
    first.end_run("stopped")
    first.end_run("again")
    first.close()
    second = opened(path)
    assert second.next_run_number() == 2
    assert second.begin_run("r-2", 18, "build-b") == 2
    second.close()
    with JournalReader(path) as reader:
        runs = reader.runs()
        assert [(run.number, run.run_id, run.epoch, run.outcome) for run in runs] == [
            (1, "r-1", 17, "stopped"),
            (2, "r-2", 18, None),
        ]
        meta = reader.meta()
        assert (meta.account, meta.instance, meta.next_run, meta.build) == ("paper", "0badcafe", 3, "build-b")


def test_another_account_is_refused(tmp_path: Path) -> None:
    """A journal is of one account for ever."""
    opened(tmp_path / "j.db").close()
    with pytest.raises(JournalError, match="belongs to account 'paper', not 'other'"):
        opened(tmp_path / "j.db", account="other")


def test_closed_is_closed(tmp_path: Path) -> None:
    """Closing twice is fine, appending afterwards is refused, and the file is private."""
    journal: SqliteJournal = opened(tmp_path / "j.db")
    journal.append(step(1))
    journal.close()
    journal.close()
    assert journal.flush(1)
    with pytest.raises(JournalError, match="closed"):
        journal.append(step(2))
    assert (tmp_path / "j.db").stat().st_mode & 0o777 == 0o600
    assert journal.bytes_used() > 0


def test_the_log_is_folded_when_idle(tmp_path: Path) -> None:
    """After a burst the write-ahead log is moved into the database without being asked."""
    path = tmp_path / "j.db"
    journal = opened(path)
    for seq in range(1, 400):
        journal.append(step(seq, body=bytes(4_000)))
    journal.flush(10)
    deadline = time.monotonic() + 5
    while path.stat().st_size < 400 * 4_000:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    journal.close()
