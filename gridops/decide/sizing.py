"""How many lots one rung holds: a share of equity, inside the interval the venue and our own cap allow.

Below the grid policy. It refuses to trade a size outside the interval: when the interval is empty the answer is a value
that names both ends in money, so that an operator can see which setting to move.
"""

from decimal import ROUND_FLOOR, Decimal

from gridops.domain.instrument import Instrument
from gridops.domain.rules import GridRules
from gridops.domain.values import record

RESIZE_PCT = 20
"""The size stays as it is until the ideal one differs by more than this."""


@record
class Infeasible:
    """No size fits. `low` is what the venue asks for at least, `high` what the caps allow at most."""

    low_lots: int
    high_lots: int
    low_notional: Decimal
    """Notional of one rung, in the settlement asset."""
    high_notional: Decimal
    reason: str


def feasible_lots(
    instrument: Instrument, price_ticks: int, cap_units: int, levels: int, *, max_order_units: int | None = None
) -> tuple[int, int]:
    """Smallest and largest rung, in lots, at `price_ticks`; the interval is empty when the first exceeds the second.

    The minimum notional counts price x quantity of the order, so pass the lowest price of the ladder for the low end to
    hold on every rung. `cap_units` is the worst-case exposure that `levels` rungs of one side may use together.
    """
    low = max(instrument.min_lots, -(-instrument.min_notional_units // price_ticks), 1)
    high = min(instrument.max_lots, cap_units // (price_ticks * max(levels, 1)))
    if max_order_units is not None:
        high = min(high, max_order_units // price_ticks)
    return low, high


def rung_lots(
    equity: Decimal,
    rules: GridRules,
    instrument: Instrument,
    price_ticks: int,
    *,
    cap_units: int,
    max_order_units: int | None = None,
    current_lots: int = 0,
) -> int | Infeasible:
    """Lots of one rung for `equity` in the settlement asset; `current_lots` is kept while it is near the ideal."""
    lowest_ticks = lowest_price_ticks(price_ticks, rules)
    low = feasible_lots(instrument, lowest_ticks, cap_units, rules.levels)[0]
    high = feasible_lots(
        instrument, highest_price_ticks(price_ticks, rules), cap_units, rules.levels, max_order_units=max_order_units
    )[1]
    if low > high:
        return _infeasible(instrument, price_ticks, low, high)
    notional = rules.rung_notional or equity * rules.rung_fraction_bps / 10_000
    ideal = int((notional / (instrument.unit * price_ticks)).to_integral_value(ROUND_FLOOR))
    ideal = min(max(ideal, low), high)
    if low <= current_lots <= high and abs(ideal - current_lots) * 100 <= RESIZE_PCT * current_lots:
        return current_lots
    return ideal


def lowest_price_ticks(price_ticks: int, rules: GridRules) -> int:
    """A price the lowest buy lies above, with room for four times the configured spacing."""
    return max(1, price_ticks * 1_000_000 // (1_000_000 + rules.spacing_cbps * rules.levels * 4))


def highest_price_ticks(price_ticks: int, rules: GridRules) -> int:
    """As `lowest_price_ticks`, for the highest sell."""
    return price_ticks * (1_000_000 + rules.spacing_cbps * rules.levels * 4) // 1_000_000 + 1


def _infeasible(instrument: Instrument, price_ticks: int, low: int, high: int) -> Infeasible:
    least = instrument.notional(price_ticks, low)
    most = instrument.notional(price_ticks, max(high, 0))
    return Infeasible(
        low_lots=low,
        high_lots=high,
        low_notional=least,
        high_notional=most,
        reason=f"{instrument.symbol}: a rung needs at least {least} (venue minimum) but the caps allow {most}",
    )
