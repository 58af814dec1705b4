"""The journal in memory keeps what was committed and nothing else, in order, and its tokens tell the truth."""

from gridops.runtime.ports_journal import CheckpointRow, JournalRow, Token
from gridops.sim.memory_journal import RETRY_NS, Disk, MemoryJournal
from gridops.sim.scheduler import MS, SECOND, Scheduler


def row(seq: int) -> JournalRow:
    return JournalRow(seq, seq, "Woke", b"{}", True)


def test_a_token_settles_when_its_commit_ends_and_not_before() -> None:
    scheduler, disk = Scheduler(), Disk()
    journal = MemoryJournal(scheduler, disk, "seed")
    told: list[Token] = []
    journal.on_commit(told.append)
    token = journal.append(row(1))
    assert not token.done() and disk.rows == []
    scheduler.run_until(SECOND)
    assert token.done() and token.error is None and told == [token]
    assert [kept.seq for kept in disk.tail().rows] == [1]


def test_a_crash_loses_what_was_not_committed_and_keeps_a_prefix() -> None:
    kept = set()
    for seed in range(40):
        scheduler, disk = Scheduler(), Disk()
        journal = MemoryJournal(scheduler, disk, f"seed {seed}")
        for seq in range(1, 6):
            scheduler.run_until(seq * MS)
            journal.append(row(seq))
        journal.crash()
        scheduler.run_until(SECOND)
        found = [each.seq for each in disk.tail().rows]
        assert found == list(range(1, len(found) + 1))
        kept.add(len(found))
    assert len(kept) > 2


def test_a_failed_commit_breaks_every_promise_and_the_rows_come_later() -> None:
    scheduler, disk = Scheduler(), Disk()
    journal = MemoryJournal(scheduler, disk, "seed")
    disk.failing = True
    tokens = [journal.append(row(seq)) for seq in (1, 2)]
    scheduler.run_until(RETRY_NS)
    disk.failing = False
    scheduler.run_until(SECOND)
    assert all(token.error is not None for token in tokens)
    assert [kept.seq for kept in disk.tail().rows] == [1, 2]
    assert journal.failures > 0


def test_recovery_starts_at_the_newest_committed_checkpoint() -> None:
    scheduler, disk = Scheduler(), Disk()
    journal = MemoryJournal(scheduler, disk, "seed")
    journal.append(row(1))
    journal.checkpoint(CheckpointRow(1, 1, b"state", "", ""))
    journal.append(row(2))
    scheduler.run_until(SECOND)
    tail = disk.tail()
    assert tail.checkpoint is not None and tail.checkpoint.seq == 1
    assert [kept.seq for kept in tail.rows] == [2]
