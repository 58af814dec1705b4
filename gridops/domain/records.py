"""What the engine says it did. A record is the log line, the metric increment, the evidence row and the screen row."""

from decimal import Decimal

from gridops.domain.orders import Fill
from gridops.domain.plan import Choice
from gridops.domain.values import record, value
from gridops.domain.vocabulary import (
    FsmEvent,
    FsmReason,
    FsmState,
    Gate,
    MismatchKind,
    OpKind,
    OrderState,
    Regime,
    Severity,
    VenueCode,
    WriteOutcome,
)


@record
class Transition:
    from_state: FsmState
    to_state: FsmState
    event: FsmEvent
    reason: FsmReason
    epoch: int
    detail: str
    bundle: str


@record
class ConditionEdge:
    """A level opened or closed."""

    reason: FsmReason
    scope: str
    """`account`, or a symbol."""
    open: bool
    detail: str
    held_ms: int


@record
class ShadowEdge:
    """A level in shadow would have opened or closed: recorded, and nothing else happened."""

    reason: FsmReason
    scope: str
    open: bool
    detail: str
    held_ms: int


@value
class Decided:
    choice: Choice


@value
class Sent:
    """An operation handed to the outbox, after its intent was journaled in the same row."""

    op_id: int
    kind: OpKind
    client_id: str
    symbol: str
    level: int
    intent: str
    price_ticks: int
    lots: int
    reduce_only: bool


@record
class OrderMoved:
    """An order changed state."""

    client_id: str
    symbol: str
    level: int
    from_state: OrderState
    to_state: OrderState
    filled_lots: int
    detail: str


@record
class Wrote:
    """The outcome of an operation."""

    op_id: int
    kind: OpKind
    client_id: str
    outcome: WriteOutcome
    code: VenueCode
    number: int
    latency_ms: int


@record
class Filled:
    fill: Fill
    position_lots: int


@record
class TripClosed:
    """One rung's round trip. `net` = gross - fees + funding, in the settlement asset."""

    trip_id: str
    symbol: str
    side: str
    level: int
    regime: str
    lots: int
    entry_ms: int
    exit_ms: int
    entry_ticks_x_lots: int
    exit_ticks_x_lots: int
    maker_lots: int
    gross: Decimal
    fees: Decimal
    funding: Decimal
    net: Decimal
    net_bps: int
    slippage_units: int
    """Sum over both legs of (fill - intended level) x lots, signed against us."""
    unvalued_fee: bool
    close_reason: str


@record
class MismatchSeen:
    kind: MismatchKind
    severity: Severity
    symbol: str
    key: str
    local: str
    venue: str
    confirmed: bool
    closed: bool
    bundle: str


@record
class GateRefused:
    gate: Gate
    intent: str
    symbol: str
    level: int
    detail: str
    all_refusals: str


@record
class OutboxRefused:
    op_id: int
    client_id: str
    reason: str


@record
class RegimeChanged:
    symbol: str
    from_regime: Regime
    to_regime: Regime
    detail: str


@record
class GridChanged:
    """Spacing or size of the ladder changed; bps in hundredths."""

    symbol: str
    spacing_cbps: int
    lots: int
    volatility_cbps: int
    detail: str


@record
class Booked:
    """A row of the account's ledger other than a fill: funding, transfer, insurance, adl, unattributed."""

    kind: str
    asset: str
    symbol: str
    amount: Decimal
    tran_id: str
    at_ms: int
    lots: int = 0
    """Unattributed alone: signed lots the position moved by, without a trade."""
    price_ticks: int = 0


@record
class Remedied:
    """A remedy was carried out or refused. `remedy` is the metric's word; `outcome` applied or refused."""

    remedy: str
    outcome: str
    kind: MismatchKind
    symbol: str
    key: str
    detail: str


@record
class SyncDone:
    kind: str
    symbol: str
    ok: bool
    detail: str


@record
class Note:
    """Something an operator should see that has no type of its own. `topic` is a closed word."""

    topic: str
    severity: Severity
    detail: str


Record = (
    Transition
    | ConditionEdge
    | ShadowEdge
    | Decided
    | Sent
    | OrderMoved
    | Wrote
    | Filled
    | TripClosed
    | MismatchSeen
    | GateRefused
    | OutboxRefused
    | RegimeChanged
    | GridChanged
    | Booked
    | Remedied
    | SyncDone
    | Note
)
