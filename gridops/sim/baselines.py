"""The three ways of keeping a ladder that the field uses, as plan functions, for comparisons with the router only.

Put in the router's place at the composition of a simulation. Cancel-all-and-replace moves everything when anything is
off; all-or-nothing does the same beyond a tolerance; cohort matching cancels and creates one by one beyond 0.02 %. They
share nothing with the router but the values it is asked with, and no run that trades can reach them.

All three are given what a careful author would give them: batches, a cancel confirmed before its place is taken, no
order beyond cap or position, no re-pricing on a low rate budget, and the same gates.
"""

from collections.abc import Sequence

from gridops.decide.costs import FREE, cancel_cost, place_cost
from gridops.decide.route_context import RouteContext
from gridops.domain.orders import Order
from gridops.domain.plan import Choice, Cost, Op, Plan, Request, Target
from gridops.domain.vocabulary import (
    TERMINAL,
    Decision,
    Intent,
    OpKind,
    OrderState,
    OrderType,
    RouterReason,
    Side,
    TimeInForce,
)

COHORT_TOLERANCE_PPM = 200
"""0.02 %, of price and of quantity."""
_RESTING = (OrderState.OPEN, OrderState.PARTIAL)
Served = dict[int, Target]
"""Index of a working order -> the target that it serves."""


def cancel_all_and_replace(targets: Sequence[Target], orders: Sequence[Order], ctx: RouteContext) -> Plan:
    """Any order off its target, missing or over: everything goes and is placed anew."""
    live = _live(orders)
    if _unsettled(live):
        return _plan([], live, {}, [], ctx)
    served = _serve(targets, live, 0, 0)
    whole = len(served) == len(live) and not _admitted(_lacking(targets, served, ctx), targets, live, ctx)
    return _all_or_none(targets, live, served, whole, ctx)


def all_or_nothing(targets: Sequence[Target], orders: Sequence[Order], ctx: RouteContext) -> Plan:
    """With the router's own hold band as tolerance: beyond it everything goes; within it a missing rung is placed."""
    live = _live(orders)
    if _unsettled(live):
        return _plan([], live, {}, [], ctx)
    served = _serve(targets, live, ctx.band_ticks, ctx.rules.hold_lots_pct * 10_000)
    return _all_or_none(targets, live, served, len(served) == len(live), ctx)


def cohort_matching(targets: Sequence[Target], orders: Sequence[Order], ctx: RouteContext) -> Plan:
    """One-to-one within a cohort, nearest first, 0.02 % apart at most; the rest goes, what lacks is created."""
    live = _live(orders)
    band = ctx.mid2 * COHORT_TOLERANCE_PPM // 2_000_000
    served = _serve(targets, live, band, COHORT_TOLERANCE_PPM)
    return _plan(targets, live, served, [i for i in range(len(live)) if i not in served], ctx)


def _live(orders: Sequence[Order]) -> list[Order]:
    return sorted((o for o in orders if o.state not in TERMINAL), key=lambda o: (o.price_ticks, o.client_id))


def _unsettled(live: list[Order]) -> bool:
    """Something is under way: whoever moves all orders together waits for the last answer."""
    return any(order.pending is not None or order.state not in _RESTING for order in live)


def _all_or_none(targets: Sequence[Target], live: list[Order], served: Served, whole: bool, ctx: RouteContext) -> Plan:
    if whole or not live:
        return _plan(targets, live, served, [], ctx)
    return _plan([], live, {}, list(range(len(live))), ctx)


def _lacking(targets: Sequence[Target], served: Served, ctx: RouteContext) -> list[Target]:
    taken = {id(target) for target in served.values()}
    return [target for target in targets if id(target) not in taken and target.wait_until_ms <= ctx.now_ms]


def _serve(targets: Sequence[Target], live: list[Order], band_ticks: int, lots_ppm: int) -> Served:
    """Each order the nearest target of its cohort that no other order serves."""
    near: list[tuple[int, int, int]] = []
    for index, order in enumerate(live):
        price, rest, reduce_only, side = order.price_ticks, order.remaining, order.reduce_only, order.side
        for at, target in enumerate(targets):
            off = abs(price - target.price_ticks)
            if off > band_ticks or side is not target.side or reduce_only is not target.reduce_only or not order.level:
                continue
            if abs(rest - target.lots) * 1_000_000 <= lots_ppm * target.lots:
                near.append((off, index, at))
    near.sort()
    served: Served = {}
    used: set[int] = set()
    for _, index, at in near:
        if index not in served and at not in used:
            served[index] = targets[at]
            used.add(at)
    return served


def _plan(targets: Sequence[Target], live: list[Order], served: Served, going: list[int], ctx: RouteContext) -> Plan:
    ops: list[Op] = []
    choices = [_kept(target, live[index], ctx) for index, target in served.items()]
    for index in going:
        order = live[index]
        if order.pending is None and order.state in _RESTING and not (ctx.rate_low and ctx.allow_increase):
            ops.append(_cancel(len(ops), order))
            choices.append(_gone(order, ctx))
    for target in _admitted(_lacking(targets, served, ctx), targets, live, ctx):
        ops.append(_place(len(ops), target))
        choices.append(_new(target, ctx))
    waits = [target.wait_until_ms for target in targets if target.wait_until_ms > ctx.now_ms]
    return Plan(
        choices=tuple(choices),
        ops=tuple(ops),
        wce_before=0,
        wce_after=0,
        wake_ms=min(waits, default=0),
        quiet_low_mid2=ctx.mid2,
        quiet_high_mid2=ctx.mid2,
    )


def _admitted(wanted: list[Target], targets: Sequence[Target], live: list[Order], ctx: RouteContext) -> list[Target]:
    """Targets that may be placed now: beside every order that may still fill, none beyond cap, position or rungs."""
    found: list[Target] = []
    for side in (Side.BUY, Side.SELL):
        resting = [order for order in live if order.side is side]
        slots = sum(1 for target in targets if target.side is side) - len(resting)
        room = ctx.limit_units - ctx.position_lots * side.sign * ctx.mark_ticks - ctx.unbooked_units[side is Side.SELL]
        room -= sum(o.worst_lots * max(o.worst_price_ticks(), ctx.mark_ticks) for o in resting if not o.reduce_only)
        reducible = ctx.reducible(side) - sum(o.worst_lots for o in resting if o.reduce_only)
        for target in (each for each in wanted if each.side is side):
            units = target.lots * max(target.price_ticks, ctx.mark_ticks)
            fits = target.lots <= reducible if target.reduce_only else units <= room
            if slots <= 0 or len(found) >= ctx.order_slots or not fits or _takes(target, ctx):
                continue
            if ctx.permit(_request(target)) is not None:
                continue
            found.append(target)
            slots -= 1
            room -= 0 if target.reduce_only else units
            reducible -= target.lots if target.reduce_only else 0
    return found


def _takes(target: Target, ctx: RouteContext) -> bool:
    if target.side is Side.BUY:
        return target.price_ticks >= ctx.ask_ticks
    return target.price_ticks <= ctx.bid_ticks


def _request(target: Target) -> Request:
    return Request(
        kind=OpKind.PLACE,
        intent=Intent.REDUCE if target.reduce_only else Intent.INCREASE,
        symbol=target.symbol,
        side=target.side,
        price_ticks=target.price_ticks,
        lots=target.lots,
        reduce_only=target.reduce_only,
        order_type=target.order_type,
        tif=target.tif,
        level=target.level,
    )


def _cancel(index: int, order: Order) -> Op:
    return Op(
        index=index,
        kind=OpKind.CANCEL,
        intent=Intent.CANCEL,
        symbol=order.symbol,
        level=order.level,
        side=order.side,
        price_ticks=0,
        lots=0,
        reduce_only=order.reduce_only,
        order_type=OrderType.LIMIT,
        tif=TimeInForce.GTX,
        client_id=order.client_id,
    )


def _place(index: int, target: Target) -> Op:
    return Op(
        index=index,
        kind=OpKind.PLACE,
        intent=Intent.REDUCE if target.reduce_only else Intent.INCREASE,
        symbol=target.symbol,
        level=target.level,
        side=target.side,
        price_ticks=target.price_ticks,
        lots=target.lots,
        reduce_only=target.reduce_only,
        order_type=target.order_type,
        tif=target.tif,
        client_id="",
    )


def _kept(target: Target, order: Order, ctx: RouteContext) -> Choice:
    same = (order.price_ticks, order.remaining) == (target.price_ticks, target.lots)
    reason = RouterReason.UNCHANGED if same else RouterReason.WITHIN_HOLD_BAND
    return _choice(Decision.NOOP, reason, target.level, order, target, FREE, ctx)


def _gone(order: Order, ctx: RouteContext) -> Choice:
    cost = cancel_cost(order.remaining)
    return _choice(Decision.CANCEL_REPLACE, RouterReason.SURPLUS_LEVEL, order.level, order, None, cost, ctx)


def _new(target: Target, ctx: RouteContext) -> Choice:
    return _choice(Decision.CANCEL_REPLACE, RouterReason.NEW_LEVEL, target.level, None, target, place_cost(), ctx)


def _choice(
    decision: Decision,
    reason: RouterReason,
    level: int,
    order: Order | None,
    target: Target | None,
    cost: Cost,
    ctx: RouteContext,
) -> Choice:
    either = target if target is not None else order
    assert either is not None
    return Choice(
        symbol=ctx.symbol,
        level=level,
        decision=decision,
        reason=reason,
        side=either.side,
        client_id=order.client_id if order is not None else "",
        from_ticks=order.price_ticks if order is not None else 0,
        from_lots=order.remaining if order is not None else 0,
        to_ticks=target.price_ticks if target is not None else 0,
        to_lots=target.lots if target is not None else 0,
        cost=cost,
    )
