"""Columns stored with the rows tell what the rows tell; those of other rows or of another sifter are not used."""

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from gridops.adapters import journal_columns
from gridops.adapters.journal_columns import ColumnMaker
from gridops.adapters.journal_reader import JournalReader
from gridops.adapters.journal_schema import query
from gridops.usecases import roundtrip_read, roundtrip_sifters
from tests.usecases import roundtrip_journal as kit
from tests.usecases.test_roundtrip_sift import _busy, _row_by_row, _said, _spoiled

STEPS = "SELECT seq, nth, wall_ms, kind, chain, body FROM steps ORDER BY seq"
Spoil = Callable[[apsw.Connection], object]


@pytest.fixture(scope="module")
def stretch_rows() -> Iterator[None]:
    """Short stretches, and none made but by `store`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_columns, "ROWS", 9)
        patch.setattr(ColumnMaker, "waiting", 0)
        yield


Journals = list[tuple[Path, dict[str, Any]]]


@pytest.fixture(scope="module")
def journals(stretch_rows: None, tmp_path_factory: pytest.TempPathFactory) -> Journals:
    """An orderly and a spoiled one, with columns, and what each of them tells row by row."""
    folder, rows = tmp_path_factory.mktemp("stored"), _busy(1, 24).rows
    found: Journals = []
    for name, told in (("orderly", rows), ("spoiled", list(_spoiled(rows, 1)))):
        path = folder / f"{name}.db"
        kit.write(path, told)
        store(path)
        found.append((path, _said(_row_by_row(path))))
    return found


def store(path: Path, times: int = 1 << 30) -> None:
    """What the writer does beside the rows."""
    with closing(apsw.Connection(str(path))) as file:
        maker, left = ColumnMaker(), times
        maker.take([field for row in file.execute(STEPS).fetchall() for field in row])
        while len(maker._rows) >= journal_columns.ROWS and left:
            left, rows = left - 1, len(maker._rows)
            while len(maker._rows) == rows:
                maker.make()
            journal_columns.insert(file, maker.made())
            maker.stored(1)


def sql(statement: str) -> Spoil:
    return lambda file: file.execute(statement)


def _sealed_anew(file: apsw.Connection) -> None:
    """Other columns, with a seal that fits them, over a chain value that is not the row's."""
    stored: list[tuple[int, int, int, bytes]] = query(file, "SELECT first_seq, last_seq, rows, body FROM columns")
    for first, last, rows, body in stored:
        chain = bytes(32)
        held = journal_columns.Stretch(first, last, rows, body.replace(b"BTCUSDT", b"BTCUSDX"))
        file.execute(
            "UPDATE columns SET chain = ?, seal = ?, body = ? WHERE last_seq = ?",
            (chain, journal_columns.seal_of(held, chain), held.body, last),
        )


UNUSED: dict[str, tuple[Spoil, bool]] = {
    "as they are": (sql("SELECT 1"), True),
    "every other one": (sql("DELETE FROM columns WHERE (last_seq / 9) % 2"), True),
    "none": (sql("DELETE FROM columns"), False),
    "no table": (sql("DROP TABLE columns; PRAGMA user_version = 1"), False),
    "another sifter's": (sql("UPDATE columns SET sifter = sifter + 1, body = x'90'"), False),
    "damaged": (sql("UPDATE columns SET body = replace(body, CAST('BTC' AS BLOB), CAST('XYZ' AS BLOB))"), False),
    "of no type at all": (sql("UPDATE columns SET body = 7, seal = NULL WHERE 0; UPDATE columns SET body = 7"), False),
    "of other rows": (_sealed_anew, False),
    "of more rows than there are": (sql("DELETE FROM steps WHERE seq < 5"), True),
}


@pytest.mark.parametrize("name", UNUSED)
def test_the_history_is_the_same_with_columns_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journals: Journals, name: str
) -> None:
    original, told = journals[len(name) % 2]
    path = Path(shutil.copy(original, tmp_path / "j.db"))
    spoil, used = UNUSED[name]
    with closing(apsw.Connection(str(path))) as file:
        spoil(file)
    sifted: list[int] = []
    here = roundtrip_sifters._here

    def counted(journal: JournalReader, first: int, last: int) -> Iterator[object]:
        sifted.extend(range(first, last + 1))
        return here(journal, first, last)

    monkeypatch.setattr(roundtrip_sifters, "_here", counted)
    with JournalReader(path) as journal:
        newest = journal.last_row()
        assert newest is not None
        parts = list(roundtrip_sifters.parts(journal, 1, newest.seq))
    assert parts[0].first_seq <= 5 and parts[-1].last_seq == newest.seq
    assert sum(part.rows for part in parts) == newest.seq - (4 if "more rows" in name else 0)
    assert (len(sifted) < newest.seq) is used
    if "more rows" not in name:
        assert _said(roundtrip_read.read(path)) == told


@pytest.mark.usefixtures("stretch_rows")
@pytest.mark.parametrize(("times", "lost"), [(3, 0), (1 << 30, 30)], ids=["killed", "began half way"])
def test_columns_of_the_past_alone_and_rows_added_since(tmp_path: Path, times: int, lost: int) -> None:
    """What an engine that was killed leaves, and what one leaves that began to keep columns half way."""
    path = tmp_path / "j.db"
    kit.write(path, list(_spoiled(_busy(7, 20).rows, random.Random(7).randint(1, 9))))
    store(path, times)
    with closing(apsw.Connection(str(path))) as file:
        file.execute("DELETE FROM columns WHERE last_seq < ?", (lost,))
        assert query(file, "SELECT count(*) FROM columns")[0][0] > 0
    assert _said(roundtrip_read.read(path)) == _said(_row_by_row(path))
