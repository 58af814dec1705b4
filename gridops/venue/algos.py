"""One conditional order: what is asked once a price is reached, and how far it has come.

Sits beside `orders`, under the conditional rules. Mutable on purpose (the venue's own state); it decides nothing.
"""

from dataclasses import dataclass

WAITING = "NEW"
TRIGGERING = "TRIGGERING"
TRIGGERED = "TRIGGERED"
FINISHED = "FINISHED"
CANCELED = "CANCELED"
REJECTED = "REJECTED"
EXPIRED = "EXPIRED"

STOPS = ("STOP", "STOP_MARKET")
TAKES = ("TAKE_PROFIT", "TAKE_PROFIT_MARKET")
TRAILING = "TRAILING_STOP_MARKET"
CONDITIONAL_TYPES = (*STOPS, *TAKES, TRAILING)
WORKING_TYPES = ("CONTRACT_PRICE", "MARK_PRICE")


@dataclass(slots=True)
class Trigger:
    """When to act: prices in ticks, the trailing distance in hundredths of a percent, both sides of the comparison."""

    side: str
    type: str
    ticks: int
    working_type: str
    callback: int = 0
    activation_ticks: int = 0
    extreme_ticks: int = 0
    """Best price since a trailing stop became active; 0 before."""

    def rate_text(self) -> str:
        """The trailing distance in percent."""
        return f"{self.callback // 100}.{self.callback % 100:02d}"

    def reached(self, low: int, high: int) -> bool:
        """Whether prices between `low` and `high` set it off; a trailing stop moves its extreme on the way."""
        if self.type == TRAILING:
            return self._trails(low, high)
        rising = (self.side == "BUY") == (self.type in STOPS)
        return high >= self.ticks if rising else low <= self.ticks

    def _trails(self, low: int, high: int) -> bool:
        sells = self.side == "SELL"
        if not self.extreme_ticks:
            active = not self.activation_ticks or (
                high >= self.activation_ticks if sells else low <= self.activation_ticks
            )
            if not active:
                return False
            self.extreme_ticks = high if sells else low
        if sells:
            self.extreme_ticks = max(self.extreme_ticks, high)
            return low * 10_000 <= self.extreme_ticks * (10_000 - self.callback)
        self.extreme_ticks = min(self.extreme_ticks, low)
        return high * 10_000 >= self.extreme_ticks * (10_000 + self.callback)


@dataclass(slots=True)
class Algo:
    """A conditional order of one account. `lots` is 0 when it closes the whole position."""

    algo_id: int
    client_id: str
    account_id: str
    symbol: str
    trigger: Trigger
    tif: str
    price_ticks: int
    lots: int
    reduce_only: bool
    close_position: bool
    price_protect: bool
    stp: str
    price_match: str
    gtd_ms: int
    created_ms: int
    updated_ms: int
    triggered_ms: int = 0
    status: str = WAITING
    order_id: int = 0
    reason: str = ""
    position_side: str = "BOTH"

    @property
    def order_type(self) -> str:
        """Type of the order it turns into."""
        return "LIMIT" if self.trigger.type in ("STOP", "TAKE_PROFIT") else "MARKET"
