"""Orders, fills and positions as the engine keeps them, and as the venue reports them.

`Order` is the one mutable noun: only `runtime.observe` and `runtime.commit` change it. Everything the venue says is a
value of its own type, so that a report can never be mistaken for our belief.
"""

from dataclasses import dataclass
from decimal import Decimal

from gridops.domain.values import record
from gridops.domain.vocabulary import TERMINAL, OpKind, OrderState, OrderType, Side, TimeInForce


@dataclass(slots=True)
class PendingWrite:
    """A write of ours that has no final answer yet; it freezes its order."""

    op_id: int
    kind: OpKind
    sent_ms: int
    price_ticks: int
    lots: int
    unknown: bool = False
    refused: bool = False
    """The venue refused it. With `unknown` that puts the order itself in doubt, frozen until a query has answered;
    alone it is a cancel that may soon be tried again."""


@dataclass(slots=True)
class Order:
    client_id: str
    symbol: str
    side: Side
    level: int
    """Rung of the ladder: -1 is the nearest buy, +1 the nearest sell; 0 is no rung (an exit)."""
    price_ticks: int
    lots: int
    """Total quantity, the filled part included, as the venue counts it."""
    reduce_only: bool
    order_type: OrderType
    tif: TimeInForce
    state: OrderState
    epoch: int
    created_ms: int
    venue_id: str = ""
    filled_lots: int = 0
    """Sum of the fills booked; never what a reply merely claims."""
    reported_lots: int = 0
    """The venue's own cumulative figure; above `filled_lots` while a fill has not reached us."""
    amends: int = 0
    updated_ms: int = 0
    """Venue time of the newest fact applied."""
    filled_ms: int = 0
    """Venue time of the newest fill; 0 = none."""
    decision_mid2: int = 0
    """Twice the mid when the order was decided, for slippage."""
    pending: PendingWrite | None = None
    absent_reads: int = 0
    """Consistent reads, each started after the settle time, that did not list an UNKNOWN order."""
    ahead_lots: int = -1
    """Estimate of what stands before it at its price; -1 = not seen at the touch since it was placed or moved."""
    ahead_ticks: int = 0
    """The price the estimate speaks of."""

    @property
    def remaining(self) -> int:
        return self.lots - self.filled_lots

    @property
    def live(self) -> bool:
        """May still fill: everything that is not proven terminal, UNKNOWN included."""
        return self.state not in TERMINAL

    @property
    def worst_lots(self) -> int:
        """Remaining quantity if the write in flight takes effect or not, whichever is more."""
        if self.pending is not None and self.pending.kind is OpKind.AMEND:
            return max(self.lots, self.pending.lots) - self.filled_lots
        return self.lots - self.filled_lots

    def worst_price_ticks(self) -> int:
        """Highest price at which the order may rest, with the write in flight counted."""
        if self.pending is not None and self.pending.kind is OpKind.AMEND:
            return max(self.price_ticks, self.pending.price_ticks)
        return self.price_ticks


@record
class Fill:
    """One execution of ours; identity is (symbol, trade_id)."""

    symbol: str
    trade_id: int
    client_id: str
    venue_id: str
    side: Side
    level: int
    price_ticks: int
    lots: int
    fee: Decimal
    """Positive is paid."""
    fee_asset: str
    realised: Decimal
    """Realised PnL as the venue booked it, without fees."""
    maker: bool
    at_ms: int
    """Venue trade time."""
    reduce_only: bool = False
    decision_mid2: int = 0
    intended_ticks: int = 0
    regime: str = ""


@record
class VenueOrder:
    """An order as the venue reports it, by query, list or reply."""

    client_id: str
    venue_id: str
    symbol: str
    side: Side
    price_ticks: int
    lots: int
    filled_lots: int
    reduce_only: bool
    order_type: str
    tif: str
    status: str
    """The venue's own word: NEW, PARTIALLY_FILLED, FILLED, CANCELED, EXPIRED, EXPIRED_IN_MATCH, REJECTED."""
    updated_ms: int


@record
class VenuePosition:
    symbol: str
    lots: int
    """Signed."""
    entry_price: Decimal
    mark_price: Decimal
    unrealised: Decimal
    liquidation_price: Decimal
    updated_ms: int
    position_side: str = "BOTH"
    isolated: bool = False


@record
class VenueBalance:
    asset: str
    wallet: Decimal


@record
class VenueTrade:
    symbol: str
    trade_id: int
    venue_id: str
    side: Side
    price_ticks: int
    lots: int
    fee: Decimal
    fee_asset: str
    realised: Decimal
    maker: bool
    at_ms: int


@record
class VenueIncome:
    """One row of the venue's ledger; identity is (type, tran_id)."""

    income_type: str
    tran_id: str
    symbol: str
    asset: str
    amount: Decimal
    at_ms: int
    trade_id: str = ""


@record
class VenueModes:
    """Account modes that must be one-way, single-asset, cross."""

    hedge: bool
    multi_assets: bool
    can_trade: bool
