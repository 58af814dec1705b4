"""Everything the router is told besides targets and orders: book, position, caps, budgets, gates, memory of refusals.

A value handed in by the engine for one plan of one symbol. It holds no state and decides nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import field

from gridops.decide.words import BUY
from gridops.domain.instrument import Instrument
from gridops.domain.plan import Request, Verdict
from gridops.domain.rules import RouterRules
from gridops.domain.values import record
from gridops.domain.vocabulary import RouterReason, Side

Permit = Callable[[Request], Verdict | None]
"""The gate chain: the first refusal, None when the request may pass."""


@record
class RouteContext:
    """Prices in ticks, quantities in lots, exposures in ticks x lots, times in venue ms."""

    symbol: str
    instrument: Instrument
    rules: RouterRules
    bid_ticks: int
    ask_ticks: int
    mark_ticks: int
    position_lots: int
    """Signed, by our own fills."""
    venue_position_lots: int | None
    """Signed, by the newest venue read; None = unknown."""
    spacing_ticks: int
    cap_units: int
    account_cap_units: int
    permit: Permit
    now_ms: int
    other_units: int = 0
    """Worst-case exposure of the account's other symbols."""
    bid_lots: int = 0
    ask_lots: int = 0
    """Visible at the touch, our own included; 0 = not told."""
    unbooked_units: tuple[int, int] = (0, 0)
    """Bought and sold by orders that ended, known of, and not in `position_lots` yet."""
    lease_epoch: int = 0
    order_slots: int = 1_000
    """Places and amends that may be sent now; cancels and reductions draw on the reserve."""
    weight_left: int = 1_000
    budget_retry_ms: int = 0
    """When the next slot frees."""
    refused: Mapping[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    """(level, side) -> (same refusals in a row, time of the next probe)."""
    replacing: Mapping[int, str] = field(default_factory=dict)
    """Level -> client id of the first leg, proven terminal, whose replacement is due."""
    rate_low: bool = False
    """The rate budget is nearly used: no re-pricing at all."""
    allow_increase: bool = True
    """False: the lifecycle state wants every order off that may raise exposure; reduce-only ones stay."""
    sweep: RouterReason | None = None
    """KILL, STOP or FLATTEN: every order goes; only targets of level 0 (exits) are placed, and only for FLATTEN."""
    orphans: frozenset[str] = frozenset()
    """Client ids of own orders that the venue showed and we did not know: cancelled."""

    @property
    def mid2(self) -> int:
        return self.bid_ticks + self.ask_ticks

    @property
    def limit_units(self) -> int:
        """Worst-case exposure this symbol may reach."""
        return min(self.cap_units, self.account_cap_units - self.other_units)

    @property
    def band_ticks(self) -> int:
        return self.spacing_ticks * self.rules.hold_band_pct // 100

    def reducible(self, side: Side) -> int:
        """Lots a reduce-only order of `side` may take: what our figure and the venue's both show as open."""
        low = high = self.position_lots
        if self.venue_position_lots is not None:
            low, high = min(low, self.venue_position_lots), max(high, self.venue_position_lots)
        return max(-high, 0) if side is BUY else max(low, 0)
