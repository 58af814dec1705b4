"""Stretches of journal rows as columns, made when the rows are written, so that accounting never reads the rows again.

Beside the batch writer, which stores them with the rows that follow, and below the reader. Each stretch names the chain
value of its last row and is sealed with it: columns of other rows, of another sifter, or damaged ones are not used, and
the rows are read instead. They are a convenience: a stretch that cannot be made is left out, and nothing waits for it.
"""

import struct
from collections.abc import Generator, Iterator, Sequence
from hashlib import blake2b
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING

import apsw

from gridops.adapters.journal_schema import query
from gridops.domain.values import value

if TYPE_CHECKING:
    from gridops.adapters.journal_sift import Part, StoredRow

SIFTER = 3
"""Raise it when `journal_sift` gives other parts of the same rows: what is stored is then made from the rows again."""
ROWS = 256
"""Rows of one stretch: each step of sifting them keeps the interpreter for a millisecond or less."""
BACKLOG = 8 * ROWS
"""Rows that may wait to be sifted while others wait to be written."""
_SIFT = "gridops.adapters.journal_sift"
_MOST_KEPT = 64
"""Stretches that may wait for a transaction."""
_PAGE = 64
_HEAD = struct.Struct(">qqqq")
_STEP_FIELDS = 6
_COLUMNS = "last_seq, first_seq, rows, sifter, chain, seal, body"


@value
class Stretch:
    """Rows that follow each other, and their columns as `journal_sift.PARTS` decodes them."""

    first_seq: int
    last_seq: int
    rows: int
    body: bytes


def seal_of(stretch: Stretch, chain: bytes) -> bytes:
    """The hash that binds columns to the rows up to a chain value, and to the sifter that made them."""
    head = _HEAD.pack(stretch.first_seq, stretch.last_seq, stretch.rows, SIFTER)
    # Less than half the time of the chain's own hash: a long read checks hundreds of megabytes.
    return blake2b(b"".join((chain, head, stretch.body)), digest_size=32).digest()


class ColumnMaker:
    """Collects rows that were committed and sifts them. Used by one thread at a time."""

    def __init__(self) -> None:
        # Here and not when the first stretch is whole: by then orders wait for this thread.
        import_module(_SIFT)
        self._rows: list[tuple[StoredRow, bytes]] = []
        """Committed and not yet sifted, each with its chain value."""
        self._made: list[tuple[Stretch, bytes]] = []
        self._work: Generator[None, None, list[Part]] | None = None
        """The sifting of the oldest stretch, under way."""

    @property
    def waiting(self) -> int:
        """Rows that make whole stretches."""
        return len(self._rows) if len(self._rows) >= ROWS else 0

    def take(self, steps: Sequence[object]) -> None:
        """Note committed rows, given as the flattened values they were inserted with."""
        seqs, _, walls, kinds, chains, bodies = (islice(steps, at, None, _STEP_FIELDS) for at in range(_STEP_FIELDS))
        self._rows += zip(zip(seqs, walls, kinds, bodies, strict=True), chains, strict=True)  # type: ignore[arg-type]

    def make(self) -> None:
        """Go a small step on with the oldest stretch.

        Rows that cannot be sifted at all have no columns: they are read as they are.
        """
        from gridops.adapters import journal_sift

        some = self._rows[:ROWS]
        try:
            if self._work is None:
                self._work = journal_sift.sifting([row for row, _ in some])
            next(self._work)
            return
        except StopIteration as done:
            (first, *_), (last, *_) = some[0][0], some[-1][0]
            self._made.append((Stretch(first, last, len(some), journal_sift.encode(done.value)), some[-1][1]))
        except Exception:  # noqa: S110 - no row may wait for its columns: who reads sifts it
            pass
        self._work = None
        del self._rows[: len(some)], self._made[:-_MOST_KEPT]

    def made(self) -> list[tuple[object, ...]]:
        """Values of the stretches that no transaction holds yet."""
        return [_values(*each) for each in self._made]

    def stored(self, count: int) -> None:
        """So many of them were committed."""
        del self._made[:count]


def stretch_of(rows: "Sequence[StoredRow]") -> Stretch:
    """Rows that follow each other as columns."""
    # Whoever only looks into a journal loads no sifter: a command's start is measured in milliseconds.
    from gridops.adapters import journal_sift

    return Stretch(rows[0][0], rows[-1][0], len(rows), journal_sift.encode(journal_sift.sift(rows)))


def insert(connection: apsw.Connection, values: Sequence[tuple[object, ...]]) -> None:
    """Store stretches, inside the caller's transaction."""
    statement = f"INSERT OR REPLACE INTO columns ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
    for each in values:
        connection.execute(statement, each)


def stretches(connection: apsw.Connection, from_seq: int, to_seq: int) -> list[Stretch]:
    """Some of the stretches between two rows, the first ones first, that are this build's and of the rows there are.

    A stretch that is damaged comes without a body.
    """
    found = query(
        connection,
        f"""SELECT c.first_seq, c.last_seq, c.rows, CAST(c.body AS BLOB), last.chain, CAST(c.seal AS BLOB)
            FROM columns c JOIN steps last ON last.seq = c.last_seq JOIN steps first ON first.seq = c.first_seq
            WHERE c.last_seq BETWEEN ? AND ? AND c.first_seq >= ? AND c.sifter = ?
              AND c.chain = last.chain AND last.nth - first.nth + 1 = c.rows
            ORDER BY c.last_seq LIMIT {_PAGE}""",  # noqa: S608
        (from_seq, to_seq, from_seq, SIFTER),
    )
    return [_checked(Stretch(first, last, rows, body), chain, seal) for first, last, rows, body, chain, seal in found]


def _checked(stretch: Stretch, chain: bytes, seal: bytes) -> Stretch:
    try:
        good = seal_of(stretch, chain) == seal
    except (TypeError, struct.error):
        good = False
    return stretch if good else Stretch(stretch.first_seq, stretch.last_seq, 0, b"")


def wrong(connection: apsw.Connection) -> Iterator[tuple[int, int]]:
    """First and last row of every stretch of this build's sifter that is not what its rows say, sifted again."""
    rows_of = "SELECT seq, wall_ms, kind, body FROM steps WHERE seq BETWEEN ? AND ? ORDER BY seq"
    ends_of = "SELECT chain FROM steps WHERE seq = ?"
    every = "SELECT last_seq FROM columns WHERE sifter = ? ORDER BY last_seq"
    stored = f"SELECT {_COLUMNS} FROM columns WHERE last_seq = ?"  # noqa: S608
    for (number,) in query(connection, every, (SIFTER,)):
        last, first, *_ = held = query(connection, stored, (number,))[0]
        rows, end = query(connection, rows_of, (first, last)), query(connection, ends_of, (last,))
        if not rows or not end or held != _values(stretch_of(rows), end[0][0]):
            yield first, last


def _values(stretch: Stretch, chain: bytes) -> tuple[object, ...]:
    seal = seal_of(stretch, chain)
    return (stretch.last_seq, stretch.first_seq, stretch.rows, SIFTER, chain, seal, stretch.body)
