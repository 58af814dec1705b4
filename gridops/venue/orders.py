"""One order of one account: what was asked, what became of it, where it stands in its queue.

Sits under the book and the matcher. Mutable on purpose (the venue's own state); it decides nothing.
"""

from dataclasses import dataclass, field

from gridops.venue.algos import Trigger

NEW = "NEW"
PARTIALLY_FILLED = "PARTIALLY_FILLED"
FILLED = "FILLED"
CANCELED = "CANCELED"
EXPIRED = "EXPIRED"
EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"
OPEN_STATUSES = (NEW, PARTIALLY_FILLED)

BUY = "BUY"
SELL = "SELL"

BOTH = "BOTH"
"""The one position of a symbol in one-way mode; in hedge mode there are a LONG and a SHORT one."""
LONG = "LONG"
SHORT = "SHORT"

AUTOCLOSE = ("autoclose-", "adl_autoclose")
"""Client ids of orders by which the venue liquidates and deleverages."""

# Expiry reasons, field `er` of ORDER_TRADE_UPDATE.
ER_NONE = "0"
ER_STP = "1"
ER_IOC_REST = "2"
ER_IOC_STP = "3"
ER_REDUCE_ONLY = "4"
ER_LIQUIDATION = "5"
ER_TRIGGER_REJECT = "8"


@dataclass(slots=True)
class Amendment:
    """One line of an order's amendment history; prices in ticks, quantities in lots."""

    amendment_id: int
    at_ms: int
    price_before: int
    price_after: int
    lots_before: int
    lots_after: int
    count: int
    modify_id: int | None


@dataclass(slots=True, eq=False)
class Order:
    """Price in ticks (0 for MARKET), quantity in lots. `ahead` is the outside quantity still in front of it.

    An order equals itself only: queues and indexes look for this very one.
    """

    order_id: int
    account_id: str
    symbol: str
    client_id: str
    side: str
    type: str
    tif: str
    price_ticks: int
    lots: int
    reduce_only: bool
    stp: str
    price_match: str
    gtd_ms: int
    created_ms: int
    updated_ms: int
    status: str = NEW
    filled_lots: int = 0
    filled_tick_lots: int = 0
    amend_count: int = 0
    modify_id: int | None = None
    expiry_reason: str = ER_NONE
    ahead: int = 0
    priority: int = 0
    resting: bool = False
    strategy_id: int = 0
    """The conditional order it came from."""
    orig_type: str = ""
    stop_ticks: int = 0
    working_type: str = "CONTRACT_PRICE"
    price_protect: bool = False
    trigger: Trigger | None = None
    """The condition of an order of the older kind."""
    held: bool = False
    """It still waits for its condition, outside the book."""
    position_side: str = BOTH
    """In hedge mode the position it opens or closes; a closing one counts as reduce-only (assumption)."""
    amendments: list[Amendment] = field(default_factory=list)

    @property
    def remaining(self) -> int:
        """Lots not filled yet."""
        return self.lots - self.filled_lots

    @property
    def open(self) -> bool:
        """Neither filled, cancelled nor expired."""
        return self.status in OPEN_STATUSES

    @property
    def sign(self) -> int:
        """+1 buys, -1 sells."""
        return 1 if self.side == BUY else -1


def closing(side: str, position_side: str) -> bool:
    """Whether an order of that side can only shrink that position; in one-way mode its flag says so instead."""
    return position_side == (LONG if side == SELL else SHORT)
