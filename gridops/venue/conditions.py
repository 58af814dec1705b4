"""The condition of a conditional order: read from a call's parameters, compared with what the market shows.

Sits above filters, below the order rules; it changes nothing.
"""

from decimal import Decimal

from gridops.venue import filters
from gridops.venue.algos import TRAILING, WORKING_TYPES, Trigger
from gridops.venue.errors import VenueError
from gridops.venue.params import Params, choice, number, text
from gridops.venue.world import Market


def trigger(market: Market, params: Params, side: str, kind: str, at: str, activation: str) -> Trigger:
    """The condition of a conditional order; parameters are named differently on the two routes."""
    working = choice(params, "workingType", WORKING_TYPES, "CONTRACT_PRICE")
    if kind != TRAILING:
        return Trigger(side, kind, filters.price_ticks(market, params, at), working)
    distance = number(params, "callbackRate")
    if not Decimal("0.1") <= distance <= 10 or distance * 100 % 1:
        raise VenueError(-2007, "Invalid callBack rate.")
    active = 0 if text(params, activation) is None else filters.price_ticks(market, params, activation)
    return Trigger(side, kind, 0, working, callback=int(distance * 100), activation_ticks=active)


def still_ahead(market: Market, wanted: Trigger) -> None:
    """-2021 when the price is there already; a trailing stop has no price of its own yet."""
    shown = prices(market, wanted.working_type)
    if wanted.type != TRAILING and shown is not None and wanted.reached(*shown):
        raise VenueError(-2021, "Order would immediately trigger.")


def prices(market: Market, working_type: str) -> tuple[int, int] | None:
    """Lowest and highest price in ticks that the present operation has shown."""
    if working_type == "MARK_PRICE":
        mark = market.mark_price()
        if mark is None:
            return None
        ticks = int(mark / market.units.price.size)
        return ticks, ticks
    prints = market.printed or list(market.tape.prints)[-1:]
    if not prints:
        return None
    shown = [each.price_ticks for each in prints]
    return min(shown), max(shown)
