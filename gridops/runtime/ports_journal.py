"""The journal as the runtime sees it: what is written, what comes back at start-up, and the commit token.

Sits between the engine and whatever stores its inputs. It opens no file, waits for no disk and hashes nothing: an
implementation behind `Journal` does, and answers with tokens. A place or an amend may leave only after the token of
its row says `done()` with no `error`.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from gridops.domain.values import value


@value
class OrderRow:
    """The latest known form of one own order: a projection, upserted by client id."""

    client_id: str
    symbol: str
    side: str
    state: str
    price_ticks: int
    lots: int
    filled_lots: int
    venue_id: str
    level: str
    epoch: int
    seq: int


@value
class FillRow:
    """One fill; `fee` and `realised` are decimal strings. A projection, unique by (symbol, trade_id)."""

    symbol: str
    trade_id: int
    client_id: str
    side: str
    price_ticks: int
    lots: int
    fee: str
    fee_asset: str
    realised: str
    at_ms: int
    maker: bool
    seq: int


@value
class JournalRow:
    """One step: canonical bytes of (header, event, records, effects), and the projections it changes.

    `durable` is set when the step carries place or amend intents: the row must be on the disk before they are sent.
    Sequence numbers grow strictly; wall_ms decides the UTC day whose segment the row belongs to.
    """

    seq: int
    wall_ms: int
    kind: str
    body: bytes
    durable: bool
    orders: tuple[OrderRow, ...] = ()
    fills: tuple[FillRow, ...] = ()


@value
class CheckpointRow:
    """The engine's state after input `seq`, with the digests a replay must reproduce."""

    seq: int
    wall_ms: int
    state: bytes
    state_digest: str
    records_digest: str


class InputRow(NamedTuple):
    """One journaled step as it is read back."""

    seq: int
    wall_ms: int
    kind: str
    body: bytes


@value
class Tail:
    """What recovery starts from: the last checkpoint, every row after it, and how many torn rows were cut."""

    checkpoint: CheckpointRow | None
    rows: list[InputRow]
    torn: int


class Token(Protocol):
    """The promise that a row reaches the disk. `error` is set when a commit that contained the row failed.

    A failed token never turns good: the row stays queued and is retried in order, but what waited for the promise
    must treat it as broken.
    """

    @property
    def seq(self) -> int:
        """Sequence number of the row or checkpoint promised."""
        ...

    @property
    def error(self) -> BaseException | None:
        """Why the first commit of this row failed, None otherwise."""
        ...

    def done(self) -> bool:
        """Tell whether the outcome is known: committed (error is None) or failed (error is set)."""
        ...


class Journal(Protocol):
    """Append-only memory of one account. No call but `flush` and `close` waits for the disk."""

    @property
    def failures(self) -> int:
        """Commits that failed since opening, retries included."""
        ...

    def append(self, row: JournalRow) -> Token:
        """Queue a row for the next group commit.

        Raises:
            JournalError: more than 10,000 rows wait for the disk, or the journal is closed.
        """
        ...

    def checkpoint(self, row: CheckpointRow) -> Token:
        """Queue a checkpoint behind the rows appended so far; always durable. Raises as `append` does."""
        ...

    def on_commit(self, callback: Callable[[Token], None]) -> None:
        """Have every settled token, failed ones included, handed to `callback` on the writing thread."""
        ...

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything queued is durable; False when the time is over or the disk refuses."""
        ...

    def close(self) -> None:
        """Commit what can be committed and let the file go. Idempotent."""
        ...

    def bytes_used(self) -> int:
        """Return the size on disk in bytes, write-ahead log included."""
        ...
