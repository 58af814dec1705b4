"""The ladder we would like to have resting: a symmetric geometric grid, skewed by inventory, bounded by the cap.

Between the market view and the router. Every price of the product that is a rung comes from `rung_prices`. It refuses
to cross the book, to ask for more exposure than the cap, and to close more than the position.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gridops.decide.regime import SCALES
from gridops.decide.words import BUY, GTX, LIMIT, SELL
from gridops.domain.instrument import Instrument
from gridops.domain.plan import Target
from gridops.domain.rules import GridRules
from gridops.domain.values import record
from gridops.domain.vocabulary import Regime, Side

RESPACE_PCT = 25
RESPACE_MS = 10_000
"""The spacing stays until the wanted one differs by more than RESPACE_PCT and this much time has passed."""
_FINE = 1_000_000_000
"""Prices are carried with nine decimals of a tick, so that rounding happens once, at the end."""


@dataclass(slots=True)
class GridState:
    """What the policy remembers; serialisable. `ladder` returns the same object when nothing changed."""

    spacing_cbps: int = 0
    """0 = not chosen yet. Without the throttle, which acts at once and is not remembered."""
    changed_ms: int = 0


@record
class GridInputs:
    symbol: str
    instrument: Instrument
    rules: GridRules
    bid_ticks: int
    ask_ticks: int
    mark_ticks: int
    position_lots: int
    """Signed."""
    lots: int
    """One rung, from `sizing.rung_lots`."""
    cap_units: int
    """Worst-case exposure allowed to this symbol, in ticks x lots."""
    at_ms: int
    """Venue time."""
    volatility_cbps: int | None = None
    """Deviation of one minute; None = unknown, the configured spacing is used."""
    regime: Regime = Regime.UNKNOWN
    throttle_spacing_pct: int = 100
    throttle_size_pct: int = 100
    waits: Mapping[int, int] = field(default_factory=dict)
    """Level -> venue time before which a filled rung is not set again."""
    allow_increase: bool = True
    """False: only what closes the position."""


def ladder(state: GridState, inputs: GridInputs) -> tuple[GridState, tuple[Target, ...]]:
    """The state to keep and the rungs, buys from -1 outwards, then sells from +1 outwards."""
    state = respace(state, inputs)
    mid2 = inputs.bid_ticks + inputs.ask_ticks
    if not 0 < inputs.bid_ticks < inputs.ask_ticks or inputs.lots <= 0:
        return state, ()
    spacing = effective_spacing_cbps(state, inputs)
    centre = _skewed_centre(mid2, spacing, inputs)
    targets: list[Target] = []
    for side in (BUY, SELL):
        prices = rung_prices(centre, spacing, side, inputs)
        targets += _side_targets(side, prices, inputs)
    return state, tuple(targets)


def wanted_spacing_cbps(inputs: GridInputs) -> int:
    """Spacing the market asks for: a share of one minute's deviation, at least the configured one, times the regime."""
    rules = inputs.rules
    spacing = rules.spacing_cbps
    if rules.volatility_scaled and inputs.volatility_cbps is not None:
        spacing = max(spacing, inputs.volatility_cbps * rules.volatility_multiple_pct // 100)
    if rules.regime_scaled:
        spacing = spacing * SCALES[inputs.regime].spacing_pct // 100
    return min(max(spacing, rules.spacing_cbps), rules.max_spacing_cbps)


def respace(state: GridState, inputs: GridInputs) -> GridState:
    """The state with the spacing the market asks for, or the same state while the present one is near enough."""
    wanted = wanted_spacing_cbps(inputs)
    if not state.spacing_cbps:
        return GridState(wanted, inputs.at_ms)
    if abs(wanted - state.spacing_cbps) * 100 <= RESPACE_PCT * state.spacing_cbps:
        return state
    return state if inputs.at_ms - state.changed_ms < RESPACE_MS else GridState(wanted, inputs.at_ms)


def effective_spacing_cbps(state: GridState, inputs: GridInputs) -> int:
    """Spacing in use: throttled at once, never above the maximum, never below one tick."""
    mid2 = inputs.bid_ticks + inputs.ask_ticks
    throttled = min(state.spacing_cbps * inputs.throttle_spacing_pct // 100, inputs.rules.max_spacing_cbps)
    return max(throttled, -(-2_000_000 // mid2))


def spacing_ticks(state: GridState, inputs: GridInputs) -> int:
    """Distance between rungs at the mid, in ticks, at least one: what the router's hold band is a percentage of."""
    mid2 = inputs.bid_ticks + inputs.ask_ticks
    return max(1, effective_spacing_cbps(state, inputs) * mid2 // 2_000_000)


def _skewed_centre(mid2: int, spacing: int, inputs: GridInputs) -> int:
    """Centre in 1e-9 ticks. At full inventory it stands skew_pct of the half-ladder's width against the position."""
    centre = mid2 * (_FINE // 2)
    cap_lots = max(0, inputs.cap_units // max(inputs.mark_ticks, mid2 // 2))
    if not cap_lots or not inputs.position_lots:
        return centre
    held = min(max(inputs.position_lots, -cap_lots), cap_lots)
    width_cbps = inputs.rules.skew_pct * spacing * inputs.rules.levels
    return centre - centre * held * width_cbps // (cap_lots * 100 * 1_000_000)


def rung_prices(centre: int, spacing_cbps: int, side: Side, inputs: GridInputs) -> list[int]:
    """Prices of one side in ticks, from the nearest outwards: geometric, rounded away from the mid, passive, distinct.

    A sell is the centre times (1 + first)(1 + spacing)^(k-1); a buy the centre divided by the same.
    """
    first = 100_000_000 + spacing_cbps * inputs.rules.first_level_pct
    step = 1_000_000 + spacing_cbps
    prices: list[int] = []
    if side is SELL:
        price, bound = centre * first // 100_000_000, inputs.ask_ticks
        for _ in range(inputs.rules.levels):
            bound = max(-(-price // _FINE), bound)
            prices.append(bound)
            price, bound = price * step // 1_000_000, bound + 1
        return prices
    price, bound = centre * 100_000_000 // first, inputs.bid_ticks
    for _ in range(inputs.rules.levels):
        bound = min(price // _FINE, bound)
        if bound < inputs.instrument.min_price_ticks:
            break
        prices.append(bound)
        price, bound = price * 1_000_000 // step, bound - 1
    return prices


def rung_size(inputs: GridInputs, lowest_ticks: int) -> int:
    """Lots of a rung after regime and throttle, not below what the venue takes, never above the size asked for."""
    pct = SCALES[inputs.regime].size_pct if inputs.rules.regime_scaled else 100
    scaled = inputs.lots * pct * inputs.throttle_size_pct // 10_000
    least = max(inputs.instrument.min_lots, -(-inputs.instrument.min_notional_units // lowest_ticks))
    return min(inputs.lots, max(scaled, least))


def _side_targets(side: Side, prices: list[int], inputs: GridInputs) -> list[Target]:
    if not prices:
        return []
    size = rung_size(inputs, min(prices[-1], inputs.bid_ticks))
    held = inputs.position_lots * side.sign
    """Position seen from this side: positive = this side adds to it."""
    closing = closing_lots(max(0, -held), size, len(prices), inputs.instrument)
    room = inputs.cap_units - held * inputs.mark_ticks
    targets = [_target(side, rung, price, lots, True, inputs) for rung, price, lots in _numbered(prices, closing)]
    if not inputs.allow_increase:
        return targets
    mark_ticks = inputs.mark_ticks
    room -= sum(one.lots * max(one.price_ticks, mark_ticks) for one in targets)
    for rung in range(len(closing) + 1, len(prices) + 1):
        price = prices[rung - 1]
        room -= size * (price if price > mark_ticks else mark_ticks)
        if room < 0:
            break
        targets.append(_target(side, rung, price, size, False, inputs))
    return targets


def _numbered(prices: list[int], lots: list[int]) -> list[tuple[int, int, int]]:
    return [(rung, price, many) for rung, (price, many) in enumerate(zip(prices, lots, strict=False), start=1)]


def closing_lots(position_lots: int, size: int, levels: int, instrument: Instrument) -> list[int]:
    """Reduce-only quantities of the nearest rungs; they sum to `position_lots` or, past the last rung, to less.

    A rest smaller than the venue's minimum joins the rung before it; alone, it cannot be closed by a resting order.
    """
    whole, rest = divmod(position_lots, size)
    if whole >= levels:
        return [size] * levels
    lots = [size] * whole
    if rest >= instrument.min_lots:
        lots.append(rest)
    elif rest and lots and lots[-1] + rest <= instrument.max_lots:
        lots[-1] += rest
    return lots


def _target(side: Side, rung: int, price_ticks: int, lots: int, reduce_only: bool, inputs: GridInputs) -> Target:
    level = -rung if side is BUY else rung
    wait_until_ms = 0 if reduce_only else inputs.waits.get(level, 0)
    return Target(level, inputs.symbol, side, price_ticks, lots, reduce_only, GTX, LIMIT, wait_until_ms)
