"""Reads the condition of a conditional order from a call's parameters. Sits above filters, below the order rules."""

from decimal import Decimal

from gridops.venue import filters
from gridops.venue.algos import TRAILING, WORKING_TYPES, Trigger
from gridops.venue.errors import VenueError
from gridops.venue.params import Params, choice, malformed, number, text
from gridops.venue.world import Market


def trigger(market: Market, params: Params, side: str, kind: str, at: str, activation: str) -> Trigger:
    """The condition of a conditional order; parameters are named differently on the two routes."""
    working = choice(params, "workingType", WORKING_TYPES, "CONTRACT_PRICE", malformed("workingType"))
    if kind != TRAILING:
        return Trigger(side, kind, filters.price_ticks(market, params, at), working)
    distance = number(params, "callbackRate")
    if not Decimal("0.1") <= distance <= 10 or distance * 100 % 1:
        raise VenueError(-2007, "Invalid callBack rate.")
    active = 0 if text(params, activation) is None else filters.price_ticks(market, params, activation)
    return Trigger(side, kind, 0, working, callback=int(distance * 100), activation_ticks=active)
