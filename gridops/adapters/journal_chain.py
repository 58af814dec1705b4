"""The hash chain over journal rows: how a row is linked, how a tail and a whole file are verified.

Sits under the writer and the reader of the journal. It reads, never writes; it decides what is torn (a broken end,
nothing valid after it) and what is corrupt (a broken middle), and refuses the second.
"""

import struct
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import apsw

from gridops.adapters import journal_columns
from gridops.adapters.journal_schema import COLUMNS_SINCE, RESTORE_HINT, guarded, query, version_of
from gridops.domain.values import record, value
from gridops.errors import JournalError
from gridops.runtime.ports_journal import CheckpointRow, InputRow

GENESIS = bytes(32)
_HEAD = struct.Struct(">qqI")
_PAGE = 2_000
_DAY_MS = 86_400_000


@value
class Position:
    """Where the chain stands: rows so far, last sequence number (0 before any), and the hash over all of them."""

    nth: int
    seq: int
    chain: bytes


@record
class Verified:
    """What a complete verification covered."""

    rows: int
    segments: int
    checkpoints: int
    last_seq: int
    seal: str


@record
class Scan:
    """The verified end of a journal, and what does not belong to it."""

    checkpoint: CheckpointRow | None
    rows: list[InputRow]
    position: Position
    torn_from_seq: int | None
    torn_checkpoint_seq: int | None


def link(chain: bytes, seq: int, wall_ms: int, kind: str, body: bytes) -> bytes:
    """Return the hash of a row: over the previous hash, its header with lengths, and its body."""
    name = kind.encode()
    return sha256(b"".join((chain, _HEAD.pack(seq, wall_ms, len(name)), name, body))).digest()


def checkpoint_seal(chain: bytes, row: CheckpointRow) -> bytes:
    """Return the hash that binds a checkpoint to the chain it was taken on."""
    head = _HEAD.pack(row.seq, row.wall_ms, len(row.state))
    digests = f"{row.state_digest}\n{row.records_digest}\n".encode()
    return sha256(b"".join((chain, head, digests, row.state))).digest()


def utc_day(wall_ms: int) -> str:
    """Return the UTC day of a wall-clock time in milliseconds, as YYYY-MM-DD."""
    return _day_name(wall_ms // _DAY_MS)


@lru_cache(maxsize=8)
def _day_name(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def scan_tail(connection: apsw.Connection, path: Path) -> Scan:
    """Verify from the last good checkpoint to the end.

    Raises:
        JournalError: corrupt in the middle; the message names the sequence number.
    """
    with guarded(path, "verifying"):
        checkpoint, start, torn_checkpoint = _last_checkpoint(connection, path)
        rows: list[InputRow] = []
        position = start
        for nth, row, chain in _stored(connection, start.seq):
            if not _fits(position, nth, row, chain):
                _refuse_middle(connection, path, row.seq, chain)
                return Scan(
                    checkpoint=checkpoint,
                    rows=rows,
                    position=position,
                    torn_from_seq=row.seq,
                    torn_checkpoint_seq=torn_checkpoint,
                )
            rows.append(row)
            position = Position(nth, row.seq, chain)
    return Scan(
        checkpoint=checkpoint, rows=rows, position=position, torn_from_seq=None, torn_checkpoint_seq=torn_checkpoint
    )


def verify_all(connection: apsw.Connection, path: Path) -> Verified:
    """Verify every row, segment, checkpoint and stretch of columns inside one read transaction.

    Raises:
        JournalError: names the first sequence number that does not verify.
    """
    with guarded(path, "verifying"), connection:
        found = query(connection, "PRAGMA quick_check(1)")[0][0]
        if found != "ok":
            raise JournalError(f"{path} is damaged: {found}", hint=RESTORE_HINT)
        seals = {0: GENESIS}
        marks = _marked_seqs(connection)
        position = Position(0, 0, GENESIS)
        for nth, row, chain in _stored(connection, -(2**62)):
            if not _fits(position, nth, row, chain):
                raise _corrupt(path, row.seq)
            position = Position(nth, row.seq, chain)
            if row.seq in marks:
                seals[row.seq] = chain
        segments = _verify_segments(connection, path, seals, position)
        checkpoints = _verify_checkpoints(connection, path, seals)
        _verify_columns(connection, path)
    return Verified(
        rows=position.nth,
        segments=segments,
        checkpoints=checkpoints,
        last_seq=position.seq,
        seal=position.chain.hex(),
    )


def _fits(position: Position, nth: int, row: InputRow, chain: bytes) -> bool:
    if nth != position.nth + 1 or (position.nth and row.seq <= position.seq):
        return False
    return _links(position.chain, row, chain)


def _links(before: bytes, row: InputRow, chain: bytes) -> bool:
    # Damage may change a column's type as well as its value: anything odd is "does not link", never a traceback.
    try:
        return link(before, row.seq, row.wall_ms, row.kind, row.body) == chain
    except (TypeError, AttributeError, struct.error):
        return False


def _stored(connection: apsw.Connection, after_seq: int) -> Iterator[tuple[int, InputRow, bytes]]:
    statement = "SELECT nth, chain, seq, wall_ms, kind, body FROM steps WHERE seq > ? ORDER BY seq LIMIT ?"
    while page := query(connection, statement, (after_seq, _PAGE)):
        for nth, chain, *row in page:
            yield nth, InputRow(*row), chain
        after_seq = page[-1][2]


def _refuse_middle(connection: apsw.Connection, path: Path, broken_seq: int, broken_chain: bytes) -> None:
    """Raise when any row after the broken one still links to its stored predecessor: the damage is not a torn end."""
    before = broken_chain
    for _, row, chain in _stored(connection, broken_seq):
        if _links(before, row, chain):
            raise _corrupt(path, broken_seq)
        before = chain


def _last_checkpoint(connection: apsw.Connection, path: Path) -> tuple[CheckpointRow | None, Position, int | None]:
    """Return the newest checkpoint that verifies; a broken one is accepted as torn only at the very end."""
    torn: int | None = None
    statement = """SELECT c.seq, c.wall_ms, c.state, c.state_digest, c.records_digest, c.chain, c.seal, s.nth, s.chain
                   FROM checkpoints c LEFT JOIN steps s ON s.seq = c.seq ORDER BY c.seq DESC LIMIT 2"""
    for *fields, chain, seal, nth, step_chain in query(connection, statement):
        row = CheckpointRow(*fields)
        sealed = _seals(chain, row, seal)
        if sealed and chain == (GENESIS if nth is None else step_chain):
            return row, Position(nth or 0, row.seq, chain), torn
        # A good seal over a row that is gone means rows were lost, which no torn write explains.
        if sealed or torn is not None or _rows_after(connection, row.seq):
            raise _corrupt(path, row.seq, "checkpoint")
        torn = row.seq
    return None, Position(0, -(2**62), GENESIS), torn


def _seals(chain: bytes, row: CheckpointRow, seal: bytes) -> bool:
    try:
        return checkpoint_seal(chain, row) == seal
    except (TypeError, AttributeError, struct.error):
        return False


def _rows_after(connection: apsw.Connection, seq: int) -> bool:
    return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM steps WHERE seq > ?)", (seq,)).get)


def _marked_seqs(connection: apsw.Connection) -> set[int]:
    """Sequence numbers whose hash some segment or checkpoint claims."""
    statement = """SELECT last_seq FROM segments WHERE last_seq IS NOT NULL UNION SELECT seq FROM checkpoints"""
    return {seq for (seq,) in query(connection, statement)}


def _verify_segments(connection: apsw.Connection, path: Path, seals: dict[int, bytes], end: Position) -> int:
    statement = "SELECT first_seq, last_seq, opening_seal, closing_seal FROM segments ORDER BY first_seq"
    segments = query(connection, statement)
    seal = GENESIS
    for nth, (first_seq, last_seq, opening, closing) in enumerate(segments, start=1):
        is_open = last_seq is None
        if opening != seal or is_open != (nth == len(segments)):
            raise _corrupt(path, first_seq, "segment")
        if not is_open and (closing is None or seals.get(last_seq) != closing):
            raise _corrupt(path, last_seq, "segment")
        seal = closing
    if end.nth and not segments:
        raise _corrupt(path, end.seq, "segment")
    return len(segments)


def _verify_checkpoints(connection: apsw.Connection, path: Path, seals: dict[int, bytes]) -> int:
    statement = "SELECT seq, wall_ms, state, state_digest, records_digest, chain, seal FROM checkpoints ORDER BY seq"
    stored = query(connection, statement)
    for *fields, chain, seal in stored:
        row = CheckpointRow(*fields)
        if seals.get(row.seq, GENESIS) != chain or not _seals(chain, row, seal):
            raise _corrupt(path, row.seq, "checkpoint")
    return len(stored)


def _verify_columns(connection: apsw.Connection, path: Path) -> None:
    """Sift the rows again: columns that say something else would be believed by every report."""
    if version_of(connection) < COLUMNS_SINCE:
        return
    for first, last in journal_columns.wrong(connection):
        message = f"{path} is corrupt: the columns of rows {first} to {last} are not what these rows say"
        raise JournalError(message, hint="rows and chain are whole; " + RESTORE_HINT)


def _corrupt(path: Path, seq: int, what: str = "row") -> JournalError:
    message = f"{path} is corrupt: {what} {seq} does not match its hash and what follows or claims it does"
    return JournalError(message, hint=RESTORE_HINT)
