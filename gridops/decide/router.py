"""The router: from the ladder we want and the orders we have to one plan of amends, replacements and things left alone.

A pure function, called by the engine once per changed symbol. Pairing says what is judged against what, the rule table
says what each level needs, the sequence says what may leave and after what. It sends nothing, and it refuses to decide
about an order whose state is not known.

A choice names the level that its order serves from now on; orders keep no claim on the level they were placed for.
Operations that wait (`after`) need not be stored: once the facts they wait for have arrived, the next plan has them.
"""

from collections.abc import Sequence

from gridops.decide.costs import FREE, amend_cost, cost_of, queue_cbps
from gridops.decide.pairing import Pairing, pair_up
from gridops.decide.route_context import RouteContext
from gridops.decide.router_rules import Case, Limits, Rule, judge, settled_rules, shape
from gridops.decide.sequence import Exposure, Move, Schedule, make_move, schedule
from gridops.decide.words import AMEND, BUY, CANCEL_REPLACE, NOOP, OPEN, PARTIAL, SELL, UNKNOWN
from gridops.domain.orders import Order
from gridops.domain.plan import Choice, Plan, Target
from gridops.domain.vocabulary import TERMINAL, Decision, RouterReason, Side

__all__ = ["RouteContext", "route"]

_UNCHANGED = RouterReason.UNCHANGED
_DEFERRED_BUDGET = RouterReason.DEFERRED_BUDGET
_REFILL_WAIT = RouterReason.REFILL_WAIT
_PARTIAL_IN_FLIGHT = RouterReason.PARTIAL_IN_FLIGHT
_DEFERRED_REFUSED = RouterReason.DEFERRED_REFUSED
_BLOCKED_SELF_CROSS = RouterReason.BLOCKED_SELF_CROSS
_FIXED = frozenset({RouterReason.UNCHANGED, RouterReason.FROZEN_UNKNOWN, RouterReason.FROZEN_IN_FLIGHT})
"""Reasons that leave no other choice."""
_WITHIN = RouterReason.WITHIN_HOLD_BAND
BUDGET_LOOK_MS = 1_000
"""How soon a level deferred for something else than the next slot is looked at again."""
_IN_FLIGHT = RouterReason.FROZEN_IN_FLIGHT
_BOOK_REASONS = frozenset({RouterReason.BLOCKED_POST_ONLY, RouterReason.POST_ONLY_WOULD_CROSS})
"""Reasons that a single tick of bid or ask may change."""


class _Draft:
    """Choices, moves and the slack of held orders while one plan is made."""

    __slots__ = (
        "band_ticks",
        "choices",
        "down_ticks",
        "moves",
        "open_cases",
        "restless",
        "up_ticks",
        "wake_ms",
    )

    def __init__(self, band_ticks: int) -> None:
        self.band_ticks = band_ticks
        self.choices: list[Choice] = []
        self.moves: list[Move] = []
        self.open_cases: list[tuple[Case, Rule]] = []
        self.up_ticks = self.down_ticks = band_ticks
        self.restless = False
        self.wake_ms = 0

    def wake(self, at_ms: int) -> None:
        if at_ms and (not self.wake_ms or at_ms < self.wake_ms):
            self.wake_ms = at_ms


def route(targets: Sequence[Target], orders: Sequence[Order], ctx: RouteContext) -> Plan:
    """Decide every level of one symbol. `orders` may contain finished ones; only live ones count."""
    live = [order for order in orders if order.state is OPEN or order.state not in TERMINAL]
    if ctx.sweep is not None:
        targets = [target for target in targets if target.level == 0 and ctx.sweep is RouterReason.FLATTEN]
    exposure = Exposure(live, ctx)
    draft = _Draft(ctx.band_ticks)
    _decide(targets, live, exposure, draft, ctx)
    draft.moves = [make_move(case, rule, exposure) for case, rule in draft.open_cases]
    scheduled = schedule(draft.moves, live, exposure, ctx)
    for move in draft.moves:
        draft.choices.append(_moved(move, draft))
    return _plan(draft, scheduled, ctx)


def _decide(targets: Sequence[Target], live: list[Order], exposure: Exposure, draft: _Draft, ctx: RouteContext) -> None:
    swept = [] if ctx.sweep is None else [order for order in live if order.level != 0]
    pairing = pair_up(targets, live if ctx.sweep is None else [order for order in live if order.level == 0], ctx)
    pairing.orders += swept
    excess = (_exceeds(BUY, pairing, exposure, ctx), _exceeds(SELL, pairing, exposure, ctx))
    plain = ctx.sweep is None and ctx.allow_increase and not ctx.orphans and not any(excess)
    limits, settled = Limits(ctx), None
    for target, order in pairing.pairs:
        kept = _keep(target, order, draft, ctx) if plain else None
        if kept is False:
            settled = settled or settled_rules()
            _judge(Case(ctx, target, order, limits=limits), draft, settled)
        elif kept is None:
            _judge(Case(ctx, target, order, True, excess[order.side is SELL], limits), draft)
    for target, order in pairing.crossed:
        _judge(Case(ctx, target, order, False, excess[order.side is SELL], limits), draft)
    for target in pairing.targets:
        _judge(Case(ctx, target, None, limits=limits), draft)
    for order in pairing.orders:
        _judge(Case(ctx, None, order, limits=limits), draft)


def _exceeds(side: Side, pairing: Pairing, exposure: Exposure, ctx: RouteContext) -> bool:
    """Do the reduce-only orders of a side exceed what may be reduced, or leave too little for a rung still to come?

    An order kept with a lot more than its rung wants would otherwise keep the next rung away for good.
    """
    index = side is SELL
    if exposure.reduce_only[index] > exposure.reducible[index]:
        return True
    waiting = [*pairing.targets, *(target for target, _ in pairing.crossed)]
    missing = sum(t.lots for t in waiting if t.reduce_only and t.side is side and t.wait_until_ms <= ctx.now_ms)
    if not missing:
        return False
    held = sum(order.remaining for _, order in pairing.pairs if order.reduce_only and order.side is side)
    return held + missing > exposure.reducible[index]


def _keep(target: Target, order: Order, draft: _Draft, ctx: RouteContext) -> bool | None:
    """The quick way to the commonest rules: an order with a write in flight, and a settled one that rests near enough.

    True: kept, and the table says the same. False: a settled order that does not rest near enough. None: any other.
    """
    state, pending = order.state, order.pending
    if target.wait_until_ms > ctx.now_ms or state is UNKNOWN or (pending is not None and pending.unknown):
        return None
    to_ticks, from_ticks = target.price_ticks, order.price_ticks
    off_ticks = to_ticks - from_ticks
    rest = order.lots - order.filled_lots
    off_lots = rest - target.lots
    band = draft.band_ticks
    near = -band <= off_ticks <= band
    settled = pending is None and (state is OPEN or state is PARTIAL)
    if settled and (not near or (off_lots and abs(off_lots) * 100 > ctx.rules.hold_lots_pct * target.lots)):
        return False
    if near and band - off_ticks < draft.up_ticks:
        draft.up_ticks = band - off_ticks
    if near and band + off_ticks < draft.down_ticks:
        draft.down_ticks = band + off_ticks
    other, price = None, None
    if not settled:
        reason = _IN_FLIGHT
    elif off_ticks or off_lots:
        reason, other = _WITHIN, AMEND
        price = amend_cost(rest, queue_cbps(order, ctx) if order.ahead_lots >= 0 else 0)
    else:
        reason = _UNCHANGED
    symbol, level, side, ident, ahead = target.symbol, target.level, target.side, order.client_id, order.ahead_lots
    draft.choices.append(
        Choice(
            symbol,
            level,
            NOOP,
            reason,
            side,
            ident,
            from_ticks,
            rest,
            to_ticks,
            target.lots,
            FREE,
            None,
            0,
            other,
            price,
            ahead,
        )
    )
    return True


def _judge(case: Case, draft: _Draft, rules: tuple[Rule, ...] | None = None) -> None:
    rule = shape(judge(case), rules)
    if rule.decision is not NOOP:
        draft.open_cases.append((case, rule))
        return
    retry_ms = _retry_ms(case, rule.reason)
    draft.choices.append(_choice(case, rule.decision, rule.reason, retry_ms, None, _alternative(case, rule)))
    draft.wake(retry_ms)
    _slack(case, rule.reason, draft)


def _slack(case: Case, reason: RouterReason, draft: _Draft) -> None:
    """A level left alone stays so while its price is in the band; one kept out by the book may change with any tick."""
    if reason in _BOOK_REASONS:
        draft.restless = True
    if case.target is None or case.order is None or not case.price_held:
        return
    off_ticks = case.to_ticks - case.order.price_ticks
    if abs(off_ticks) > case.ctx.band_ticks:
        # Its place alone keeps it, and places change with any tick.
        draft.restless = True
    draft.up_ticks = min(draft.up_ticks, case.ctx.band_ticks - off_ticks)
    draft.down_ticks = min(draft.down_ticks, case.ctx.band_ticks + off_ticks)


def _retry_ms(case: Case, reason: RouterReason) -> int:
    """When a deferred decision is looked at again, in venue ms; 0 = at the next change."""
    ctx = case.ctx
    if reason is _DEFERRED_BUDGET:
        # A slot may be free and the level deferred all the same (rate low, order limit, churn): no reason to spin.
        free_now = 0 < ctx.budget_retry_ms <= ctx.now_ms
        return ctx.now_ms + BUDGET_LOOK_MS if free_now else ctx.budget_retry_ms
    if reason is _REFILL_WAIT and case.target is not None:
        return case.target.wait_until_ms
    if reason is _PARTIAL_IN_FLIGHT and case.order is not None:
        return case.order.filled_ms + ctx.rules.partial_settle_ms
    if reason is _DEFERRED_REFUSED and case.target is not None:
        return ctx.refused[(case.target.level, case.target.side)][1]
    return 0


def _alternative(case: Case, rule: Rule) -> Decision | None:
    """The decision that would have come next: for a level left alone, the change it was spared."""
    if rule.reason in _FIXED:
        return None
    if rule.decision is AMEND:
        return CANCEL_REPLACE
    if rule.decision is CANCEL_REPLACE:
        return NOOP
    return AMEND if case.pair and case.same_cohort else CANCEL_REPLACE


def _moved(move: Move, draft: _Draft) -> Choice:
    case, rule = move.case, move.rule
    if move.blocked is None:
        draft.restless = draft.restless or rule.reason in _BOOK_REASONS
        return _choice(case, rule.decision, rule.reason, 0, None, _alternative(case, rule))
    retry_ms = _retry_ms(case, move.blocked)
    draft.wake(retry_ms)
    _slack(case, move.blocked, draft)
    draft.restless = draft.restless or move.blocked is _BLOCKED_SELF_CROSS
    return _choice(case, NOOP, move.blocked, retry_ms, move, rule.decision)


def _choice(
    case: Case, decision: Decision, reason: RouterReason, retry_ms: int, refused: Move | None, other: Decision | None
) -> Choice:
    order, rest = case.order, case.rest
    working, wanted = order is not None, case.target is not None
    place_cbps = queue_cbps(order, case.ctx) if order is not None and order.ahead_lots >= 0 else 0
    cost = cost_of(decision, working, wanted, rest, place_cbps)
    return Choice(
        case.ctx.symbol,
        case.level,
        decision,
        reason,
        case.side,
        order.client_id if order is not None else "",
        order.price_ticks if order is not None else 0,
        rest,
        case.to_ticks,
        case.to_lots,
        cost,
        refused.gate if refused is not None else None,
        retry_ms,
        other,
        None if other is None else cost_of(other, working, wanted, rest, place_cbps),
        order.ahead_lots if order is not None else -1,
    )


def _plan(draft: _Draft, scheduled: Schedule, ctx: RouteContext) -> Plan:
    low, high = _quiet(draft, ctx)
    return Plan(
        choices=tuple(draft.choices),
        ops=scheduled.ops,
        wce_before=scheduled.before_units,
        wce_after=scheduled.after_units,
        wake_ms=draft.wake_ms,
        quiet_low_mid2=low,
        quiet_high_mid2=high,
    )


def _quiet(draft: _Draft, ctx: RouteContext) -> tuple[int, int]:
    """Range of twice the mid in which every held order stays held.

    A target moves with the mid times at most 1.2 (the outermost rung of the widest ladder) and its rounding adds a tick
    on each end; a target bounded by the book adds half the spread's change, which two more ticks cover.
    """
    mid2 = ctx.mid2
    if draft.restless:
        return mid2, mid2
    up, down = max(draft.up_ticks - 3, 0), max(draft.down_ticks - 3, 0)
    return mid2 - 2 * (down * 5 // 6), mid2 + 2 * (up * 5 // 6)
