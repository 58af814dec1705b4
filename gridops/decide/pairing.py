"""Puts targets and working orders side by side: per cohort by least change, then what is left over, nearest first.

Between the router and the matching. A cohort is what an amend cannot change: side, reduce-only, type, time in force.
It decides nothing about a pair and gives every target and every order exactly one place.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from gridops.decide.matching import Width, match
from gridops.decide.route_context import RouteContext
from gridops.decide.words import AMEND_OP, BUY, CANCEL_OP, GTX, LIMIT, SELL
from gridops.domain.orders import Order
from gridops.domain.plan import Target
from gridops.domain.vocabulary import OrderType, Side, TimeInForce

_PRICE = attrgetter("price_ticks")
_ORDER_PRICE = attrgetter("price_ticks", "client_id")
CHANGE = 1 << 40
"""Cost of a pair that needs an operation; far above any sum of distances, so changes are counted first."""
GAP = (1 << 39) + (1 << 30)
"""Half a change and a little: an order and a target both left over can still become one amend."""
_DETOUR = 2 * GAP - CHANGE
"""What a target and an order left over cost more than one change of both."""
_FAR = 1 << 60


@dataclass(slots=True)
class Cohort:
    targets: list[Target] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)


@dataclass(slots=True)
class Pairing:
    """Every target and order once. `pairs` are of one cohort, `crossed` of one side but different cohorts."""

    pairs: list[tuple[Target, Order]] = field(default_factory=list)
    crossed: list[tuple[Target, Order]] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)


def pair_up(targets: Sequence[Target], orders: Sequence[Order], ctx: RouteContext) -> Pairing:
    """Pair targets with live orders. An order that is being cancelled takes part only in what is left over."""
    found = Pairing()
    leaving: list[Order] = []
    for cohort in _cohorts(targets, orders, leaving):
        _pair_cohort(cohort, found, ctx)
    if found.targets and (found.orders or leaving):
        _pair_leftovers(found, leaving, ctx.now_ms)
    else:
        found.orders += leaving
    return found


def _cohorts(targets: Sequence[Target], orders: Sequence[Order], leaving: list[Order]) -> list[Cohort]:
    usual = (Cohort(), Cohort(), Cohort(), Cohort())
    others: dict[tuple[Side, bool, OrderType, TimeInForce], Cohort] = {}
    for target in targets:
        if target.tif is GTX and target.order_type is LIMIT:
            usual[(2 if target.side is BUY else 0) + target.reduce_only].targets.append(target)
        else:
            key = (target.side, target.reduce_only, target.order_type, target.tif)
            others.setdefault(key, Cohort()).targets.append(target)
    for order in orders:
        pending = order.pending
        if pending is not None and pending.kind is CANCEL_OP:
            leaving.append(order)
        elif order.tif is GTX and order.order_type is LIMIT:
            usual[(2 if order.side is BUY else 0) + order.reduce_only].orders.append(order)
        else:
            key = (order.side, order.reduce_only, order.order_type, order.tif)
            others.setdefault(key, Cohort()).orders.append(order)
    return [*usual, *others.values()]


def expected_ticks(order: Order) -> int:
    """Where the order will rest if the amend in flight takes effect."""
    if order.pending is not None and order.pending.kind is AMEND_OP:
        return order.pending.price_ticks
    return order.price_ticks


def _pair_cohort(cohort: Cohort, found: Pairing, ctx: RouteContext) -> None:
    targets, orders = cohort.targets, cohort.orders
    if not targets or not orders:
        found.targets += targets
        found.orders += orders
        return
    targets.sort(key=_PRICE)
    orders.sort(key=_ORDER_PRICE)
    if len(targets) == len(orders) and _rank_to_rank(targets, orders, ctx):
        found.pairs += zip(targets, orders, strict=True)
        return
    _match_cohort(targets, orders, found, ctx)


def _rank_to_rank(targets: list[Target], orders: list[Order], ctx: RouteContext) -> bool:
    """Is pairing by rank surely best? With equal counts every other matching leaves a target and an order over.

    That costs more than one change, so it must spare two. It cannot when at most one pair changes, nor when no changed
    target could be served by any order as it rests, nor when no changed order could be kept for any target.
    """
    band, lots_pct, now_ms = ctx.band_ticks, ctx.rules.hold_lots_pct, ctx.now_ms
    changed: list[int] = []
    for index, (target, order) in enumerate(zip(targets, orders, strict=True)):
        if order.pending is not None:
            return False
        off_lots = order.lots - order.filled_lots - target.lots
        if -band <= target.price_ticks - order.price_ticks <= band and abs(off_lots) * 100 <= lots_pct * target.lots:
            continue
        if target.wait_until_ms > now_ms:
            return False
        changed.append(index)
    if len(changed) < 2 or not any(_servable(targets[index], index, orders, ctx) for index in changed):
        return True
    return _near_enough(targets, orders) and not any(_useful(orders[index], index, targets, ctx) for index in changed)


def _servable(target: Target, rank: int, orders: list[Order], ctx: RouteContext) -> bool:
    """Does any order rest where it could be kept for the target? Orders are sorted by price."""
    low, high = target.price_ticks - ctx.band_ticks, target.price_ticks + ctx.band_ticks
    slack = ctx.rules.hold_lots_pct * target.lots
    while rank > 0 and orders[rank - 1].price_ticks >= low:
        rank -= 1
    for order in orders[rank:]:
        if order.price_ticks > high:
            break
        if order.price_ticks >= low and abs(order.remaining - target.lots) * 100 <= slack:
            return True
    return False


def _useful(order: Order, rank: int, targets: list[Target], ctx: RouteContext) -> bool:
    """The same from the other side: could the order be kept for any target? Targets are sorted by price."""
    low, high = order.price_ticks - ctx.band_ticks, order.price_ticks + ctx.band_ticks
    rest, lots_pct = order.remaining, ctx.rules.hold_lots_pct
    while rank > 0 and targets[rank - 1].price_ticks >= low:
        rank -= 1
    for target in targets[rank:]:
        if target.price_ticks > high:
            break
        if target.price_ticks >= low and abs(rest - target.lots) * 100 <= lots_pct * target.lots:
            return True
    return False


def _near_enough(targets: list[Target], orders: list[Order]) -> bool:
    """Does a detour cost more than all distances together? Both sorted by price, neither empty."""
    highest = max(targets[-1].price_ticks, orders[-1].price_ticks)
    lowest = min(targets[0].price_ticks, orders[0].price_ticks)
    return 2 * (highest - lowest) * (len(targets) + len(orders)) < _DETOUR


def _match_cohort(targets: list[Target], orders: list[Order], found: Pairing, ctx: RouteContext) -> None:
    prices = [expected_ticks(order) for order in orders]
    rests = [order.remaining for order in orders]
    if prices != sorted(prices):
        ranked = sorted(range(len(orders)), key=lambda index: (prices[index], orders[index].client_id))
        orders = [orders[index] for index in ranked]
        prices, rests = [prices[index] for index in ranked], [rests[index] for index in ranked]
    low, high = _peeled(targets, prices, rests, ctx)
    found.pairs += zip(targets[:low], orders[:low], strict=True)
    sure = list(zip(targets[len(targets) - high :], orders[len(orders) - high :], strict=True))
    targets, orders = targets[low : len(targets) - high], orders[low : len(orders) - high]
    if targets and orders:
        prices, rests = prices[low : len(prices) - high], rests[low : len(rests) - high]
        targets, orders = _match_rest(targets, orders, prices, rests, found, ctx)
    found.pairs += sure
    _recycle(targets, orders, found, ctx)


def _match_rest(
    targets: list[Target],
    orders: list[Order],
    prices: list[int],
    rests: list[int],
    found: Pairing,
    ctx: RouteContext,
) -> tuple[list[Target], list[Order]]:
    """Pair what the matching pairs, and return what it leaves over."""
    band, lots_pct, now_ms = ctx.band_ticks, ctx.rules.hold_lots_pct, ctx.now_ms

    def cost(index: int, other: int) -> int:
        target = targets[index]
        distance = abs(target.price_ticks - prices[other])
        off = abs(rests[other] - target.lots)
        if distance <= band and off * 100 <= lots_pct * target.lots:
            return 2 * distance + (off != 0)
        if target.wait_until_ms > now_ms and not orders[other].filled_lots:
            return _FAR
        return CHANGE + 2 * distance

    def costs(index: int, first: int, end: int) -> list[int]:
        price, wanted = targets[index].price_ticks, targets[index].lots
        slack = lots_pct * wanted
        return [
            (2 * off if off >= 0 else -2 * off) + (rest != wanted)
            if -band <= (off := held - price) <= band and -slack <= (rest - wanted) * 100 <= slack
            else CHANGE + (2 * off if off >= 0 else -2 * off)
            for held, rest in zip(prices[first:end], rests[first:end], strict=True)
        ]

    width = _free_width(targets, prices, ctx)
    matched = match(len(targets), len(orders), cost, GAP, width, None if width is None else costs)
    left_targets, left_orders = set(range(len(targets))), set(range(len(orders)))
    for index, other in matched:
        found.pairs.append((targets[index], orders[other]))
        left_targets.discard(index)
        left_orders.discard(other)
    return [targets[i] for i in sorted(left_targets)], [orders[i] for i in sorted(left_orders)]


def _peeled(targets: list[Target], prices: list[int], rests: list[int], ctx: RouteContext) -> tuple[int, int]:
    """How many pairs at the low and at the high end belong together for certain.

    The two first of what is left do when the pair is free of a change and each is nearer to the other than to anything
    else: in any other matching one of them could come to the other for less, or both are left over (see `matching`).
    """
    band, lots_pct, most = ctx.band_ticks, ctx.rules.hold_lots_pct, min(len(targets), len(prices))

    def together(index: int, other: int, step: int, left: int) -> bool:
        target, price = targets[index], prices[other]
        off = abs(price - target.price_ticks)
        if off > band or abs(rests[other] - target.lots) * 100 > lots_pct * target.lots:
            return False
        next_target, next_price = index + step, other + step
        apart = len(targets) - left < 2 or (targets[next_target].price_ticks - price) * step > off
        return apart and (len(prices) - left < 2 or (prices[next_price] - target.price_ticks) * step > off)

    low = high = 0
    while low < most and together(low, low, 1, low):
        low += 1
    while high < most - low and together(len(targets) - 1 - high, len(prices) - 1 - high, -1, low + high):
        high += 1
    return low, high


def _free_width(targets: list[Target], prices: list[int], ctx: RouteContext) -> Width | None:
    """How far before and after its rank a target may find an order it can keep; None where the matching looks itself.

    Beyond that every pair is a change, and a detour costs more than all distances together. A target that waits for its
    refill may not be changed at all, which is another kind of cost.
    """
    band, before, after = ctx.band_ticks, 0, 0
    reach = max(prices[-1], targets[-1].price_ticks) - min(prices[0], targets[0].price_ticks)
    if 2 * reach * (len(targets) + len(prices)) >= _DETOUR:
        return None
    for index, target in enumerate(targets):
        if target.wait_until_ms > ctx.now_ms:
            return None
        first = bisect_left(prices, target.price_ticks - band)
        last = bisect_right(prices, target.price_ticks + band) - 1
        if first <= last:
            before, after = max(before, index - first), max(after, last - index)
    return before, after


def _recycle(targets: list[Target], orders: list[Order], found: Pairing, ctx: RouteContext) -> None:
    """One amend instead of a cancel and a place: the rung the market left behind moves to where one is missing.

    A target that waits for its refill takes no such order: it would be served before its time.
    """
    ready = [target for target in targets if target.wait_until_ms <= ctx.now_ms]
    found.targets += [target for target in targets if target.wait_until_ms > ctx.now_ms]
    _nearest(ready, orders, found.pairs, found.targets, found.orders)


def _pair_leftovers(found: Pairing, leaving: list[Order], now_ms: int) -> None:
    """Across cohorts of one side: the order must go before its place is taken. Orders on their way out come first."""
    targets, orders = [t for t in found.targets if t.wait_until_ms <= now_ms], found.orders
    found.targets, found.orders = [t for t in found.targets if t.wait_until_ms > now_ms], []
    for side in (BUY, SELL):
        wanted = sorted((t for t in targets if t.side is side), key=_PRICE)
        going = sorted((o for o in leaving if o.side is side), key=_ORDER_PRICE)
        rest: list[Target] = []
        _nearest(wanted, going, found.crossed, rest, found.orders)
        staying = sorted((o for o in orders if o.side is side), key=_ORDER_PRICE)
        _nearest(rest, staying, found.crossed, found.targets, found.orders)


def _nearest(
    targets: list[Target],
    orders: list[Order],
    pairs: list[tuple[Target, Order]],
    left_targets: list[Target],
    left_orders: list[Order],
) -> None:
    if not targets or not orders:
        left_targets += targets
        left_orders += orders
        return
    if len(targets) == len(orders) == 1:
        pairs.append((targets[0], orders[0]))
        return
    matched = match(len(targets), len(orders), lambda t, o: abs(targets[t].price_ticks - orders[o].price_ticks), _FAR)
    pairs += [(targets[index], orders[other]) for index, other in matched]
    used_targets, used_orders = {index for index, _ in matched}, {other for _, other in matched}
    left_targets += [target for index, target in enumerate(targets) if index not in used_targets]
    left_orders += [order for index, order in enumerate(orders) if index not in used_orders]
