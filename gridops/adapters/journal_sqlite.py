"""The journal of one account in one SQLite file: opening, appending, runs.

Implements `runtime.ports_journal.Journal` on top of the commit queue; no call of the engine's loop waits for the disk.
It refuses a file it cannot verify, and rows out of order.

Within one process, open the database file through this module or the reader only: closing any other handle on it drops
SQLite's locks.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw

from gridops.adapters.journal_chain import Verified, scan_tail
from gridops.adapters.journal_queue import CommitQueue, CommitToken
from gridops.adapters.journal_reader import JournalReader
from gridops.adapters.journal_schema import (
    MIGRATIONS,
    RESTORE_HINT,
    close_quietly,
    guarded,
    open_writer,
    query,
)
from gridops.adapters.journal_write import BatchWriter, cut, open_batches
from gridops.errors import JournalError
from gridops.runtime.ports_journal import CheckpointRow, JournalRow, Tail, Token


class SqliteJournal:
    """The one writer of a journal file. Build it with `open_journal`."""

    def __init__(
        self, path: Path, connection: apsw.Connection, batches: BatchWriter, tail: Tail, clock_ms: Callable[[], int]
    ) -> None:
        self.path = path
        self._connection = connection
        self._tail = tail
        self._clock_ms = clock_ms
        self._last_seq = _last_seq(tail)
        self._run_number: int | None = None
        self._row_missing = False
        """A row was refused: nothing may follow it, or a replay would miss what it held."""
        self._queue = CommitQueue(path, batches)

    @property
    def failures(self) -> int:
        """Commits that failed since opening, retries included."""
        return self._queue.failures

    @property
    def last_error(self) -> BaseException | None:
        """Why the last failed commit failed."""
        return self._queue.last_error

    def tail(self) -> Tail:
        """Return what recovery starts from, as verified when the file was opened."""
        return self._tail

    def append(self, row: JournalRow) -> CommitToken:
        """Queue a row; see the port. ValueError when seq does not grow.

        JournalError when the queue is full, closed or served by nobody, and from then on for every row.
        """
        self._refuse_a_gap()
        if self._last_seq is not None and row.seq <= self._last_seq:
            raise ValueError(f"row {row.seq} after row {self._last_seq}")
        try:
            token = self._queue.put(row, CommitToken(row.seq, durable=row.durable))
        except JournalError:
            self._row_missing = True
            raise
        self._last_seq = row.seq
        return token

    def checkpoint(self, row: CheckpointRow) -> CommitToken:
        """Queue a checkpoint of the state after the last appended row; ValueError when it is of another row."""
        self._refuse_a_gap()
        if self._last_seq is not None and row.seq != self._last_seq:
            raise ValueError(f"checkpoint of {row.seq} after row {self._last_seq}")
        token = self._queue.put(row, CommitToken(row.seq, durable=True))
        self._last_seq = row.seq
        return token

    def on_commit(self, callback: Callable[[Token], None]) -> None:
        """Have every settled token handed to `callback` on the writing thread."""
        self._queue.on_commit(callback)

    def begin_run(self, run_id: str, epoch: int, build: str) -> int:
        """Record a run as started and return its number, counted from 1. Waits for the disk."""
        number = self.next_run_number()
        started_ms = self._clock_ms()

        def insert(connection: apsw.Connection) -> None:
            values = (number, run_id, epoch, started_ms, build)
            connection.execute(
                "INSERT INTO runs (number, run_id, epoch, started_ms, build) VALUES (?, ?, ?, ?, ?)", values
            )
            connection.execute("UPDATE meta SET value = ? WHERE key = 'next_run'", (number + 1,))

        self._queue.run_job(insert, f"recording run {run_id}")
        self._run_number = number
        return number

    def end_run(self, outcome: str) -> None:
        """Record how the run begun here ended. Waits for the disk; a second call overwrites nothing."""
        number, ended_ms = self._run_number, self._clock_ms()
        if number is None:
            return

        def update(connection: apsw.Connection) -> None:
            connection.execute(
                "UPDATE runs SET ended_ms = ?, outcome = ? WHERE number = ?", (ended_ms, outcome, number)
            )

        self._queue.run_job(update, "recording the end of the run")
        self._run_number = None

    def next_run_number(self) -> int:
        """Return the number the next run of this journal gets."""
        with JournalReader(self.path) as reader:
            return reader.meta().next_run

    def verify_all(self) -> Verified:
        """Verify every committed row, segment and checkpoint; JournalError names the first that fails."""
        with JournalReader(self.path) as reader:
            return reader.verify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything queued is durable; False when the time is over or the disk refuses."""
        return self._queue.flush(timeout_s)

    def close(self) -> None:
        """Commit what can be committed within 10 s and let the file go. Idempotent."""
        if self._queue.close():
            close_quietly(self._connection)

    def _refuse_a_gap(self) -> None:
        if self._row_missing:
            message = f"{self.path} ends with row {self._last_seq}: a later one was refused"
            raise JournalError(message, hint="stop the engine and start it anew")

    def bytes_used(self) -> int:
        """Return the size on disk in bytes, write-ahead log included."""
        return file_bytes(self.path)

    def queued(self) -> int:
        """Return how many entries wait for the disk."""
        return len(self._queue)


def open_journal(
    path: Path,
    *,
    account: str,
    clock_ms: Callable[[], int],
    instance: str | None = None,
    migrations: Sequence[Sequence[str]] = MIGRATIONS,
) -> SqliteJournal:
    """Open or create the journal of an account, verify it from its last checkpoint, cut a torn tail.

    `instance` tags a newly created journal (default: 8 random hex digits); an existing one keeps its tag.

    Raises:
        JournalError: damaged, corrupt in the middle, of another account, or newer than this build.
    """
    connection = open_writer(path, migrations)
    try:
        with guarded(path, "opening"):
            _claim(connection, path, account, instance or os.urandom(4).hex(), clock_ms())
            scan = scan_tail(connection, path)
            torn = cut(connection, scan, clock_ms())
            batches = open_batches(connection, scan)
    except BaseException:
        close_quietly(connection)
        raise
    tail = Tail(scan.checkpoint, scan.rows, torn)
    return SqliteJournal(path, connection, batches, tail, clock_ms)


def file_bytes(path: Path) -> int:
    """Return the bytes a journal and its write-ahead log take."""
    total = 0
    # No new Path: it interns its parts, and several a second fill the interpreter's table of names until it doubles.
    for name in (os.fspath(path), f"{path}-wal"):
        with suppress(FileNotFoundError):
            total += os.stat(name).st_size
    return total


def _claim(connection: apsw.Connection, path: Path, account: str, instance: str, now_ms: int) -> None:
    """Write the identity of a new journal; refuse one of another account."""
    known: dict[str, Any] = dict(query(connection, "SELECT key, value FROM meta"))
    if not known:
        identity = (("account", account), ("instance", instance), ("created_ms", now_ms), ("next_run", 1))
        with connection:
            connection.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", identity)
    elif known.get("account") != account:
        message = f"{path} belongs to account {known.get('account')!r}, not {account!r}"
        raise JournalError(message, hint=RESTORE_HINT)


def _last_seq(tail: Tail) -> int | None:
    if tail.rows:
        return tail.rows[-1].seq
    return tail.checkpoint.seq if tail.checkpoint else None
