"""What each way of changing one level spends: requests, weight, order count, time without an order, queue place.

Below the router, which shows the price of its decision and of the runner-up. It ranks nothing by itself: safety rules
come first, and the cost explains.
"""

from gridops.decide.words import AMEND, NOOP
from gridops.domain.plan import Cost
from gridops.domain.vocabulary import Decision

BARE_MS = 50
"""Time a level has no order between a confirmed cancel and the replacement resting: about one round trip."""
FREE = Cost()
_PLACE = Cost(calls=1, orders=1)


def amend_cost(queue_lots: int) -> Cost:
    """One call, one count on both order windows, no weight; on this venue an amend always goes to the back."""
    return Cost(calls=1, orders=1, queue_lots=queue_lots)


def replace_cost(queue_lots: int) -> Cost:
    """A cancel (weight 1, no order count), then a place; the level is bare between the two."""
    return Cost(calls=2, weight=1, orders=1, bare_ms=BARE_MS, queue_lots=queue_lots)


def cancel_cost(queue_lots: int) -> Cost:
    return Cost(calls=1, weight=1, queue_lots=queue_lots)


def place_cost() -> Cost:
    return _PLACE


def cost_of(decision: Decision, *, working: bool, wanted: bool, queue_lots: int) -> Cost:
    """Cost of `decision` on a level that has an order (`working`) and, or, a target (`wanted`)."""
    if decision is NOOP:
        return FREE
    if decision is AMEND:
        return amend_cost(queue_lots)
    if working and wanted:
        return replace_cost(queue_lots)
    return cancel_cost(queue_lots) if working else _PLACE
