"""The journal is followed as it grows, found again when it was set aside, and its absence is an answer."""

import os
from pathlib import Path

import pytest
from gridops.adapters.journal_sqlite import SqliteJournal, open_journal
from gridops.runtime.ports_journal import CheckpointRow, JournalRow
from gridops.tui import feed as feeding
from gridops.tui.feed import Batch, JournalFeed, LogTail
from tests.tui.kit import checkpoint, quoting, rows

WALL_MS = 1_700_000_000_000


def opened(path: Path) -> SqliteJournal:
    journal = open_journal(path, account="paper", clock_ms=lambda: WALL_MS)
    journal.begin_run("run1", 1, "test")
    return journal


def write(journal: SqliteJournal, first: int, last: int) -> None:
    for seq in range(first, last + 1):
        journal.append(JournalRow(seq, WALL_MS + seq, "Woke", b"[]", False))
    journal.flush(5.0)


def numbers(batch: Batch) -> list[int]:
    return [row.seq for row in batch.rows]


def drained(feed: JournalFeed) -> list[Batch]:
    batches = [feed.poll()]
    while batches[-1].more:
        batches.append(feed.poll())
    return batches


def test_rows_come_once_and_in_order_as_they_are_written(tmp_path: Path) -> None:
    journal = opened(tmp_path / "j.db")
    write(journal, 1, 700)
    feed = JournalFeed(tmp_path / "j.db")
    batches = drained(feed)
    assert batches[0].reset and batches[0].base is None
    assert [seq for batch in batches for seq in numbers(batch)] == list(range(1, 701))
    assert max(len(batch.rows) for batch in batches) <= feeding.PAGE
    assert feed.poll() == Batch()
    write(journal, 701, 703)
    assert numbers(feed.poll()) == [701, 702, 703]
    journal.close()
    feed.close()


def test_a_long_journal_begins_at_a_checkpoint_a_little_back(tmp_path: Path) -> None:
    journal = opened(tmp_path / "j.db")
    for first in range(1, 3_001, 500):
        write(journal, first, first + 499)
        journal.checkpoint(CheckpointRow(first + 499, WALL_MS, b"state", "", ""))
    journal.flush(5.0)
    batches = drained(JournalFeed(tmp_path / "j.db"))
    assert batches[0].base is not None and batches[0].base.seq == 1_000
    assert [seq for batch in batches for seq in numbers(batch)] == list(range(1_001, 3_001))
    journal.close()


def test_a_newer_checkpoint_comes_with_the_rows_after_it(tmp_path: Path) -> None:
    journal = opened(tmp_path / "j.db")
    write(journal, 1, 10)
    feed = JournalFeed(tmp_path / "j.db")
    drained(feed)
    write(journal, 11, 500)
    journal.checkpoint(CheckpointRow(500, WALL_MS, b"state", "", ""))
    write(journal, 501, 510)
    drained(feed)
    write(journal, 511, 1_100)
    rebasing = [batch for batch in drained(feed) if batch.base is not None]
    assert [batch.base.seq for batch in rebasing if batch.base] == [500]
    assert not rebasing[0].reset
    assert rebasing[0].again[0].seq == 501
    journal.close()


def test_a_screen_that_stood_still_jumps_instead_of_catching_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "FAR_BEHIND", 1_000)
    journal = opened(tmp_path / "j.db")
    write(journal, 1, 10)
    feed = JournalFeed(tmp_path / "j.db")
    drained(feed)
    write(journal, 11, 1_500)
    journal.checkpoint(CheckpointRow(1_500, WALL_MS, b"state", "", ""))
    write(journal, 1_501, 4_000)
    jumped = feed.poll()
    assert jumped.reset and jumped.base is not None and jumped.base.seq == 1_500
    assert numbers(feed.poll())[0] == 1_501
    journal.close()


def test_old_transitions_and_fills_are_found_before_the_look_back(tmp_path: Path) -> None:
    desk = quoting(2)
    journal = opened(tmp_path / "j.db")
    for row in rows(desk):
        journal.append(JournalRow(row.seq, row.wall_ms, row.kind, row.body, False))
    last = rows(desk)[-1].seq
    journal.checkpoint(checkpoint(desk))
    write(journal, last + 1, last + feeding.LOOK_BACK + 10)
    first = JournalFeed(tmp_path / "j.db").poll()
    assert first.base is not None and first.base.seq == last
    assert [row.seq for row in first.older] == [r.seq for r in rows(desk) if b'["Transition"' in r.body]
    journal.close()


def test_an_absent_journal_is_said_and_found_when_it_comes(tmp_path: Path) -> None:
    feed = JournalFeed(tmp_path / "j.db")
    assert "no journal" in feed.poll().trouble
    journal = opened(tmp_path / "j.db")
    write(journal, 1, 2)
    assert [seq for batch in drained(feed) for seq in numbers(batch)] == [1, 2]
    journal.close()


def test_a_journal_set_aside_for_a_new_one_starts_the_screen_over(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = opened(path)
    write(journal, 1, 5)
    feed = JournalFeed(path)
    drained(feed)
    journal.close()
    for part in tmp_path.iterdir():
        part.rename(tmp_path / f"old-{part.name}")
    fresh = opened(path)
    write(fresh, 1, 2)
    batches = drained(feed)
    assert batches[0].reset and [seq for batch in batches for seq in numbers(batch)] == [1, 2]
    fresh.close()


def test_the_end_of_a_run_is_told(tmp_path: Path) -> None:
    journal = opened(tmp_path / "j.db")
    write(journal, 1, 2)
    feed = JournalFeed(tmp_path / "j.db")
    assert drained(feed)[-1].outcome == ""
    journal.end_run("stopped")
    journal.flush(5.0)
    assert feed.poll().outcome == "stopped"
    journal.close()


def test_the_log_is_followed_line_by_line_and_across_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "paper.jsonl"
    tail = LogTail(path)
    assert not tail.poll()
    path.write_text("one\ntwo\nthr")
    assert tail.poll() and list(tail.lines) == ["one", "two"]
    with path.open("a") as file:
        file.write("ee\n")
    assert tail.poll() and list(tail.lines) == ["one", "two", "three"]
    assert not tail.poll()
    os.rename(path, tmp_path / "paper.1.jsonl")
    path.write_text("four\n")
    assert tail.poll() and list(tail.lines)[-1] == "four"


def test_a_long_log_begins_with_a_whole_line_near_its_end(tmp_path: Path) -> None:
    path = tmp_path / "paper.jsonl"
    path.write_text("".join(f"line {n:07}\n" for n in range(50_000)))
    tail = LogTail(path)
    tail.poll()
    assert len(tail.lines) == feeding.LOG_LINES
    assert tail.lines[-1] == "line 0049999" and all(len(line) == 12 for line in tail.lines)
