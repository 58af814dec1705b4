"""The journal's tables, their numbered migrations, and how a file is opened without surprises.

Sits under the writer and the reader of the journal. It knows SQL and SQLite's failure codes; it refuses to open a file
of another program, of a newer schema, or one whose write-ahead log lost its database, and turns every SQLite error
into a JournalError.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw

from gridops.errors import JournalError

APPLICATION_ID = 0x6772_6964
BUSY_MS = 5_000

RESTORE_HINT = "keep the file for the inquiry, restore a copy, or start a new journal with --fresh; do not edit it"

_V1 = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
    """CREATE TABLE runs (number INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL,
       started_ms INTEGER NOT NULL, ended_ms INTEGER, outcome TEXT, build TEXT NOT NULL)""",
    # `nth` counts rows along the chain, so that the number of rows is known without counting them.
    """CREATE TABLE steps (seq INTEGER PRIMARY KEY, nth INTEGER NOT NULL, wall_ms INTEGER NOT NULL, kind TEXT NOT NULL,
       chain BLOB NOT NULL, body BLOB NOT NULL)""",
    """CREATE TABLE checkpoints (seq INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL, state_digest TEXT NOT NULL,
       records_digest TEXT NOT NULL, chain BLOB NOT NULL, seal BLOB NOT NULL, state BLOB NOT NULL)""",
    """CREATE TABLE segments (day TEXT PRIMARY KEY, first_seq INTEGER NOT NULL, last_seq INTEGER,
       opening_seal BLOB NOT NULL, closing_seal BLOB, opening_checkpoint_seq INTEGER) WITHOUT ROWID""",
    """CREATE TABLE orders (client_id TEXT PRIMARY KEY, symbol TEXT NOT NULL, side TEXT NOT NULL, state TEXT NOT NULL,
       price_ticks INTEGER NOT NULL, lots INTEGER NOT NULL, filled_lots INTEGER NOT NULL, venue_id TEXT NOT NULL,
       level TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE fills (symbol TEXT NOT NULL, trade_id INTEGER NOT NULL, client_id TEXT NOT NULL, side TEXT NOT NULL,
       price_ticks INTEGER NOT NULL, lots INTEGER NOT NULL, fee TEXT NOT NULL, fee_asset TEXT NOT NULL,
       realised TEXT NOT NULL, at_ms INTEGER NOT NULL, maker INTEGER NOT NULL, seq INTEGER NOT NULL,
       PRIMARY KEY (symbol, trade_id)) WITHOUT ROWID""",
    # Rows cut from a torn tail are kept as they were found: the inquiry needs them, the chain does not.
    "CREATE TABLE cut_rows (cut_ms INTEGER NOT NULL, what TEXT NOT NULL, seq, wall_ms, kind, chain, body)",
)

_V2 = (
    # What accounting wants of a stretch of rows; made from them, and good for nothing without them.
    """CREATE TABLE columns (last_seq INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, rows INTEGER NOT NULL,
       sifter INTEGER NOT NULL, chain BLOB NOT NULL, seal BLOB NOT NULL, body BLOB NOT NULL)""",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_V1, _V2)
"""Statement n of the tuple brings a file from version n to n + 1. Released entries never change."""
COLUMNS_SINCE = 2
"""The version from which on there is a table of columns; all the rest stands since the first."""


@contextmanager
def guarded(path: Path, doing: str) -> Iterator[None]:
    """Turn any SQLite or file failure inside the block into a JournalError that names file and action."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError, apsw.FormatError, UnicodeDecodeError) as error:
        raise JournalError(f"{path} is damaged: {error} while {doing}", hint=RESTORE_HINT) from error
    except (apsw.FullError, apsw.IOError) as error:
        raise JournalError(f"the disk failed while {doing} {path}: {error}", hint="check space and health") from error
    except (apsw.BusyError, apsw.LockedError) as error:
        hint = "another process is writing it: `gridops fsm show` names the holder"
        raise JournalError(f"{path} is busy: {error} while {doing}", hint=hint) from error
    except (apsw.Error, OSError) as error:
        raise JournalError(f"cannot go on {doing} {path}: {error}") from error


def open_writer(path: Path, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> apsw.Connection:
    """Open or create the file (0600) as the one writing connection, migrated to the newest version.

    Raises:
        JournalError: not a journal, damaged, newer than this build, or an orphaned write-ahead log.
    """
    _refuse_orphaned_log(path)
    with guarded(path, "opening"):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = apsw.Connection(str(path))
    try:
        with guarded(path, "opening"):
            connection.set_busy_timeout(BUSY_MS)
            _check_identity(connection, path)
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", "full")
            # Checkpoints run between batches, never inside a commit somebody waits for.
            connection.pragma("wal_autocheckpoint", 0)
            migrate(connection, path, migrations)
    except BaseException:
        close_quietly(connection)
        raise
    return connection


def query(connection: apsw.Connection, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run one reading statement to its end. Column types are the schema's promise, not the checker's."""
    return connection.execute(statement, values).fetchall()


def close_quietly(connection: apsw.Connection) -> None:
    """Close a connection whose failure was reported already."""
    with suppress(apsw.Error):
        connection.close(True)


def version_of(connection: apsw.Connection) -> int:
    """Return the schema version stored in the file, 0 for an empty one."""
    version = connection.pragma("user_version")
    assert isinstance(version, int)
    return version


def refuse_newer(found: int, known: int, path: Path) -> None:
    """Raise JournalError when the file was written by a newer build."""
    if found > known:
        message = f"{path} has schema version {found}, this build knows {known}"
        raise JournalError(message, hint="use the build that wrote it; a journal is never migrated backwards")


def migrate(connection: apsw.Connection, path: Path, migrations: Sequence[Sequence[str]]) -> None:
    """Bring the file forward, one transaction per version."""
    found = version_of(connection)
    refuse_newer(found, len(migrations), path)
    for version, statements in enumerate(migrations[found:], start=found + 1):
        with connection:
            for statement in statements:
                connection.execute(statement)
            connection.pragma("user_version", version)
            connection.pragma("application_id", APPLICATION_ID)


def _check_identity(connection: apsw.Connection, path: Path) -> None:
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
    if not empty and connection.pragma("application_id") != APPLICATION_ID:
        raise JournalError(f"{path} is an SQLite file of another program", hint="name another --home or account")


def _refuse_orphaned_log(path: Path) -> None:
    """SQLite deletes the write-ahead log of a missing or empty database: that would lose committed rows."""
    log = path.with_name(path.name + "-wal")
    database_bytes = path.stat().st_size if path.exists() else 0
    if database_bytes == 0 and log.exists() and log.stat().st_size > 0:
        raise JournalError(f"{path} is missing or empty but {log.name} holds committed rows", hint=RESTORE_HINT)
