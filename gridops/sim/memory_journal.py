"""A journal in memory with a disk's manners: commits take time, may fail, and a crash loses what was not committed.

Implements the runtime's Journal port in virtual time. `Disk` outlives the process that writes; one `MemoryJournal` is
one process's hold on it. A `lossy` disk keeps its promises as SQLite's log does: a commit without a durable row reaches
the plate later, and a power cut takes it away; a commit that failed may be found after a crash all the same. It hashes
nothing, and tears no row: a torn page is real SQLite's to find.
"""

from collections.abc import Callable, Sequence
from random import Random

from gridops.errors import JournalError
from gridops.runtime.ports_journal import CheckpointRow, InputRow, JournalRow, Tail, Token
from gridops.sim.scheduler import US, Scheduler

MOST_QUEUED = 10_000
RETRY_NS = 50_000 * US
WRITEBACK_NS = 5_000_000 * US
"""So long the machine keeps what nobody asked it to sync."""


class MemoryToken:
    """Settled once."""

    __slots__ = ("_done", "error", "seq")

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.error: BaseException | None = None
        self._done = False

    def done(self) -> bool:
        return self._done

    def settle(self, error: BaseException | None) -> bool:
        if self._done:
            return False
        self.error, self._done = error, True
        return True


class Disk:
    """What survives: committed rows and checkpoints, in order.

    Who listens with `on_row` hears of a row when nothing can take it away any more.
    """

    def __init__(self) -> None:
        self.rows: list[JournalRow] = []
        self.checkpoint: CheckpointRow | None = None
        self.failing = False
        self.slow_us = 0
        self.lossy = False
        self.lost = 0
        """Committed rows and checkpoints that power cuts took."""
        self.on_row: list[Callable[[JournalRow], None]] = []
        self._unsynced: list[JournalRow | CheckpointRow] = []

    def keep(self, entries: Sequence[JournalRow | CheckpointRow]) -> bool:
        """One commit. Is some of it not on the plate yet?"""
        if not self.lossy:
            for entry in entries:
                self._put(entry)
            return False
        self._unsynced += entries
        if any(isinstance(entry, CheckpointRow) or entry.durable for entry in entries):
            self.sync()
        return bool(self._unsynced)

    def sync(self) -> None:
        """All that is committed reaches the plate."""
        entries, self._unsynced = self._unsynced, []
        for entry in entries:
            self._put(entry)

    def power_cut(self, chance: Random) -> None:
        """Of what was not synced a random beginning has reached the plate."""
        kept = chance.randint(0, len(self._unsynced))
        self.lost += len(self._unsynced) - kept
        del self._unsynced[kept:]
        self.sync()

    def _put(self, entry: JournalRow | CheckpointRow) -> None:
        if isinstance(entry, CheckpointRow):
            # Rows below a checkpoint are never read again; dropping them keeps a long run small.
            self.checkpoint = entry
            self.rows = [row for row in self.rows if row.seq > entry.seq]
            return
        self.rows.append(entry)
        for told in self.on_row:
            told(entry)

    def tail(self) -> Tail:
        """What recovery starts from; a process that begins reads what the machine still holds."""
        self.sync()
        rows = [InputRow(row.seq, row.wall_ms, row.kind, row.body) for row in self.rows]
        return Tail(checkpoint=self.checkpoint, rows=rows, torn=0)


class MemoryJournal:
    """One process's journal. Everything queued when a commit starts is in it; one commit at a time."""

    def __init__(self, scheduler: Scheduler, disk: Disk, seed: str) -> None:
        self._scheduler, self._disk = scheduler, disk
        self._chance = Random(seed)
        self._queue: list[tuple[JournalRow | CheckpointRow, MemoryToken]] = []
        self._callback: Callable[[Token], None] = lambda _: None
        self._busy = False
        self._open = True
        self._under_way = 0
        self.failures = 0

    def append(self, row: JournalRow) -> Token:
        return self._put(row)

    def checkpoint(self, row: CheckpointRow) -> Token:
        return self._put(row)

    def on_commit(self, callback: Callable[[Token], None]) -> None:
        self._callback = callback

    def flush(self, timeout_s: float) -> bool:  # noqa: ARG002 - virtual time does not pass inside a call
        """Commit all that is queued at once."""
        if self._disk.failing:
            return False
        self._commit(len(self._queue))
        return True

    def close(self) -> None:
        self.flush(0.0)
        self._open = False

    def bytes_used(self) -> int:
        return sum(len(row.body) for row in self._disk.rows)

    def unlinked(self) -> None:
        """The file was replaced under the process: what it writes from now on is kept where nobody looks."""
        self._disk = Disk()

    def crash(self) -> None:
        """The process died: a commit under way may or may not have reached the disk, a lossy one's failed one too."""
        self._open = False
        could = self._busy and (self._disk.lossy or not self._disk.failing)
        if could and self._chance.random() < 0.5:
            self._disk.keep([entry for entry, _ in self._queue[: self._under_way]])
        self._queue.clear()

    def _put(self, entry: JournalRow | CheckpointRow) -> Token:
        if not self._open or len(self._queue) >= MOST_QUEUED:
            raise JournalError("the journal takes no more rows")
        token = MemoryToken(entry.seq)
        self._queue.append((entry, token))
        if not self._busy:
            self._begin()
        return token

    def _begin(self) -> None:
        self._busy = True
        self._under_way = 0
        chance = self._chance.random
        delay_us = 200 + int(chance() * 2_801) + (int(chance() * 80_001) if chance() < 0.01 else 0)
        # What is appended within the same instant shares the commit.
        self._scheduler.after(0, self._take)
        self._scheduler.after((delay_us + self._disk.slow_us) * US, self._end)

    def _take(self) -> None:
        self._under_way = len(self._queue)

    def _end(self) -> None:
        if not self._open:
            return
        if self._disk.failing:
            self._fail()
            self._scheduler.after(RETRY_NS, self._again)
            return
        self._commit(self._under_way)
        self._busy = False
        if self._queue:
            self._begin()

    def _again(self) -> None:
        if self._open:
            self._begin()

    def _commit(self, count: int) -> None:
        done, self._queue = self._queue[:count], self._queue[count:]
        if self._disk.keep([entry for entry, _ in done]):
            self._scheduler.after(WRITEBACK_NS, self._disk.sync)
        for _, token in done:
            if token.settle(None):
                self._callback(token)

    def _fail(self) -> None:
        """Everything queued fails: rows behind a failed one cannot be committed before it. They stay queued."""
        self.failures += 1
        error = OSError("no space left on device")
        for _, token in list(self._queue):
            if token.settle(error):
                self._callback(token)
