"""Everything the engine wants done. Adapters execute one effect and return one input; they decide nothing."""

from gridops.domain.values import record, value
from gridops.domain.vocabulary import (
    Intent,
    OpKind,
    OrderType,
    QueryKind,
    Side,
    TimeInForce,
)


@value
class WireOp:
    """One order operation, ready for the wire. `op_id` is unique in a run and comes back in the WriteReply."""

    op_id: int
    kind: OpKind
    intent: Intent
    symbol: str
    client_id: str
    venue_id: str
    side: Side
    level: int
    price_ticks: int
    lots: int
    reduce_only: bool
    order_type: OrderType
    tif: TimeInForce
    countdown_ms: int = 0
    """Dead-man only: 0 disarms."""


@record
class Send:
    """Operations of one kind for one symbol that may share a batch; the answer is one WriteReply per operation.

    `durable` requests wait for the journal; a pure cancel does not. The stamps let the last hop refuse what is stale.
    """

    kind: OpKind
    symbol: str
    ops: tuple[WireOp, ...]
    durable: bool
    reserve: bool
    """May be sent from the reserve file when the journal cannot commit (a reduction)."""
    decided_boot_ns: int
    state_epoch: int
    lease_epoch: int


@record
class Query:
    query_id: int
    kind: QueryKind
    symbol: str
    client_id: str = ""
    from_id: int = 0
    """TRADES: first trade id wanted."""
    since_ms: int = 0
    """INCOME: earliest row wanted."""


@record
class WriteBundle:
    """Evidence to write. `name` is the folder below the evidence root, known now so that records can carry it."""

    mode: str
    status: str
    reason: str
    name: str
    at_ms: int
    seq: int
    title: str
    facts: tuple[tuple[str, str], ...]
    from_seq: int
    """Inputs and records from this sequence number on belong into the bundle."""


@record
class Answer:
    """Reply to an operator's request over the control socket."""

    request_id: str
    accepted: bool
    state: str
    detail: str
    bundle: str
    """Evidence folder below the root; empty when none."""
    document: str = ""
    """What was asked for as JSON, where a line is not enough."""


@record
class LatchKill:
    """Write or remove the kill latch file; the engine's own state is latched already."""

    latched: bool
    author: str
    reason: str


@record
class Finish:
    """The run is over. `resting` lists what stays at the venue."""

    outcome: str
    clean: bool
    resting: tuple[str, ...]


Effect = Send | Query | WriteBundle | Answer | LatchKill | Finish
