"""The engine between its ports: keep the state, hand every record to every sink, and say what is to be done.

One journal row per step; a checkpoint with both digests every CHECKPOINT_EVERY inputs. The same class recovers a
journal and replays one: only the sinks and the executor of effects differ.
"""

from collections import deque
from collections.abc import Sequence
from hashlib import sha256

from gridops.decide.router import route
from gridops.domain.events import Event, Header
from gridops.domain.orders import Fill, Order
from gridops.errors import JournalError
from gridops.runtime import codec
from gridops.runtime.act import Planner
from gridops.runtime.ports import Sink
from gridops.runtime.ports_journal import CheckpointRow, FillRow, Journal, JournalRow, OrderRow, Tail, Token
from gridops.runtime.state import EngineState
from gridops.runtime.state_codec import decode_state, encode_state
from gridops.runtime.step import Step, step

CHECKPOINT_EVERY = 500
RING = 400


class Engine:
    """Owns the state of one account."""

    def __init__(
        self,
        state: EngineState,
        *,
        records_digest: str = "",
        sinks: Sequence[Sink] = (),
        planner: Planner = route,
    ) -> None:
        self.state, self.planner = state, planner
        self.records_digest = records_digest
        self.sinks = tuple(sinks)
        self.wake_at_ms = 0
        self.ring: deque[bytes] = deque(maxlen=RING)
        """Canonical bytes of the newest rows, for evidence."""

    def handle(self, header: Header, event: Event) -> tuple[Step, bytes]:
        """Take one input: the step's outcome, and the row's canonical bytes."""
        done = step(self.state, header, event, self.planner)
        self.wake_at_ms = done.wake_at_ms
        said = codec.encode_records(done.records)
        body = codec.encode_step(header, event, said, done.effects)
        if done.records:
            self.records_digest = chain(self.records_digest, said)
            for sink in self.sinks:
                sink.take(header, done.records)
        self.ring.append(body)
        return done, body

    def checkpoint(self) -> CheckpointRow:
        """The state after its newest input, with both digests."""
        body = encode_state(self.state)
        return CheckpointRow(self.state.seq, self.state.wall_ms, body, sha256(body).hexdigest(), self.records_digest)

    def record(self, journal: Journal, header: Header, event: Event, done: Step, body: bytes) -> Token:
        """Append the step's row; a checkpoint follows when one is due."""
        token = journal.append(
            JournalRow(
                header.seq,
                header.wall_ms,
                type(event).__name__,
                body,
                done.durable,
                tuple([_order_row(order, header.seq) for order in done.orders]) if done.orders else (),
                tuple([_fill_row(fill, header.seq) for fill in done.fills]) if done.fills else (),
            )
        )
        if header.seq % CHECKPOINT_EVERY == 0:
            journal.checkpoint(self.checkpoint())
        return token


def chain(previous: str, body: bytes) -> str:
    """The running digest of all records: of what was before, and the records of one step."""
    return sha256(previous.encode() + body).hexdigest()


def recover(tail: Tail, fresh: EngineState, *, build: str | None = None, planner: Planner = route) -> Engine:
    """The engine as the journal left it: last checkpoint, then every later input through the real step.

    Rows that another build than `build` wrote may be decided anew: the inputs are the facts, and the reconcile that
    every start begins with adopts or cancels what the other build had sent. None holds every row to its bytes.

    Raises:
        JournalError: the replayed tail does not say what the journal says it said.
    """
    if tail.checkpoint is None:
        engine = Engine(fresh, planner=planner)
    else:
        state = decode_state(tail.checkpoint.state)
        engine = Engine(state, records_digest=tail.checkpoint.records_digest, planner=planner)
    for stored in tail.rows:
        row = codec.decode_row(stored.body)
        _, body = engine.handle(row.header, codec.event_of(row))
        ours = build is None or engine.state.identity.build == build
        if body != stored.body and ours:
            raise JournalError(
                f"journal row {stored.seq} does not replay to what it recorded",
                hint="`gridops replay` shows the first divergence; this build may differ from the one that wrote it",
            )
    return engine


def _order_row(order: Order, seq: int) -> OrderRow:
    return OrderRow(
        order.client_id,
        order.symbol,
        order.side,
        order.state,
        order.price_ticks,
        order.lots,
        order.filled_lots,
        order.venue_id,
        str(order.level),
        order.epoch,
        seq,
    )


def _fill_row(fill: Fill, seq: int) -> FillRow:
    return FillRow(
        fill.symbol,
        fill.trade_id,
        fill.client_id,
        fill.side,
        fill.price_ticks,
        fill.lots,
        str(fill.fee),
        fill.fee_asset,
        str(fill.realised),
        fill.at_ms,
        fill.maker,
        seq,
    )
