"""The journal of one account in one SQLite file: a queue, one writer thread, group commit, commit tokens.

Implements `runtime.ports_journal.Journal`. The engine's thread only queues; everything queued while the last commit ran
goes into the next transaction, with a real fsync when any row of it is durable. A disk that fails settles tokens with
an error and is tried again in order: rows are never skipped, and `append` never raises for the disk.

Within one process, open the database file through this module or the reader only: closing any other handle on it drops
SQLite's locks.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import apsw

from gridops.adapters.journal_chain import Verified, scan_tail
from gridops.adapters.journal_reader import JournalReader
from gridops.adapters.journal_schema import (
    MIGRATIONS,
    RESTORE_HINT,
    close_quietly,
    guarded,
    open_writer,
    query,
)
from gridops.adapters.journal_write import BatchWriter, Entry, Job, cut, open_batches
from gridops.errors import JournalError
from gridops.runtime.ports_journal import CheckpointRow, JournalRow, Tail, Token

MOST_QUEUED = 10_000
_MOST_PER_BATCH = 512
_LOG_PAGES_BEFORE_FOLD = 4_000
_RETRY_S = 0.05
_CLOSE_S = 10.0


class CommitToken:
    """Settled once, by the writer thread; a failed one stays failed although its row is tried again."""

    __slots__ = ("_done", "durable", "error", "seq")

    def __init__(self, seq: int, *, durable: bool) -> None:
        self.seq = seq
        self.durable = durable
        self.error: BaseException | None = None
        self._done = False

    def done(self) -> bool:
        """Tell whether the outcome is known."""
        return self._done

    def settle(self, error: BaseException | None) -> bool:
        """Fix the outcome; False when it was fixed before."""
        if self._done:
            return False
        self.error = error
        self._done = True
        return True


class SqliteJournal:
    """The one writer of a journal file. Build it with `open_journal`."""

    def __init__(
        self, path: Path, connection: apsw.Connection, batches: BatchWriter, tail: Tail, clock_ms: Callable[[], int]
    ) -> None:
        self.path = path
        self.failures = 0
        self.last_error: BaseException | None = None
        self._connection = connection
        self._batches = batches
        self._tail = tail
        self._clock_ms = clock_ms
        self._last_seq = _last_seq(tail)
        self._run_number: int | None = None
        self._queue: deque[tuple[Entry, CommitToken]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._callbacks: list[Callable[[Token], None]] = []
        self._thread = threading.Thread(target=self._write_until_closed, name="journal", daemon=True)
        self._thread.start()

    def tail(self) -> Tail:
        """Return what recovery starts from, as verified when the file was opened."""
        return self._tail

    def append(self, row: JournalRow) -> CommitToken:
        """Queue a row; see the port. Raises JournalError when full or closed, ValueError when seq does not grow."""
        if self._last_seq is not None and row.seq <= self._last_seq:
            raise ValueError(f"row {row.seq} after row {self._last_seq}")
        token = self._put(row, CommitToken(row.seq, durable=row.durable))
        self._last_seq = row.seq
        return token

    def checkpoint(self, row: CheckpointRow) -> CommitToken:
        """Queue a checkpoint of the state after the last appended row; ValueError when it is of another row."""
        if self._last_seq is not None and row.seq != self._last_seq:
            raise ValueError(f"checkpoint of {row.seq} after row {self._last_seq}")
        token = self._put(row, CommitToken(row.seq, durable=True))
        self._last_seq = row.seq
        return token

    def on_commit(self, callback: Callable[[Token], None]) -> None:
        """Have every settled token handed to `callback` on the writing thread."""
        self._callbacks.append(callback)

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

        self._run_job(insert, f"recording run {run_id}")
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

        self._run_job(update, "recording the end of the run")
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
        deadline = time.monotonic() + timeout_s
        while True:
            # A durable write behind soft rows makes all of them durable: they share one log.
            barrier = CommitToken(self._last_seq or 0, durable=True)
            with suppress(JournalError):
                self._put(_mark_flushed, barrier)
            with self._wake:
                empty = self._wake.wait_for(lambda: not self._queue, max(0.0, deadline - time.monotonic()))
            if barrier.error is None or not empty:
                return empty
            time.sleep(_RETRY_S)

    def close(self) -> None:
        """Commit what can be committed within 10 s and let the file go. Idempotent."""
        if not self._closing:
            self.flush(_CLOSE_S)
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)
        if not self._thread.is_alive():
            close_quietly(self._connection)

    def bytes_used(self) -> int:
        """Return the size on disk in bytes, write-ahead log included."""
        return file_bytes(self.path)

    def queued(self) -> int:
        """Return how many entries wait for the disk."""
        return len(self._queue)

    def _put(self, entry: Entry, token: CommitToken) -> CommitToken:
        with self._wake:
            if self._closing:
                raise JournalError(f"{self.path} is closed")
            if len(self._queue) >= MOST_QUEUED:
                hint = "the disk does not take rows: check its space and health"
                raise JournalError(f"{MOST_QUEUED} rows wait for {self.path}", hint=hint) from self.last_error
            self._queue.append((entry, token))
            self._wake.notify_all()
        return token

    def _run_job(self, job: Job, doing: str) -> None:
        """Run a statement of ours on the writer thread and wait for its commit."""
        settled = threading.Event()
        token = CommitToken(self._last_seq or 0, durable=True)
        self._callbacks.append(watch := _watcher(token, settled))
        try:
            self._put(job, token)
            if not settled.wait(_CLOSE_S):
                raise JournalError(f"the disk did not answer within {_CLOSE_S:.0f} s while {doing} in {self.path}")
        finally:
            self._callbacks.remove(watch)
        if token.error is not None:
            raise JournalError(f"the disk failed while {doing} in {self.path}: {token.error}") from token.error

    def _write_until_closed(self) -> None:
        while batch := self._next_batch():
            error = self._commit(batch)
            if error is None:
                self._settle_committed(batch)
                self._fold_log_when_long()
            else:
                self.failures += 1
                self.last_error = error
                self._settle_failed(error)
                self._pause()

    def _next_batch(self) -> list[tuple[Entry, CommitToken]]:
        """Wait for entries: a job alone, or rows up to the next job. An empty answer means the journal is closing."""
        with self._wake:
            self._wake.wait_for(lambda: self._queue or self._closing)
            if self._closing:
                return []
            if callable(self._queue[0][0]):
                return [self._queue[0]]
            ahead = islice(self._queue, _MOST_PER_BATCH)
            return list(takewhile(lambda queued: not callable(queued[0]), ahead))

    def _commit(self, batch: Sequence[tuple[Entry, CommitToken]]) -> BaseException | None:
        durable = any(token.durable for _, token in batch)
        try:
            self._batches.write([entry for entry, _ in batch], durable=durable)
        except Exception as error:
            # Whatever it is, the writer lives on: a dead writer would leave every later intent waiting for ever.
            return error
        return None

    def _settle_committed(self, batch: Sequence[tuple[Entry, CommitToken]]) -> None:
        for _, token in batch:
            self._settle(token, None)
        with self._wake:
            for _ in batch:
                self._queue.popleft()
            self._wake.notify_all()

    def _settle_failed(self, error: BaseException) -> None:
        """Fail everything queued: rows behind a failed one cannot be committed before it.

        Rows stay for the next attempt. Jobs go: who waits for one is told, and asks again if it wants to.
        """
        with self._wake:
            waiting = [token for _, token in self._queue]
            rows = [queued for queued in self._queue if not callable(queued[0])]
            self._queue.clear()
            self._queue.extend(rows)
        for token in waiting:
            self._settle(token, error)

    def _settle(self, token: CommitToken, error: BaseException | None) -> None:
        if not token.settle(error):
            return
        for callback in tuple(self._callbacks):
            # A callback of a loop that is gone must not end the writing of what is still queued.
            with suppress(Exception):
                callback(token)

    def _pause(self) -> None:
        with self._wake:
            self._wake.wait_for(lambda: self._closing, _RETRY_S)

    def _fold_log_when_long(self) -> None:
        if self._batches.log_pages < _LOG_PAGES_BEFORE_FOLD:
            return
        try:
            self._batches.fold_log()
        except apsw.Error as error:
            # Committed rows are safe in the log; only its length suffers.
            self.failures += 1
            self.last_error = error


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
    for name in (path, path.with_name(path.name + "-wal")):
        with suppress(FileNotFoundError):
            total += name.stat().st_size
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


def _mark_flushed(connection: apsw.Connection) -> None:
    connection.execute("INSERT OR REPLACE INTO meta (key, value) SELECT 'flushed', coalesce(max(seq), 0) FROM steps")


def _watcher(awaited: CommitToken, settled: threading.Event) -> Callable[[Token], None]:
    def watch(token: Token) -> None:
        if token is awaited:
            settled.set()

    return watch
