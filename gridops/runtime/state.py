"""Everything the engine remembers, as plain slots. Only `observe` and `commit` write here; decisions read.

The whole state can be encoded, so that a checkpoint restores it and a digest proves that a replay reached the same one.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from gridops.decide.budget import RateLedger, new_ledger
from gridops.decide.deadman import DeadmanMemory
from gridops.decide.drawdown import DrawdownMemory
from gridops.decide.fsm import FsmMemory
from gridops.decide.grid import GridState
from gridops.decide.levels import Level
from gridops.decide.regime import RegimeState
from gridops.decide.roundtrip import TripBook
from gridops.decide.sync import SyncState
from gridops.decide.tieout_rows import TieRows
from gridops.decide.volatility import VolatilityState
from gridops.domain.instrument import Instrument
from gridops.domain.market import MarketView, Signal
from gridops.domain.orders import Order
from gridops.domain.rules import Rules
from gridops.domain.vocabulary import FsmReason
from gridops.runtime.integers import Integers

NO_EXPIRY = 1 << 62
"""A lock file is held until it is not; a store-backed lease will say when."""


@dataclass(slots=True)
class Ledger:
    """The account's books, per settlement asset: what we say the wallet must be.

    `wallet` starts at the first venue read (the opening entry) and moves only by rows booked here.
    """

    opened: bool = False
    wallet: dict[str, Decimal] = field(default_factory=dict)
    realised: dict[str, Decimal] = field(default_factory=dict)
    fees: dict[str, Decimal] = field(default_factory=dict)
    """Per fee asset; positive is paid."""
    funding: dict[str, Decimal] = field(default_factory=dict)
    transfers: dict[str, Decimal] = field(default_factory=dict)
    other: dict[str, Decimal] = field(default_factory=dict)
    income_seen: dict[str, int] = field(default_factory=dict)
    """type:id:asset -> time, of rows the venue has listed; pruned by time."""
    income_since_ms: int = 0
    """Income rows before this venue time belong to the opening entry."""
    income_cursor_ms: int = 0
    """Every row before this venue time is booked; what is asked for next begins here."""
    tie: TieRows = field(default_factory=TieRows)
    """Rows of ours against the venue's, by name."""
    venue_wallet: dict[str, Decimal] = field(default_factory=dict)
    venue_wallet_ms: int = 0


@dataclass(slots=True)
class SymbolState:
    """One symbol: market as seen, own orders, position, ladder memory."""

    symbol: str
    view: MarketView
    instrument: Instrument
    orders: dict[str, Order] = field(default_factory=dict)
    """Live orders by client id; terminal ones move to `closed`."""
    closed: dict[str, Order] = field(default_factory=dict)
    """The most recent terminal orders, so that late fills and late acks find their owner."""
    unbooked: dict[str, int] = field(default_factory=dict)
    """Client id of an ended order -> lots the venue says it filled and no trade has told us of yet."""
    position_lots: int = 0
    """Signed: opening position + every booked fill."""
    position_known: bool = False
    opening_asked_ms: int = 0
    """Venue-clock time when the position to open with was asked for, while that is not proven."""
    opening_read_ms: int = 0
    """Boot time when it was answered; 0 = none waits for its proof."""
    entry_price: Decimal = Decimal(0)
    venue_lots: int = 0
    venue_lots_ms: int = 0
    """Venue-clock time when the newest position read was asked for; 0 = never read."""
    venue_updated_ms: int = 0
    """The venue's own time of the newest position believed."""
    venue_mark: Decimal = Decimal(0)
    venue_unrealised: Decimal = Decimal(0)
    liquidation_price: Decimal = Decimal(0)
    trade_ids: Integers = field(default_factory=Integers)
    """Booked trade ids in ascending order, the newest few hundred."""
    forgotten_trade_id: int = 0
    """Every trade up to it is booked and its id no longer kept."""
    last_trade_id: int = 0
    """Highest id below which every trade is booked (REST cursor)."""
    volatility: VolatilityState = field(default_factory=VolatilityState)
    regime: RegimeState = field(default_factory=RegimeState)
    grid: GridState = field(default_factory=GridState)
    trips: TripBook = field(default_factory=TripBook)
    named: dict[str, int] = field(default_factory=dict)
    """Client ids that the newest open-orders read of this boot has named, and when it was asked."""
    listed: dict[str, str] = field(default_factory=dict)
    """Client or venue id -> what that read says of the order."""
    leverage: int = 0
    """By the first read of this boot; 0 = not read."""
    refill_until: dict[int, int] = field(default_factory=dict)
    """Level -> venue time before which it is not placed again."""
    refused: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """"level|side" -> (venue number, refusals in a row, next probe)."""
    cancel_again_ms: int = 0
    """Venue time at which refused cancels are tried again; 0 = none waits."""
    replacing: dict[int, str] = field(default_factory=dict)
    """Level -> client id whose replacement leg is due."""
    last_choice: dict[int, str] = field(default_factory=dict)
    """Level -> what was recorded last, so that an unchanged decision is not said again."""
    dirty: bool = True
    """Something other than the market moved since the last plan."""
    stands: bool = False
    """The last plan needs no other when its writes are confirmed: nothing of it waits for an answer."""
    quiet_low_mid2: int = 1
    quiet_high_mid2: int = 0
    quiet_spread_ticks: int = 0
    plan_wake_ms: int = 0
    """Venue time at which a deferred decision is due; 0 = none."""
    planned_ms: int = 0
    alone_since_ms: int = 0
    """Boot time since when every look found a touch that only own orders make; 0 = the newest found none."""
    rung_lots: int = 0
    sized_ms: int = 0
    spacing_ticks: int = 1
    targets: int = 0
    last_fill_ms: int = 0
    """Venue-clock time when the newest fill was booked."""


@dataclass(slots=True)
class Health:
    """Raw facts about trust that no other part owns; times on the boot clock in ms."""

    user_up: bool = False
    user_since_ms: int = 0
    market_up: bool = False
    clock_offset_ms: int = 0
    clock_error_ms: int = 0
    """Newest measured offset against the one in use."""
    clock_read_ms: int = 0
    rules_read_ms: int = 0
    journal_ok: bool = True
    evidence_ok: bool = True
    disk_ok: bool = True
    lease_held: bool = True
    lease_until_ms: int = NO_EXPIRY
    """Boot time at which the lease ends unless renewed."""
    foreign_writer: bool = False
    auth_rejected: bool = False
    banned_until_ms: int = 0
    venue_failures: int = 0
    modes_ok: bool = True
    fingerprint_ok: bool = True
    loop_lag_ms: int = 0
    loop_lag_seen_ms: int = 0
    resumed_ms: int = 0
    resync_after_ms: int = 0
    """A full reconcile must have been started after this time before trust is back."""
    book_invalid: dict[str, int] = field(default_factory=dict)
    margin_ratio_bps: int = 0
    boot_ms: int = 0


@dataclass(slots=True)
class Wishes:
    """What operators asked for and has not ended."""

    killed: bool = False
    kill_author: str = ""
    kill_reason: str = ""
    paused: bool = False
    stop: FsmReason | None = None
    stop_since_ms: int = 0
    acked: bool = False
    accept_position: bool = False
    finished: bool = False


@dataclass(slots=True)
class Identity:
    """Who this run is."""

    run_id: str = ""
    instance_tag: str = ""
    account: str = ""
    fingerprint: str = ""
    epoch: int = 0
    build: str = ""
    armed: bool = False
    live: bool = False
    boot_id: str = ""
    observer: bool = False


@dataclass(slots=True)
class Counters:
    """Totals of this account's journal that the summary and the ids need."""

    op_id: int = 0
    query_id: int = 0
    attempt: int = 0
    fills: int = 0
    trips: int = 0
    trips_net: Decimal = Decimal(0)
    decisions: dict[str, int] = field(default_factory=dict)
    ops: dict[str, int] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)
    """Of this run, oldest first; only the newest are kept."""
    churn: Integers = field(default_factory=Integers)
    """Venue times of the last hour's risk-raising writes, per minute: [minute, count, ...]."""


@dataclass(slots=True)
class EngineState:
    """The root. `seq` is the number of the newest input applied."""

    rules: Rules
    seq: int = 0
    now_ms: int = 0
    """Boot clock of the newest input, ms."""
    venue_ms: int = 0
    wall_ms: int = 0
    booted: bool = False
    identity: Identity = field(default_factory=Identity)
    fsm: FsmMemory = field(default_factory=FsmMemory)
    levels: dict[str, Level] = field(default_factory=dict)
    shadow: dict[str, Level] = field(default_factory=dict)
    """What would be open if the rules did not keep it in shadow; nothing decides on it."""
    symbols: dict[str, SymbolState] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    health: Health = field(default_factory=Health)
    wishes: Wishes = field(default_factory=Wishes)
    sync: SyncState = field(default_factory=SyncState)
    budget: RateLedger = field(default_factory=new_ledger)
    drawdown: DrawdownMemory = field(default_factory=DrawdownMemory)
    deadman: dict[str, DeadmanMemory] = field(default_factory=dict)
    signals: dict[str, Signal] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    pages: dict[str, int] = field(default_factory=dict)
    """What lasts and an operator was told -> when it was said last, on the boot clock."""
    op_owner: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    """op_id -> (kind, symbol, client id) of operations with no reply yet."""
    sampled_ms: int = 0
    """Boot time of the newest look at equity and regime."""
    wake_at_ms: int = 0
    health_due_ms: int = 0
    """No level can open or close by time alone before this."""
