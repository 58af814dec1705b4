"""Does a plan still stand once its own writes are confirmed? Then a confirmation needs no new plan.

Between `act`, which asks this of each new plan, and `observe_orders`, which asks whether an answer is no more than the
confirmation that was waited for. Whenever in doubt both say no, and the ladder is planned anew.
"""

from gridops.domain.events import OrderReport
from gridops.domain.orders import Order, VenueOrder
from gridops.domain.plan import Plan
from gridops.domain.vocabulary import Decision, OpKind, OrderState, RouterReason

_NOOP = Decision.NOOP
_AMEND = OpKind.AMEND
_AT_REST = frozenset({RouterReason.UNCHANGED, RouterReason.WITHIN_HOLD_BAND, RouterReason.REFILL_WAIT})
"""Levels left alone for a reason that no answer to another level's write changes."""
_WORKING = frozenset({OrderState.OPEN, OrderState.PARTIAL})
_SHOWN = frozenset({"NEW", "PARTIALLY_FILLED"})


def stands(plan: Plan) -> bool:
    """True when nothing of the plan waits for an answer.

    A write of an earlier plan that is still in flight does: what it arrives as was decided for another ladder.
    """
    if any(op.after for op in plan.ops):
        return False
    return all(choice.decision is not _NOOP or choice.reason in _AT_REST for choice in plan.choices)


def confirms(order: Order, seen: VenueOrder | OrderReport) -> bool:
    """Does the venue show a working order exactly as our place or amend asked for it, and nothing else new?"""
    pending = order.pending
    if pending is None:
        if order.state not in _WORKING and order.state is not OrderState.SENT:
            return False
        asked = (order.price_ticks, order.lots)
    elif pending.kind is _AMEND and not pending.unknown and order.state in _WORKING:
        asked = (pending.price_ticks, pending.lots)
    else:
        return False
    return (
        seen.status in _SHOWN
        and (seen.price_ticks, seen.lots) == asked
        and seen.filled_lots == order.filled_lots == order.reported_lots
        and order.absent_reads == 0
    )
