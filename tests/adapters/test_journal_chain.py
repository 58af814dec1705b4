"""A torn end is cut and reported; anything broken before the end is refused by name."""

import hashlib
import struct
from pathlib import Path

import apsw
import pytest
from gridops.adapters.journal_reader import JournalReader
from gridops.adapters.journal_sqlite import open_journal
from gridops.errors import ExitCode, JournalError
from tests.adapters.journal_rows import T0_MS, opened, snapshot, step

DAY_MS = 86_400_000


def filled(path: Path, rows: int = 9, checkpoint_at: int | None = 4) -> Path:
    journal = opened(path)
    for seq in range(1, rows + 1):
        journal.append(step(seq))
        if seq == checkpoint_at:
            journal.checkpoint(snapshot(seq))
    journal.close()
    return path


def damage(path: Path, statement: str, *values: object) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(statement, values)
    connection.close()


def last_seqs(path: Path) -> tuple[list[int], int]:
    journal = opened(path)
    tail = journal.tail()
    journal.close()
    return [row.seq for row in tail.rows], tail.torn


def test_chain_is_plain_sha256(tmp_path: Path) -> None:
    """The seal can be recomputed from the specification alone: previous hash, header with lengths, kind, body."""
    path = filled(tmp_path / "j.db", rows=3, checkpoint_at=None)
    seal = bytes(32)
    for seq in (1, 2, 3):
        head = struct.pack(">qqI", seq, T0_MS + seq, len(b"market"))
        seal = hashlib.sha256(seal + head + b"market" + b"body-%d" % seq).digest()
    with JournalReader(path) as reader:
        assert reader.verify_all().seal == seal.hex()


@pytest.mark.parametrize("column", ["body", "chain", "kind", "wall_ms", "nth"])
def test_a_torn_end_is_cut(tmp_path: Path, column: str) -> None:
    """The last row, damaged in any column, is set aside; the journal goes on behind the row before it."""
    path = filled(tmp_path / "j.db")
    damage(path, f"UPDATE steps SET {column} = ? WHERE seq = 9", 7 if column in ("wall_ms", "nth") else b"\xff\xfe")
    assert last_seqs(path) == ([5, 6, 7, 8], 1)
    journal = opened(path)
    assert journal.tail().torn == 0
    journal.append(step(9, body=b"after the cut"))
    journal.close()
    with JournalReader(path) as reader:
        assert reader.verify_all().rows == 9


def test_several_torn_rows_are_cut(tmp_path: Path) -> None:
    """Nothing valid behind the first broken row means a torn end, however long."""
    path = filled(tmp_path / "j.db")
    damage(path, "UPDATE steps SET body = ? WHERE seq >= 7", b"torn")
    assert last_seqs(path) == ([5, 6], 3)


@pytest.mark.parametrize("column", ["body", "chain", "kind", "wall_ms"])
def test_a_broken_middle_is_refused(tmp_path: Path, column: str) -> None:
    """A damaged row with valid rows behind it ends the start with exit 5, naming the row."""
    path = filled(tmp_path / "j.db")
    damage(path, f"UPDATE steps SET {column} = ? WHERE seq = 6", 7 if column == "wall_ms" else b"\xff\xfe")
    with pytest.raises(JournalError, match="row 6 does not match") as caught:
        opened(path)
    assert caught.value.exit_code == ExitCode.EVIDENCE
    assert caught.value.hint


def test_a_missing_row_is_refused(tmp_path: Path) -> None:
    """A hole in the middle is corruption of the row behind it."""
    path = filled(tmp_path / "j.db")
    damage(path, "DELETE FROM steps WHERE seq = 6")
    with pytest.raises(JournalError, match="row 7 "):
        opened(path)


def test_start_up_looks_behind_the_last_checkpoint_only(tmp_path: Path) -> None:
    """Damage before the checkpoint does not stop a start, but the whole verification names it."""
    path = filled(tmp_path / "j.db")
    damage(path, "UPDATE steps SET body = ? WHERE seq = 2", b"old damage")
    assert last_seqs(path) == ([5, 6, 7, 8, 9], 0)
    with JournalReader(path) as reader, pytest.raises(JournalError, match="row 2 does not match"):
        reader.verify_all()


def test_a_damaged_checkpoint_at_the_end_is_torn(tmp_path: Path) -> None:
    """The newest checkpoint, broken and with nothing behind it, is set aside and the one before it counts."""
    path = tmp_path / "j.db"
    journal = opened(path)
    for seq in (1, 2, 3, 4):
        journal.append(step(seq))
        if seq in (2, 4):
            journal.checkpoint(snapshot(seq))
    journal.close()
    damage(path, "UPDATE checkpoints SET state = ? WHERE seq = 4", b"torn")
    journal = opened(path)
    assert journal.tail().checkpoint == snapshot(2)
    assert [row.seq for row in journal.tail().rows] == [3, 4]
    assert journal.tail().torn == 1
    journal.close()
    with JournalReader(path) as reader:
        assert reader.verify_all().checkpoints == 1


def test_a_damaged_checkpoint_with_rows_behind_is_refused(tmp_path: Path) -> None:
    """Recovery from a state that does not verify would trade on it."""
    path = filled(tmp_path / "j.db")
    damage(path, "UPDATE checkpoints SET state_digest = 'forged' WHERE seq = 4")
    with pytest.raises(JournalError, match="checkpoint 4 "):
        opened(path)


def test_rows_lost_under_a_good_checkpoint_are_refused(tmp_path: Path) -> None:
    """A checkpoint proves its row existed; without it durable rows are gone and no torn write explains that."""
    path = filled(tmp_path / "j.db", rows=4)
    damage(path, "DELETE FROM steps WHERE seq >= 3")
    with pytest.raises(JournalError, match="checkpoint 4 "):
        opened(path)


def test_a_checkpoint_may_stand_before_the_first_row(tmp_path: Path) -> None:
    """The state an engine is born with can be journaled before any input."""
    path = tmp_path / "j.db"
    journal = opened(path)
    journal.checkpoint(snapshot(0))
    journal.append(step(1))
    journal.close()
    assert last_seqs(path) == ([1], 0)
    with JournalReader(path) as reader:
        verified = reader.verify_all()
        assert (verified.rows, verified.checkpoints) == (1, 1)


def test_days_are_sealed(tmp_path: Path) -> None:
    """Each UTC day is a segment opening with the seal of the day before; a clock set back opens none."""
    path = tmp_path / "j.db"
    journal = opened(path)
    walls = [T0_MS, T0_MS + DAY_MS - 1, T0_MS + DAY_MS, T0_MS + DAY_MS - 5, T0_MS + 3 * DAY_MS]
    for seq, wall_ms in enumerate(walls, start=1):
        journal.append(step(seq, wall_ms=wall_ms))
        if seq == 2:
            journal.checkpoint(snapshot(2))
    journal.close()
    connection = apsw.Connection(str(path))
    columns = "day, first_seq, last_seq, opening_checkpoint_seq"
    stored = connection.execute(f"SELECT {columns} FROM segments ORDER BY day").fetchall()
    connection.close()
    assert stored == [("2024-07-18", 1, 2, None), ("2024-07-19", 3, 4, 2), ("2024-07-21", 5, None, 2)]
    with JournalReader(path) as reader:
        assert reader.verify_all().segments == 3
    damage(path, "UPDATE segments SET opening_seal = ? WHERE day = '2024-07-19'", bytes(32))
    with JournalReader(path) as reader, pytest.raises(JournalError, match="segment 3 "):
        reader.verify_all()


def test_a_cut_reopens_its_day(tmp_path: Path) -> None:
    """When the torn rows had opened a day, the day before is open again."""
    path = tmp_path / "j.db"
    journal = opened(path)
    journal.append(step(1))
    journal.append(step(2))
    journal.append(step(3, wall_ms=T0_MS + DAY_MS))
    journal.close()
    damage(path, "UPDATE steps SET body = ? WHERE seq = 3", b"torn")
    journal = opened(path)
    assert journal.tail().torn == 1
    journal.append(step(4, wall_ms=T0_MS + DAY_MS))
    journal.close()
    with JournalReader(path) as reader:
        assert (reader.verify_all().segments, reader.count()) == (2, 3)


def overwrite(path: Path, at: int) -> None:
    with path.open("r+b") as handle:
        handle.seek(at)
        handle.write(b"\xa5" * 3_000)


def root_of(path: Path, table: str) -> int:
    """Return the byte where the first page of a table begins."""
    connection = apsw.Connection(str(path))
    page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).get
    connection.close()
    return (int(page) - 1) * 4_096


@pytest.mark.parametrize("at", [0, 18])
def test_a_malformed_header_is_named(tmp_path: Path, at: int) -> None:
    """A file whose first page is overwritten is refused by reader and writer, with its name."""
    path = filled(tmp_path / "j.db", rows=400, checkpoint_at=None)
    overwrite(path, at)
    with pytest.raises(JournalError, match=str(path)):
        opened(path)
    with pytest.raises(JournalError, match=str(path)):
        JournalReader(path)


@pytest.mark.parametrize("table", ["meta", "steps", "segments"])
def test_malformed_pages_are_named(tmp_path: Path, table: str) -> None:
    """Pages a start reads, overwritten, end it with a JournalError."""
    path = filled(tmp_path / "j.db", rows=400, checkpoint_at=None)
    overwrite(path, root_of(path, table))
    with pytest.raises(JournalError, match=str(path)):
        opened(path)


@pytest.mark.parametrize("table", ["runs", "orders", "fills", "cut_rows"])
def test_malformed_projections_do_not_verify(tmp_path: Path, table: str) -> None:
    """Pages a start does not read are found by the whole verification."""
    path = filled(tmp_path / "j.db", rows=400, checkpoint_at=None)
    overwrite(path, root_of(path, table))
    with JournalReader(path) as reader, pytest.raises(JournalError, match="damaged"):
        reader.verify_all()


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    """A byte flipped in any row never passes the whole verification, and never ends in a traceback."""
    path = filled(tmp_path / "j.db", rows=60)
    content = path.read_bytes()
    bodies = [at for at in range(len(content)) if content.startswith(b"body-", at)]
    assert len(bodies) >= 60
    for at in bodies:
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with JournalReader(path) as reader, pytest.raises(JournalError):
            reader.verify_all()


def test_an_orphaned_log_is_not_deleted(tmp_path: Path) -> None:
    """A log without its database holds the only copy of committed rows: opening would destroy it."""
    path = tmp_path / "j.db"
    log = tmp_path / "j.db-wal"
    log.write_bytes(b"committed rows")
    with pytest.raises(JournalError, match="missing or empty"):
        opened(path)
    assert log.read_bytes() == b"committed rows"


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """An SQLite file that is no journal is not touched."""
    path = tmp_path / "j.db"
    damage(path, "CREATE TABLE notes (text)")
    with pytest.raises(JournalError, match="another program"):
        opened(path)
    with pytest.raises(JournalError, match="not a journal"):
        JournalReader(path)


def test_migrations_go_forward_only(tmp_path: Path) -> None:
    """A file is brought to a later version with its rows, and then refused by a build that knows only earlier ones."""
    from gridops.adapters.journal_schema import MIGRATIONS

    path = filled(tmp_path / "j.db")
    newer = (*MIGRATIONS, ("ALTER TABLE fills ADD COLUMN note TEXT", "CREATE TABLE notes (text TEXT)"))
    journal = open_journal(path, account="paper", clock_ms=lambda: T0_MS, migrations=newer)
    assert [row.seq for row in journal.tail().rows] == [5, 6, 7, 8, 9]
    journal.close()
    with pytest.raises(JournalError, match=f"schema version {len(newer)}, this build knows {len(MIGRATIONS)}"):
        opened(path)
    with pytest.raises(JournalError, match=f"schema version {len(newer)}, this build knows {len(MIGRATIONS)}"):
        JournalReader(path)


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """Half a migration is rolled back with its version."""
    from gridops.adapters.journal_schema import MIGRATIONS

    path = filled(tmp_path / "j.db")
    broken = (*MIGRATIONS, ("CREATE TABLE notes (text TEXT)", "CREATE TABLE steps (again)"))
    with pytest.raises(JournalError, match="steps"):
        open_journal(path, account="paper", clock_ms=lambda: T0_MS, migrations=broken)
    assert last_seqs(path) == ([5, 6, 7, 8, 9], 0)
