"""What the gate chain sees: every figure it compares, as plain integers and flags, gathered once per plan.

Built by the step (and by the outbox for its last look) from state and rules. It judges nothing except the instrument's
bounds, whose decimals are turned into ticks and lots here, once, instead of once per request.
"""

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Self

from gridops.decide.budget import Room
from gridops.decide.exposure import ExposureSums
from gridops.decide.words import BUY, MARKET
from gridops.domain.instrument import Instrument
from gridops.domain.orders import Order
from gridops.domain.plan import Request
from gridops.domain.values import record
from gridops.domain.vocabulary import FsmState, StopMode


@record
class Bounds:
    """An instrument's rules in ticks and lots, at one mark price."""

    min_ticks: int
    max_ticks: int
    band_low_ticks: int
    """Lowest price of a sell, highest of a buy below: the venue's percent-price rule around the mark."""
    band_high_ticks: int
    min_lots: int
    max_lots: int
    market_max_lots: int
    min_units: int
    """Minimum notional in ticks x lots."""
    trading: bool

    @classmethod
    def of(cls, instrument: Instrument, mark_ticks: int) -> Self:
        mark = Decimal(mark_ticks)
        return cls(
            min_ticks=instrument.min_price_ticks,
            max_ticks=instrument.max_price_ticks,
            band_low_ticks=int((mark * instrument.percent_down).to_integral_value(ROUND_CEILING)),
            band_high_ticks=int((mark * instrument.percent_up).to_integral_value(ROUND_FLOOR)),
            min_lots=instrument.min_lots,
            max_lots=instrument.max_lots,
            market_max_lots=instrument.market_max_lots,
            min_units=instrument.min_notional_units,
            trading=instrument.trading,
        )

    def refuse(self, request: Request) -> str:
        """Why the venue's filters would refuse an increasing request; empty when they would not."""
        if not self.trading:
            return f"{request.symbol} is not trading"
        if request.lots < self.min_lots:
            return f"{request.lots} lots, minimum {self.min_lots}"
        if request.order_type is not MARKET:
            if request.price_ticks * request.lots < self.min_units:
                return f"notional {request.price_ticks * request.lots} units, minimum {self.min_units}"
            buys = request.side is BUY
            if buys and request.price_ticks > self.band_high_ticks:
                return f"price {request.price_ticks} above the band's {self.band_high_ticks}"
            if not buys and request.price_ticks < self.band_low_ticks:
                return f"price {request.price_ticks} below the band's {self.band_low_ticks}"
        return self.refuse_reduction(request)

    def refuse_reduction(self, request: Request) -> str:
        """The rules a reduction must keep too: grid and largest size. Minimum notional is waived for it."""
        market = request.order_type is MARKET
        largest = self.market_max_lots if market else self.max_lots
        if not 0 < request.lots <= largest:
            return f"{request.lots} lots, allowed 1 to {largest}: slice it"
        if not market and not self.min_ticks <= request.price_ticks <= self.max_ticks:
            return f"price {request.price_ticks}, allowed {self.min_ticks} to {self.max_ticks}"
        return ""


@record
class GateView:
    """One symbol's view. Ages are by the clock that counts suspend."""

    mode_ok: bool
    """The run may write to this venue: a real one needs mode `live`, a dry run writes nothing."""
    fingerprint_ok: bool
    armed: bool
    kill_latched: bool
    state: FsmState
    stop_mode: StopMode
    throttle_ok: bool
    """The request lies within the throttle caps; only asked in THROTTLED."""
    position_read_age_ms: int | None
    position_read_limit_ms: int
    named_by_read: frozenset[str]
    """Own client ids a venue read of this boot has named; only asked in INIT."""
    lease_held: bool
    lease_epoch: int
    foreign_writer: bool
    whitelist: frozenset[str]
    frozen: frozenset[str]
    filters_fresh: bool
    bounds: Bounds
    drawdown_active: bool
    sums: ExposureSums
    orders: Mapping[str, Order]
    """Live orders of the symbol by client id: an amend is judged against its original."""
    position_lots: int
    venue_lots: int | None
    cap_units: int
    account_cap_units: int
    """In this symbol's units, as is `other_units`."""
    other_units: int
    """Worst case of all other symbols."""
    max_order_units: int
    max_pending: int
    churn_left: int
    budget: Room
    deadman_ok: bool
    decision_age_ms: int
    step_age_ms: int
