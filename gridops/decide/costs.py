"""What each way of changing one level spends: requests, weight, order count, time without an order, queue place.

Below the router, which shows the price of its decision and of the runner-up. It ranks nothing by itself: safety rules
come first, and the cost explains.
"""

from functools import lru_cache

from gridops.decide.queue_place import CBPS, keep_cbps, new_place_permille, place_cbps, touch_permille
from gridops.decide.route_context import RouteContext
from gridops.decide.words import AMEND, BUY, NOOP
from gridops.domain.orders import Order
from gridops.domain.plan import Cost, Target
from gridops.domain.vocabulary import Decision

BARE_MS = 50
"""Time a level has no order between a confirmed cancel and the replacement resting: about one round trip."""
FREE = Cost()
_KEPT = 64
"""Costs that are not built again: rungs are of one size, so a plan needs few."""
_PLACE = Cost(calls=1, orders=1)


@lru_cache(maxsize=_KEPT)
def amend_cost(queue_lots: int, queue_cbps: int = 0) -> Cost:
    """One call, one count on both order windows, no weight; on this venue an amend always goes to the back."""
    return Cost(calls=1, orders=1, queue_lots=queue_lots, queue_cbps=queue_cbps)


@lru_cache(maxsize=_KEPT)
def replace_cost(queue_lots: int, queue_cbps: int = 0) -> Cost:
    """A cancel (weight 1, no order count), then a place; the level is bare between the two."""
    return Cost(calls=2, weight=1, orders=1, bare_ms=BARE_MS, queue_lots=queue_lots, queue_cbps=queue_cbps)


@lru_cache(maxsize=_KEPT)
def cancel_cost(queue_lots: int, queue_cbps: int = 0) -> Cost:
    return Cost(calls=1, weight=1, queue_lots=queue_lots, queue_cbps=queue_cbps)


def place_cost() -> Cost:
    return _PLACE


def cost_of(decision: Decision, working: bool, wanted: bool, queue_lots: int, queue_cbps: int = 0) -> Cost:
    """Cost of `decision` on a level that has an order (`working`) and, or, a target (`wanted`)."""
    if decision is NOOP:
        return FREE
    if decision is AMEND:
        return amend_cost(queue_lots, queue_cbps)
    if working and wanted:
        return replace_cost(queue_lots, queue_cbps)
    return cancel_cost(queue_lots, queue_cbps) if working else _PLACE


def queue_cbps(order: Order, ctx: RouteContext) -> int:
    """What the order's place at the touch is worth over a fresh one there, in cbps; 0 where none is known."""
    if order.ahead_lots < 0:
        return 0
    visible = _visible_lots(order, ctx)
    return place_cbps(order.ahead_lots, visible, _edge_cbps(ctx)) if visible else 0


def hold_ticks(order: Order, target: Target, ctx: RouteContext) -> int:
    """How far from its target the order may rest: the band, and at the touch what keeping is worth over moving."""
    band = ctx.band_ticks
    if order.ahead_lots < 0:
        return band
    visible = _visible_lots(order, ctx)
    if not visible or not ctx.rules.queue_gain_pct:
        return band
    if order.side is BUY:
        worse_ticks, behind_ticks = order.price_ticks - target.price_ticks, ctx.bid_ticks - target.price_ticks
    else:
        worse_ticks, behind_ticks = target.price_ticks - order.price_ticks, target.price_ticks - ctx.ask_ticks
    odds, moved = touch_permille(order.ahead_lots, visible), new_place_permille(_cbps(behind_ticks, ctx))
    worth = keep_cbps(odds, _edge_cbps(ctx), _cbps(worse_ticks, ctx), moved)
    return band + worth * ctx.mid2 * ctx.rules.queue_gain_pct // (200 * CBPS)


def _visible_lots(order: Order, ctx: RouteContext) -> int:
    """Size of the touch the order stands at with a known queue; 0 = it does not."""
    if order.ahead_lots < 0 or order.ahead_ticks != order.price_ticks:
        return 0
    touch, lots = (ctx.bid_ticks, ctx.bid_lots) if order.side is BUY else (ctx.ask_ticks, ctx.ask_lots)
    return lots if touch == order.price_ticks else 0


def _edge_cbps(ctx: RouteContext) -> int:
    """What a fill of a rung earns: half of the distance to the next one."""
    return _cbps(ctx.spacing_ticks, ctx) // 2


def _cbps(ticks: int, ctx: RouteContext) -> int:
    return ticks * 2 * CBPS // ctx.mid2 if ticks >= 0 else -(-ticks * 2 * CBPS // ctx.mid2)
