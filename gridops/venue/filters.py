"""Price and quantity rules of a symbol, each refusal under the venue's own code.

Sits above parameters and units, below the order rules. It reads the market; it changes nothing.
"""

from decimal import ROUND_CEILING, Decimal

from gridops.venue.errors import VenueError
from gridops.venue.orders import BUY
from gridops.venue.params import Params, number
from gridops.venue.units import plain
from gridops.venue.world import Market


def _decimals(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def _on_grid(amount: Decimal, rule: Decimal, counted: Decimal) -> bool:
    """Whether a rule that has become coarser than the grid we count in allows the amount."""
    return rule is counted or not amount % rule


def price_ticks(market: Market, params: Params, name: str = "price") -> int:
    """PRICE_FILTER: a price parameter in ticks."""
    spec, price = market.spec, number(params, name)
    if price <= 0:
        raise VenueError(-4001, "Price less than 0.")
    ticks = market.units.price.count(price) if _on_grid(price, spec.tick_size, market.units.tick_size) else None
    if ticks is None and _decimals(price) > spec.price_precision:
        raise VenueError(-1111, "Precision is over the maximum defined for this asset.")
    if price < spec.min_price:
        raise VenueError(-4013, "Price less than min price.")
    if price > spec.max_price:
        raise VenueError(-4002, "Price greater than max price.")
    if ticks is None:
        raise VenueError(-4014, "Price not increased by tick size.")
    return ticks


def lots(market: Market, params: Params, *, market_order: bool) -> int:
    """LOT_SIZE or MARKET_LOT_SIZE: the `quantity` parameter in lots."""
    spec, quantity = market.spec, number(params, "quantity")
    if quantity <= 0:
        raise VenueError(-4003, "Quantity less than zero.")
    count = market.units.qty.count(quantity) if _on_grid(quantity, spec.step_size, market.units.step_size) else None
    if count is None and _decimals(quantity) > spec.quantity_precision:
        raise VenueError(-1111, "Precision is over the maximum defined for this asset.")
    if quantity < spec.min_qty:
        raise VenueError(-4004, "Quantity less than min quantity.")
    if quantity > (spec.market_max_qty if market_order else spec.max_qty):
        raise VenueError(-4005, "Quantity greater than max quantity.")
    if count is None:
        raise VenueError(-4023, "Qty not increased by step size.")
    return count


def percent_price(market: Market, side: str, ticks: int) -> None:
    """PERCENT_PRICE: a buy not above mark x up, a sell not below mark x down. No mark, no rule."""
    mark = market.mark_price()
    if mark is None:
        return
    price = market.units.price.value(ticks)
    if side == BUY and price > mark * market.spec.multiplier_up:
        raise VenueError(-4016, "Price is higher than mark price multiplier cap.")
    if side != BUY and price < mark * market.spec.multiplier_down:
        raise VenueError(-4024, "Price is lower than mark price multiplier floor.")


def market_limit(market: Market, side: str) -> int:
    """Worst price in ticks a MARKET order may trade at; -4131 when no counterparty is inside the band.

    Without a mark the best opposite price stands in for it.
    """
    best = market.book.against(side).best()
    if best is None:
        raise VenueError(-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit")
    mark = market.mark_price() or market.units.price.value(best)
    tick = market.units.price.size
    if side == BUY:
        limit = int(mark * market.spec.multiplier_up / tick)
        inside = best <= limit
    else:
        limit = int((mark * market.spec.multiplier_down / tick).to_integral_value(ROUND_CEILING))
        inside = best >= limit
    if not inside:
        raise VenueError(-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit")
    return limit


def min_notional(market: Market, notional: Decimal, *, amend: bool = False) -> None:
    """MIN_NOTIONAL of an order that may increase exposure: -4164, or -5029 for an amendment."""
    least = market.spec.min_notional
    if notional >= least:
        return
    if amend:
        raise VenueError(-5029, f"Order's notional must be no smaller than {plain(least)}")
    raise VenueError(-4164, f"Order's notional must be no smaller than {plain(least)} (unless you choose reduce only).")
