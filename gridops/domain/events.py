"""Every input of the engine. Whatever can change a decision arrives as one of these, numbered and journaled.

The live loop builds them, a replay reads them back; nothing else enters `step`.
"""

from decimal import Decimal

from gridops.domain.instrument import Instrument
from gridops.domain.market import MarketView, Signal
from gridops.domain.orders import (
    VenueBalance,
    VenueIncome,
    VenueModes,
    VenueOrder,
    VenuePosition,
    VenueTrade,
)
from gridops.domain.rules import Rules
from gridops.domain.values import record
from gridops.domain.vocabulary import OperatorCommand, QueryKind, Side, StopMode, Stream, VenueCode, WriteOutcome


@record
class Header:
    """Number and time of one input; `boot_ns` counts suspend, `venue_ms` is the estimated venue clock."""

    seq: int
    wall_ms: int
    boot_ns: int
    boot_id: str
    venue_ms: int


@record
class Boot:
    """A process took the lease and begins a run. Carries all that a replay needs to begin there too."""

    run_id: str
    instance_tag: str
    account: str
    fingerprint: str
    """Of the environment: venue, account, key id; never a secret."""
    epoch: int
    build: str
    config_hash: str
    armed: bool
    live: bool
    rules: Rules
    instruments: tuple[Instrument, ...]
    kill_latched: bool = False
    observer: bool = False
    """Reads and carries out remedies asked for by name; plans, quotes and beats nothing."""


@record
class ViewChanged:
    view: MarketView


@record
class SignalChanged:
    signal: Signal


@record
class OrderReport:
    """One ORDER_TRADE_UPDATE of the user stream (or a fill found by query, in the same shape)."""

    client_id: str
    venue_id: str
    symbol: str
    side: Side
    execution: str
    """NEW, TRADE, CANCELED, EXPIRED, AMENDMENT, CALCULATED, REJECTED."""
    status: str
    price_ticks: int
    lots: int
    filled_lots: int
    last_lots: int
    last_ticks: int
    trade_id: int
    """0 when the report is no trade."""
    fee: Decimal
    fee_asset: str
    realised: Decimal
    maker: bool
    reduce_only: bool
    order_type: str
    tif: str
    event_ms: int
    trade_ms: int


@record
class AccountReport:
    """One ACCOUNT_UPDATE."""

    reason: str
    balances: tuple[VenueBalance, ...]
    positions: tuple[tuple[str, int, Decimal], ...]
    """(symbol, signed lots, entry price); only what changed."""
    event_ms: int


@record
class VenueNotice:
    """Any other private event that matters: MARGIN_CALL, ACCOUNT_CONFIG_UPDATE, listenKeyExpired, unknown kinds."""

    kind: str
    symbol: str
    detail: str
    event_ms: int


@record
class WriteReply:
    """What became of one operation of a Send. `order` stands when the venue returned the order."""

    op_id: int
    outcome: WriteOutcome
    code: VenueCode
    number: int
    """The venue's numeric code, 0 when none."""
    detail: str
    order: VenueOrder | None
    started_ms: int
    """Venue-clock estimate when the request left."""
    ended_ms: int


@record
class QueryReply:
    """Answer of one Query. `ok` False means nothing is known: absence is not zero."""

    query_id: int
    kind: QueryKind
    symbol: str
    ok: bool
    code: VenueCode
    detail: str
    started_ms: int
    ended_ms: int
    complete: bool = True
    """False when the list may have been cut."""
    orders: tuple[VenueOrder, ...] = ()
    positions: tuple[VenuePosition, ...] = ()
    balances: tuple[VenueBalance, ...] = ()
    modes: VenueModes | None = None
    trades: tuple[VenueTrade, ...] = ()
    incomes: tuple[VenueIncome, ...] = ()
    instruments: tuple[Instrument, ...] = ()
    leverages: tuple[tuple[str, int], ...] = ()
    """RULES: (symbol, leverage) of the account; empty = not read."""
    clock_offset_ms: int = 0
    maintenance_margin: Decimal = Decimal(0)
    """POSITIONS: of the whole account, in the settlement asset."""
    margin_balance: Decimal = Decimal(0)
    """POSITIONS: wallet plus unrealised; 0 = not stated."""


@record
class BudgetSeen:
    """The venue's own count of what we used, from response headers; -1 = not stated."""

    weight_1m: int
    orders_10s: int
    orders_1m: int
    retry_after_ms: int
    banned: bool


@record
class StreamChanged:
    stream: Stream
    up: bool
    detail: str


@record
class OperatorInput:
    command: OperatorCommand
    request_id: str
    author: str
    reason: str
    accept_position: bool = False
    stop_mode: StopMode | None = None
    signal: Signal | None = None
    """Of the command SIGNAL; its `as_of_ms` is set when it is taken in."""
    digest: str = ""
    """Of the command SYNC: the plan to carry out; empty = look only."""


@record
class StopSignal:
    """SIGINT, SIGTERM or the end of `--duration`."""

    name: str


@record
class MarketEnded:
    """The recording is over; an orderly stop follows."""

    detail: str


@record
class LeaseSeen:
    held: bool
    epoch: int
    valid_until_ms: int


@record
class SinkReport:
    """A sink failed or recovered: journal, evidence, disk."""

    sink: str
    ok: bool
    detail: str


@record
class LoopReport:
    """The loop noticed something about its own process: lag, or a gap in the boot clock (suspend, SIGSTOP)."""

    lag_ms: int
    resumed: bool


@record
class Woke:
    """A deadline of the engine's own passed. Journaled only when it changed something."""


Event = (
    Boot
    | ViewChanged
    | SignalChanged
    | OrderReport
    | AccountReport
    | VenueNotice
    | WriteReply
    | QueryReply
    | BudgetSeen
    | StreamChanged
    | OperatorInput
    | StopSignal
    | MarketEnded
    | LeaseSeen
    | SinkReport
    | LoopReport
    | Woke
)
