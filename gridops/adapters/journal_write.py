"""The statements of the writing connection: a batch of rows as one transaction, the cut of a torn tail, the runs.

Sits under the writer thread of the journal. It keeps the chain's position, which moves only with a commit; it decides
nothing about when to write, and leaves no transaction open behind a failure.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

import apsw

from gridops.adapters import journal_columns
from gridops.adapters.journal_chain import GENESIS, Position, Scan, checkpoint_seal, link, utc_day
from gridops.domain.values import value
from gridops.runtime.ports_journal import CheckpointRow, FillRow, JournalRow, OrderRow

Job = Callable[[apsw.Connection], None]
Entry = JournalRow | CheckpointRow | Job

# SQLite releases the interpreter lock once per statement; fewer, wider statements keep the writer from waiting for it.
_WIDTHS = (64, 16, 4, 1)
_STEP = ("INSERT INTO steps (seq, nth, wall_ms, kind, chain, body) VALUES ", 6, "")
_CHECKPOINT = (
    "INSERT INTO checkpoints (seq, wall_ms, state_digest, records_digest, chain, seal, state) VALUES ",
    7,
    # A restart may checkpoint the state it recovered at the same input again: the newer one stands.
    """ ON CONFLICT (seq) DO UPDATE SET wall_ms = excluded.wall_ms, state_digest = excluded.state_digest,
        records_digest = excluded.records_digest, chain = excluded.chain, seal = excluded.seal,
        state = excluded.state""",
)
_ORDER = (
    """INSERT INTO orders (client_id, symbol, side, state, price_ticks, lots, filled_lots, venue_id, level, epoch, seq)
       VALUES """,
    11,
    """ ON CONFLICT (client_id) DO UPDATE SET state = excluded.state, price_ticks = excluded.price_ticks,
        lots = excluded.lots, filled_lots = excluded.filled_lots, venue_id = excluded.venue_id,
        level = excluded.level, epoch = excluded.epoch, seq = excluded.seq""",
)
_FILL = (
    """INSERT INTO fills (symbol, trade_id, client_id, side, price_ticks, lots, fee, fee_asset, realised, at_ms, maker,
       seq) VALUES """,
    12,
    " ON CONFLICT (symbol, trade_id) DO NOTHING",
)


@value
class OpenSegment:
    """The segment rows go to: its UTC day, and the last checkpoint known."""

    day: str
    checkpoint_seq: int | None


class BatchWriter:
    """Writes batches on one connection. Used by one thread at a time."""

    def __init__(self, connection: apsw.Connection, position: Position, segment: OpenSegment) -> None:
        self._connection = connection
        self._position = position
        self._segment = segment
        self._full = True
        self.log_pages = 0
        self.columns = journal_columns.ColumnMaker()
        """Of committed rows; who runs this writer says when they are made, and the next batch stores them."""
        connection.set_wal_hook(self._note_log)

    def write(self, entries: Sequence[Entry], *, durable: bool) -> None:
        """Commit all entries in order, or none.

        Raises:
            apsw.Error: nothing of the batch is in the file, and no transaction is open.
        """
        self._synchronous(full=durable)
        self._connection.execute("BEGIN IMMEDIATE")
        steps: list[object] = []
        made = self.columns.made()
        try:
            position, segment = self._fill_transaction(entries, steps)
            self._store_columns(made)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        finally:
            # Those of a failed batch too: a disk without space is asked for the rows alone.
            self.columns.stored(len(made))
        self._position, self._segment = position, segment
        self.columns.take(steps)

    def _store_columns(self, made: Sequence[tuple[object, ...]]) -> None:
        """What reports could make from the rows again must not cost a commit that an order waits for."""
        if made:
            with suppress(apsw.Error), self._connection:
                journal_columns.insert(self._connection, made)

    def fold_log(self) -> None:
        """Move the write-ahead log into the database as far as readers allow, without waiting for them."""
        self._synchronous(full=True)
        self.log_pages = 0
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def _synchronous(self, *, full: bool) -> None:
        if full != self._full:
            self._connection.pragma("synchronous", "full" if full else "normal")
            self._full = full

    def _note_log(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self.log_pages = pages
        return 0

    def _fill_transaction(self, entries: Sequence[Entry], steps: list[object]) -> tuple[Position, OpenSegment]:
        position, segment = self._position, self._segment
        for entry in entries:
            if isinstance(entry, JournalRow):
                segment = self._roll(segment, position, entry)
                position = _chained(position, entry, steps)
            elif isinstance(entry, CheckpointRow):
                _insert(self._connection, _CHECKPOINT, _checkpoint_values(position, entry))
                segment = OpenSegment(segment.day, entry.seq)
            else:
                entry(self._connection)
        _insert(self._connection, _STEP, steps)
        rows = [entry for entry in entries if isinstance(entry, JournalRow)]
        _insert(self._connection, _ORDER, _order_values(rows))
        _insert(self._connection, _FILL, [field for row in rows for fill in row.fills for field in _fill_values(fill)])
        return position, segment

    def _roll(self, segment: OpenSegment, position: Position, row: JournalRow) -> OpenSegment:
        """Seal the open segment when the row begins a later UTC day; a clock set back stays in the segment."""
        day = utc_day(row.wall_ms)
        if segment.day >= day:
            return segment
        if segment.day:
            self._connection.execute(
                "UPDATE segments SET last_seq = ?, closing_seal = ? WHERE day = ?",
                (position.seq, position.chain, segment.day),
            )
        self._connection.execute(
            "INSERT INTO segments (day, first_seq, opening_seal, opening_checkpoint_seq) VALUES (?, ?, ?, ?)",
            (day, row.seq, position.chain, segment.checkpoint_seq),
        )
        return OpenSegment(day, segment.checkpoint_seq)


def open_batches(connection: apsw.Connection, scan: Scan) -> BatchWriter:
    """Continue the chain where a verified scan ended."""
    position = scan.position
    if position.nth == 0:
        position = Position(0, 0, GENESIS)
    day = connection.execute("SELECT day FROM segments ORDER BY day DESC LIMIT 1").get
    checkpoint_seq = scan.checkpoint.seq if scan.checkpoint else None
    return BatchWriter(connection, position, OpenSegment(day or "", checkpoint_seq))


def cut(connection: apsw.Connection, scan: Scan, now_ms: int) -> int:
    """Move what a scan found torn into cut_rows, reopen its segment, and return how many rows that were."""
    if scan.torn_from_seq is None and scan.torn_checkpoint_seq is None:
        return 0
    count = 0
    with connection:
        if scan.torn_checkpoint_seq is not None:
            count += _set_aside(connection, "checkpoint", scan.torn_checkpoint_seq, now_ms)
        if scan.torn_from_seq is not None:
            count += _set_aside(connection, "step", scan.torn_from_seq, now_ms)
            connection.execute("DELETE FROM columns WHERE last_seq >= ?", (scan.torn_from_seq,))
            connection.execute("DELETE FROM segments WHERE first_seq >= ?", (scan.torn_from_seq,))
            connection.execute(
                """UPDATE segments SET last_seq = NULL, closing_seal = NULL
                   WHERE day = (SELECT max(day) FROM segments)"""
            )
    return count


def _set_aside(connection: apsw.Connection, what: str, from_seq: int, now_ms: int) -> int:
    table, kind, body = ("steps", "kind", "body") if what == "step" else ("checkpoints", "state_digest", "state")
    copied = f"SELECT ?, ?, seq, wall_ms, {kind}, chain, {body} FROM {table} WHERE seq >= ?"  # noqa: S608
    connection.execute(f"INSERT INTO cut_rows {copied}", (now_ms, what, from_seq))
    connection.execute(f"DELETE FROM {table} WHERE seq >= ?", (from_seq,))  # noqa: S608
    return connection.changes()


def _chained(position: Position, row: JournalRow, steps: list[object]) -> Position:
    chain = link(position.chain, row.seq, row.wall_ms, row.kind, row.body)
    following = Position(position.nth + 1, row.seq, chain)
    steps += (row.seq, following.nth, row.wall_ms, row.kind, chain, row.body)
    return following


def _checkpoint_values(position: Position, row: CheckpointRow) -> list[object]:
    seal = checkpoint_seal(position.chain, row)
    return [row.seq, row.wall_ms, row.state_digest, row.records_digest, position.chain, seal, row.state]


def _order_values(rows: Sequence[JournalRow]) -> list[object]:
    """Flatten the last form of every order touched by the batch: older forms would be overwritten anyway."""
    latest: dict[str, OrderRow] = {order.client_id: order for row in rows for order in row.orders}
    values: list[object] = []
    for order in latest.values():
        values += (order.client_id, order.symbol, order.side, order.state, order.price_ticks, order.lots)
        values += (order.filled_lots, order.venue_id, order.level, order.epoch, order.seq)
    return values


def _fill_values(fill: FillRow) -> tuple[object, ...]:
    head = (fill.symbol, fill.trade_id, fill.client_id, fill.side, fill.price_ticks, fill.lots)
    return (*head, fill.fee, fill.fee_asset, fill.realised, fill.at_ms, fill.maker, fill.seq)


def _insert(connection: apsw.Connection, statement: tuple[str, int, str], values: Sequence[object]) -> None:
    """Insert flattened rows, as many per statement as the widths allow."""
    head, columns, tail = statement
    marks = f"({', '.join('?' * columns)})"
    start, left = 0, len(values) // columns
    for width in _WIDTHS:
        while left >= width:
            end = start + width * columns
            connection.execute(head + ", ".join([marks] * width) + tail, values[start:end])
            start, left = end, left - width
