"""The journal in memory keeps what was committed and nothing else, in order, and its tokens tell the truth."""

from random import Random

from gridops.runtime.ports_journal import CheckpointRow, JournalRow, Token
from gridops.sim.memory_journal import RETRY_NS, WRITEBACK_NS, Disk, MemoryJournal
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


def lossy() -> tuple[Scheduler, Disk, MemoryJournal]:
    scheduler, disk = Scheduler(), Disk()
    disk.lossy = True
    return scheduler, disk, MemoryJournal(scheduler, disk, "seed")


def unforced(seq: int) -> JournalRow:
    return JournalRow(seq, seq, "ViewChanged", b"{}", False)


def test_a_power_cut_takes_what_nobody_synced_and_nothing_before_it() -> None:
    found = set()
    for seed in range(40):
        scheduler, disk, journal = lossy()
        journal.append(row(1))
        scheduler.run_until(SECOND)
        tokens = [journal.append(unforced(seq)) for seq in (2, 3, 4)]
        scheduler.run_until(2 * SECOND)
        assert all(token.done() and token.error is None for token in tokens), "committed, by the journal's word"
        disk.power_cut(Random(seed))
        kept = [each.seq for each in disk.tail().rows]
        assert kept == list(range(1, len(kept) + 1))
        assert disk.lost == 4 - len(kept)
        found.add(len(kept))
    assert found == {1, 2, 3, 4}


def test_a_durable_row_takes_the_rows_before_it_to_the_plate() -> None:
    scheduler, disk, journal = lossy()
    for seq in (1, 2):
        journal.append(unforced(seq))
    scheduler.run_until(SECOND)
    journal.append(row(3))
    scheduler.run_until(2 * SECOND)
    disk.power_cut(Random(1))
    assert [each.seq for each in disk.tail().rows] == [1, 2, 3]


def test_the_machine_writes_back_by_itself_and_a_process_that_dies_alone_loses_nothing_committed() -> None:
    scheduler, disk, journal = lossy()
    journal.append(unforced(1))
    scheduler.run_until(SECOND)
    journal.crash()
    assert [each.seq for each in disk.tail().rows] == [1]
    scheduler, disk, journal = lossy()
    journal.append(unforced(1))
    scheduler.run_until(2 * WRITEBACK_NS)
    disk.power_cut(Random(1))
    assert disk.lost == 0


def test_who_listens_hears_a_row_when_nothing_can_take_it_away() -> None:
    scheduler, disk, journal = lossy()
    heard: list[int] = []
    disk.on_row.append(lambda kept: heard.append(kept.seq))
    journal.append(unforced(1))
    scheduler.run_until(SECOND)
    assert heard == []
    disk.sync()
    assert heard == [1]


def test_a_commit_that_failed_may_be_found_after_the_crash() -> None:
    found = set()
    for seed in range(20):
        scheduler, disk = Scheduler(), Disk()
        disk.lossy = disk.failing = True
        journal = MemoryJournal(scheduler, disk, f"seed {seed}")
        token = journal.append(row(1))
        scheduler.run_until(20 * MS)
        assert token.error is not None
        journal.crash()
        found.add(len(disk.tail().rows))
    assert found == {0, 1}
