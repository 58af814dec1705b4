"""The queue in front of the journal's disk and the one thread behind it: group commit, commit tokens, retries.

Sits between `SqliteJournal` and the batch writer. Callers only queue; everything queued while the last commit ran goes
into the next transaction, with a real fsync when any entry of it is durable. A disk that fails settles tokens with an
error and is tried again in order: rows are never skipped, and only a full or closed queue raises.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice, takewhile
from pathlib import Path

import apsw

from gridops.adapters import journal_columns
from gridops.adapters.allocator import fill_thread_cache
from gridops.adapters.journal_write import BatchWriter, Entry, Job
from gridops.errors import JournalError
from gridops.runtime.ports_journal import Token

MOST_QUEUED = 10_000
_MOST_PER_BATCH = 512
_MOST_LOG_PAGES = 4_000
_IDLE_LOG_PAGES = 250
_IDLE_S = 0.25
_RETRY_S = 0.05
_ANSWER_S = 10.0
SWITCH_S = 0.0002
"""Longest the writing thread waits for the interpreter while the engine keeps it busy. A commit asks for it about ten
times, so that Python's own 5 ms add up to more than any disk takes, and orders wait for the commit."""


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


class CommitQueue:
    """Hands entries to the batch writer on its own thread, in order."""

    def __init__(self, path: Path, batches: BatchWriter) -> None:
        self.failures = 0
        self.last_error: BaseException | None = None
        self._path = path
        self._batches = batches
        self._queue: deque[tuple[Entry, CommitToken]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._callbacks: list[Callable[[Token], None]] = []
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_S))
        self._thread = threading.Thread(target=self._write_until_closed, name="journal", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._queue)

    def on_commit(self, callback: Callable[[Token], None]) -> None:
        """Have every settled token handed to `callback` on the writing thread."""
        self._callbacks.append(callback)

    def put(self, entry: Entry, token: CommitToken) -> CommitToken:
        """Queue an entry and return its token. Raises JournalError when the queue is full or closed."""
        with self._wake:
            if self._closing:
                raise JournalError(f"{self._path} is closed")
            if not self._thread.is_alive():
                raise JournalError(f"nothing writes to {self._path} any more", hint="stop the engine and start it anew")
            if len(self._queue) >= MOST_QUEUED:
                hint = "the disk does not take rows: check its space and health"
                raise JournalError(f"{MOST_QUEUED} rows wait for {self._path}", hint=hint) from self.last_error
            self._queue.append((entry, token))
            self._wake.notify_all()
        return token

    def run_job(self, job: Job, doing: str) -> None:
        """Run a statement of ours on the writer thread and wait for its commit."""
        settled = threading.Event()
        token = CommitToken(0, durable=True)
        self._callbacks.append(watch := _watcher(token, settled))
        try:
            self.put(job, token)
            if not settled.wait(_ANSWER_S):
                raise JournalError(f"the disk did not answer within {_ANSWER_S:.0f} s while {doing} in {self._path}")
        finally:
            self._callbacks.remove(watch)
        if token.error is not None:
            raise JournalError(f"the disk failed while {doing} in {self._path}: {token.error}") from token.error

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything queued is durable; False when the time is over or the disk refuses."""
        deadline = time.monotonic() + timeout_s
        while not self._barrier(deadline):
            if self._closing:
                return not self._queue
            if time.monotonic() >= deadline:
                return False
            time.sleep(_RETRY_S)
        return True

    def _barrier(self, deadline: float) -> bool:
        """Commit a durable write behind everything queued: soft rows before it share its log and its fsync."""
        barrier = CommitToken(0, durable=True)
        try:
            self.put(_mark_flushed, barrier)
        except JournalError:
            return False
        with self._wake:
            left_s = max(0.0, deadline - time.monotonic())
            self._wake.wait_for(lambda: barrier.done() or self._closing, left_s)
        return barrier.done() and barrier.error is None

    def close(self) -> bool:
        """Commit what can be committed within 10 s and end the thread; False when it hangs in the disk."""
        if not self._closing:
            self.flush(_ANSWER_S)
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._thread.join(_ANSWER_S)
        return not self._thread.is_alive()

    def _write_until_closed(self) -> None:
        fill_thread_cache()
        while batch := self._next_batch():
            error = self._commit(batch)
            if error is None:
                self._settle_committed(batch)
                if self._batches.log_pages >= _MOST_LOG_PAGES:
                    self._fold_log()
                self._make_columns()
            else:
                self.failures += 1
                self.last_error = error
                self._settle_failed(error)
                self._pause()

    def _next_batch(self) -> list[tuple[Entry, CommitToken]]:
        """Wait for entries: a job alone, or rows up to the next job. An empty answer means the journal is closing."""
        with self._wake:
            while not self._wake.wait_for(lambda: self._queue or self._closing, self._idle_s()):
                self._fold_log()
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
        with self._wake:
            self._wake.notify_all()

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

    def _idle_s(self) -> float | None:
        """Return how long to wait before folding the log while nothing is written; None when it is short."""
        return _IDLE_S if self._batches.log_pages >= _IDLE_LOG_PAGES else None

    def _make_columns(self) -> None:
        """While nobody waits for the disk; else only when too many rows wait for their columns."""
        columns = self._batches.columns
        while columns.waiting >= (journal_columns.BACKLOG if self._queue else journal_columns.ROWS):
            columns.make()

    def _fold_log(self) -> None:
        try:
            self._batches.fold_log()
        except apsw.Error as error:
            # Committed rows are safe in the log; only its length suffers.
            self.failures += 1
            self.last_error = error


def _mark_flushed(connection: apsw.Connection) -> None:
    connection.execute("INSERT OR REPLACE INTO meta (key, value) SELECT 'flushed', coalesce(max(seq), 0) FROM steps")


def _watcher(awaited: CommitToken, settled: threading.Event) -> Callable[[Token], None]:
    def watch(token: Token) -> None:
        if token is awaited:
            settled.set()

    return watch
