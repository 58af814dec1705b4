"""Columns are made beside the rows, bound to them, and proven by sifting the rows again; rows never wait for them."""

import time
from array import array
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import apsw
import pytest
from gridops.adapters import journal_columns, journal_fields, journal_sift
from gridops.adapters.journal_reader import JournalReader
from gridops.adapters.journal_sqlite import SqliteJournal
from gridops.decide.roundtrip_fills import OUTSIDE
from gridops.domain import ids
from gridops.domain.events import Header
from gridops.domain.records import Filled
from gridops.errors import JournalError
from gridops.runtime import codec
from tests.adapters.journal_rows import opened, step
from tests.usecases.roundtrip_journal import Story, traded


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_columns, "ROWS", 4)
    monkeypatch.setattr(journal_columns, "BACKLOG", 4)


def filled(path: Path, last: int, first: int = 1) -> None:
    """Rows, and behind them commits enough for every stretch to be made and stored."""
    journal = opened(path)
    for seq in range(first, last + 1):
        journal.append(step(seq, durable=False))
    settled(journal)
    journal.close()


def settled(journal: SqliteJournal) -> None:
    columns = journal._queue._batches.columns
    assert journal.flush(5)
    deadline = time.monotonic() + 5
    while columns.waiting >= journal_columns.ROWS and time.monotonic() < deadline:
        time.sleep(0.001)
    assert journal.flush(5)


def bounds(path: Path) -> list[tuple[int, int]]:
    with JournalReader(path) as reader:
        return [(each.first_seq, each.last_seq) for each in reader.columns(0, 1 << 40)]


def damage(path: Path, *statements: str) -> None:
    with closing(apsw.Connection(str(path))) as file:
        for statement in statements:
            file.execute(statement)


def test_the_writer_leaves_columns_of_every_whole_stretch(tmp_path: Path) -> None:
    """Nine rows make two stretches of four; after a restart stretches begin anew, and all of it verifies."""
    path = tmp_path / "j.db"
    filled(path, 9)
    assert bounds(path) == [(1, 4), (5, 8)]
    filled(path, 14, first=10)
    assert bounds(path) == [(1, 4), (5, 8), (10, 13)]
    with JournalReader(path) as reader:
        assert reader.verify_all().rows == 14


def test_columns_that_say_something_else_do_not_verify(tmp_path: Path) -> None:
    """Whoever changes columns and seals them again is found by sifting the rows; a seal alone that is wrong, too."""
    path = tmp_path / "j.db"
    filled(path, 8)
    with JournalReader(path) as reader:
        first = next(reader.columns(0, 8))
    other = journal_columns.Stretch(1, 4, 4, journal_sift.encode([]))
    assert first.body != other.body
    with closing(apsw.Connection(str(path))) as file:
        chain = file.execute("SELECT chain FROM steps WHERE seq = 4").get
        seal = journal_columns.seal_of(other, chain)
        file.execute("UPDATE columns SET body = ?, seal = ? WHERE last_seq = 4", (other.body, seal))
    assert bounds(path) == [(1, 4), (5, 8)]
    with JournalReader(path) as reader, pytest.raises(JournalError, match="columns of rows 1 to 4 are not what"):
        reader.verify_all()
    damage(path, "DELETE FROM columns WHERE last_seq = 4", "UPDATE columns SET seal = zeroblob(32)")
    assert bounds(path) == []
    with JournalReader(path) as reader, pytest.raises(JournalError, match="columns of rows 5 to 8 are not what"):
        reader.verify_all()


def test_a_torn_tail_takes_its_columns_along(tmp_path: Path) -> None:
    """Rows that are cut and written anew under the same numbers have columns of their own."""
    path = tmp_path / "j.db"
    filled(path, 8)
    damage(path, "UPDATE steps SET body = CAST('torn' AS BLOB) WHERE seq >= 7")
    filled(path, 10, first=7)
    assert bounds(path) == [(1, 4), (7, 10)]
    with JournalReader(path) as reader:
        assert reader.verify_all().rows == 10


def test_a_journal_of_the_first_version_is_read_and_goes_on(tmp_path: Path) -> None:
    """A reader takes it as it is; the next engine adds the table and columns of what it writes itself."""
    path = tmp_path / "j.db"
    filled(path, 5)
    damage(path, "DROP TABLE columns", "PRAGMA user_version = 1")
    with JournalReader(path) as reader:
        assert reader.meta().schema_version == 1
        assert ([row.seq for row in reader.rows(0, 9)], list(reader.columns(0, 9))) == ([1, 2, 3, 4, 5], [])
        assert reader.verify_all().rows == 5
    filled(path, 10, first=6)
    assert bounds(path) == [(6, 9)]


def test_rows_that_cannot_be_sifted_are_committed_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "j.db"
    monkeypatch.setattr(journal_sift, "sifting", lambda _rows: 1 / 0)
    filled(path, 9)
    assert bounds(path) == []
    with JournalReader(path) as reader:
        assert reader.count() == 9


def test_columns_the_file_refuses_cost_no_commit(tmp_path: Path) -> None:
    """An order may wait for the batch that they are stored with: its rows are committed at the first try."""
    path = tmp_path / "j.db"
    opened(path).close()
    damage(path, "CREATE TRIGGER full BEFORE INSERT ON columns BEGIN SELECT RAISE(ABORT, 'no space'); END")
    journal = opened(path)
    for seq in range(1, 12):
        journal.append(step(seq))
        if seq == 5:
            settled(journal)
    settled(journal)
    assert (journal.failures, journal._queue._batches.columns.made()) == (0, [])
    journal.close()
    with JournalReader(path) as reader:
        assert (reader.count(), list(reader.columns(0, 99))) == (11, [])
        assert reader.verify_all().rows == 11


def _stored(story: Story) -> list[journal_sift.StoredRow]:
    rows: list[journal_sift.StoredRow] = []
    for seq, (at_ms, event, records) in enumerate(story.rows, 1):
        header = Header(seq=seq, wall_ms=at_ms, boot_ns=at_ms, boot_id="b", venue_ms=at_ms)
        rows.append((seq, at_ms, type(event).__name__, codec.encode_row(header, event, records, [])))
    return rows


def test_what_is_stored_changes_only_with_the_sifters_number() -> None:
    """Columns in journals outlive the build that made them: other bytes of the same rows need another number."""
    stretch = journal_columns.stretch_of(_stored(traded()))
    assert any(isinstance(said, Filled) for _, _, records in traded().rows for said in records)
    digest = sha256(stretch.body).hexdigest()[:16]
    assert (journal_columns.SIFTER, stretch.first_seq, stretch.rows, digest) == (3, 1, 24, "071f845723cd305e")


def test_an_orders_number_is_that_of_its_name_alone() -> None:
    """Columns in journals hold these numbers. Of a foreign name, and of one from the reserve, it is `b2sum -l 64`."""
    ours = [
        ids.mint(tag="test", epoch=7, run_id="r", symbol="BTCUSDT", level=1, side=side, attempt=1, marker=ids.ORDINARY)
        for side in ("BUY", "SELL")
    ]
    foreign = {"go1-test-B7": "674efd4d8b1373ec", "gotest0000007r0123456789abcdef01": "fc02717b24282789", "": "00" * 8}
    mixed = [*ours, *foreign]
    expected = [*(name[-16:] for name in ours), *foreign.values()]
    assert journal_fields.order_numbers(ours).hex() == "".join(expected[:2])
    assert journal_fields.order_numbers(mixed).hex() == "".join(expected)
    assert [journal_fields.order_numbers([name]).hex() for name in mixed] == expected
    assert array("q", journal_fields.order_numbers([""]))[0] == OUTSIDE


def test_a_stretch_is_made_in_steps_of_a_millisecond_or_so() -> None:
    """Of as many rows as a stretch has, quotes and fills in turn: orders may wait for the thread that makes it."""
    some = _stored(traded())
    work = journal_sift.sifting([some[number % len(some)] for number in range(256)])
    steps, began = [], time.thread_time()
    for _ in work:
        steps.append(time.thread_time() - began)
        began = time.thread_time()
    assert len(steps) > 5
    assert max(steps) < 0.02
