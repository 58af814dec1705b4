"""Read-only eyes on a journal, beside a living engine or after its death.

Every call is its own short read transaction, so a reader never keeps the writer from folding its log. It writes
nothing, migrates nothing and waits a few seconds at most for a lock. Older files it reads as they are; it refuses those
it does not understand.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import apsw

from gridops.adapters.journal_chain import Verified, verify_all
from gridops.adapters.journal_columns import Stretch, stretches
from gridops.adapters.journal_schema import (
    APPLICATION_ID,
    COLUMNS_SINCE,
    MIGRATIONS,
    RESTORE_HINT,
    close_quietly,
    guarded,
    query,
    refuse_newer,
    version_of,
)
from gridops.domain.values import record
from gridops.errors import JournalError
from gridops.runtime.ports_journal import CheckpointRow, FillRow, InputRow, OrderRow

_BUSY_MS = 1_000
_ATTEMPTS = 5
_PAUSE_S = 0.05
_PAGE = 1_000
_STEP = "SELECT seq, wall_ms, kind, body FROM steps"
_ORDER = """SELECT client_id, symbol, side, state, price_ticks, lots, filled_lots, venue_id, level, epoch, seq
            FROM orders"""
_FILL = """SELECT symbol, trade_id, client_id, side, price_ticks, lots, fee, fee_asset, realised, at_ms, maker, seq
           FROM fills"""
_Answer = TypeVar("_Answer")


@record
class RunRow:
    """One run of the engine on this journal; `ended_ms` and `outcome` are None while it runs or when it was killed."""

    number: int
    run_id: str
    epoch: int
    started_ms: int
    ended_ms: int | None
    outcome: str | None
    build: str


@record
class JournalMeta:
    """Whose journal it is."""

    account: str
    instance: str
    created_ms: int
    next_run: int
    schema_version: int
    build: str | None
    """Build of the latest run."""


class JournalReader:
    """A read-only connection. Use it as a context manager or `close` it."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            JournalError: absent, damaged, of another program, or of a schema this build does not know.
        """
        self.path = path
        if not path.is_file():
            raise JournalError(f"no journal at {path}", hint="check --home and the account name")
        with guarded(path, "opening"):
            self._connection = _retried(lambda: _open(path))
        try:
            self.schema_version = self._ask(lambda: _check(self._connection, path))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go. Idempotent."""
        close_quietly(self._connection)

    def meta(self) -> JournalMeta:
        """Return account, instance tag, creation time, next run number and the latest run's build."""
        known: dict[str, Any] = dict(self._query("SELECT key, value FROM meta"))
        build = self._query("SELECT build FROM runs ORDER BY number DESC LIMIT 1")
        try:
            return JournalMeta(
                account=known["account"],
                instance=known["instance"],
                created_ms=known["created_ms"],
                next_run=known["next_run"],
                schema_version=self.schema_version,
                build=build[0][0] if build else None,
            )
        except KeyError as error:
            raise JournalError(f"{self.path} has lost its {error} entry", hint=RESTORE_HINT) from error

    def runs(self) -> list[RunRow]:
        """Return every run, oldest first."""
        columns = ("number", "run_id", "epoch", "started_ms", "ended_ms", "outcome", "build")
        stored = self._query(
            "SELECT number, run_id, epoch, started_ms, ended_ms, outcome, build FROM runs ORDER BY number"
        )
        return [RunRow(**dict(zip(columns, row, strict=True))) for row in stored]

    def last_row(self) -> InputRow | None:
        """Return the newest row, whatever the journal's length."""
        stored = self._query(f"{_STEP} ORDER BY seq DESC LIMIT 1")
        return self._row(stored[0]) if stored else None

    def last_checkpoint(self) -> CheckpointRow | None:
        """Return the newest checkpoint, whatever the journal's length."""
        stored = self._query(
            "SELECT seq, wall_ms, state, state_digest, records_digest FROM checkpoints ORDER BY seq DESC LIMIT 1"
        )
        return self._checkpoint(stored[0]) if stored else None

    def checkpoints(self) -> list[tuple[int, str, str]]:
        """Return (seq, state digest, records digest) of every checkpoint, oldest first, without the states."""
        stored = self._query("SELECT seq, state_digest, records_digest FROM checkpoints ORDER BY seq")
        return [(seq, state, records) for seq, state, records in stored]

    def checkpoint_at(self, seq: int) -> CheckpointRow | None:
        """Return the newest checkpoint at or before `seq`."""
        stored = self._query(
            """SELECT seq, wall_ms, state, state_digest, records_digest FROM checkpoints WHERE seq <= ?
               ORDER BY seq DESC LIMIT 1""",
            seq,
        )
        return self._checkpoint(stored[0]) if stored else None

    def rows(self, from_seq: int, to_seq: int) -> Iterator[InputRow]:
        """Yield rows with from_seq <= seq <= to_seq in order, in pages."""
        for page in self.pages(from_seq, to_seq):
            yield from map(self._row, page)

    def pages(self, from_seq: int, to_seq: int) -> Iterator[list[tuple[Any, ...]]]:
        """The same rows, a page at a time, as plain (seq, wall ms, kind, body): for who reads millions."""
        while page := self._query(f"{_STEP} WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT {_PAGE}", from_seq, to_seq):
            yield page
            from_seq = page[-1][0] + 1

    def columns(self, from_seq: int, to_seq: int) -> Iterator[Stretch]:
        """Stretches of these rows whose columns can be used, in order; the rest is to be read as rows."""
        if self.schema_version < COLUMNS_SINCE:
            return
        while page := self._ask(partial(stretches, self._connection, from_seq, to_seq)):
            yield from (each for each in page if each.body)
            from_seq = page[-1].last_seq + 1

    def orders(self, state: str | None = None) -> list[OrderRow]:
        """Return own orders in their latest form, all or those in one state, by client id."""
        where = "WHERE state = ?" if state is not None else "WHERE ? IS NULL"
        return [OrderRow(*row) for row in self._query(f"{_ORDER} {where} ORDER BY client_id", state)]

    def fills(self) -> list[FillRow]:
        """Return every fill in the order of its input, then trade id."""
        stored = self._query(f"{_FILL} ORDER BY seq, symbol, trade_id")
        return [_fill(*row) for row in stored]

    def count(self) -> int:
        """Return how many rows the chain has, without counting them."""
        stored = self._query("SELECT nth FROM steps ORDER BY seq DESC LIMIT 1")
        number = stored[0][0] if stored else 0
        if not isinstance(number, int):
            raise self._damaged("its newest row has no number")
        return number

    def size_bytes(self) -> int:
        """Return the size on disk in bytes, write-ahead log included."""
        log = self.path.with_name(self.path.name + "-wal")
        return sum(part.stat().st_size for part in (self.path, log) if part.exists())

    def verify_all(self) -> Verified:
        """Verify every row, segment and checkpoint; JournalError names the first that fails."""
        return verify_all(self._connection, self.path)

    def _row(self, stored: tuple[Any, ...]) -> InputRow:
        """Damage may change a column's type as well as its value, whatever the schema promises."""
        row = InputRow(*stored)
        if type(row.body) is not bytes or type(row.kind) is not str or type(row.wall_ms) is not int:
            raise self._damaged(f"row {row.seq} holds a value of another type")
        return row

    def _checkpoint(self, stored: tuple[Any, ...]) -> CheckpointRow:
        row = CheckpointRow(*stored)
        if type(row.state) is not bytes or type(row.wall_ms) is not int:
            raise self._damaged(f"checkpoint {row.seq} holds a value of another type")
        return row

    def _damaged(self, what: str) -> JournalError:
        return JournalError(f"{self.path} is damaged: {what}", hint=RESTORE_HINT)

    def _query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._ask(lambda: query(self._connection, statement, values))

    def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        with guarded(self.path, "reading"):
            return _retried(question)


def _fill(*fields: Any) -> FillRow:
    fill = FillRow(*fields)
    return replace(fill, maker=bool(fill.maker))


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(_BUSY_MS)
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        connection.close(True)
        return _open_immutable(path)
    except BaseException:
        connection.close(True)
        raise
    return connection


def _open_immutable(path: Path) -> apsw.Connection:
    """Open a file in a folder that cannot be written, where SQLite cannot create its shared memory file.

    Only without a write-ahead log: immutable ignores the log, and with it the newest rows.
    """
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size > 0:
        raise JournalError(f"{log} cannot be read in a folder that is not writable", hint="copy both files elsewhere")
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return apsw.Connection(path.resolve().as_uri() + "?immutable=1", flags=flags)


def _check(connection: apsw.Connection, path: Path) -> int:
    if connection.pragma("application_id") != APPLICATION_ID:
        raise JournalError(f"{path} is not a journal, or its creation was cut short", hint=RESTORE_HINT)
    version, known = version_of(connection), len(MIGRATIONS)
    refuse_newer(version, known, path)
    return version


def _retried(question: Callable[[], _Answer]) -> _Answer:
    """Ask again when recovery of a dead writer's log holds the file: the busy timeout does not cover that."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return question()
        except (apsw.BusyError, apsw.LockedError):
            time.sleep(_PAUSE_S)
    return question()
