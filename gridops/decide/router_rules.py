"""The router's decision table: ordered rules over one case, first match wins.

Between the pairing, which says which order is judged against which target, and the sequence, which says what may go
now. A rule reads the case and nothing else; it refuses to know time or budgets that are not in the case. Two tables:
SHAPE_RULES say what the level needs, ADMISSION_RULES what keeps a needed change from being sent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR

from gridops.decide.costs import hold_ticks
from gridops.decide.route_context import RouteContext
from gridops.decide.words import BUY, GTX, INTENT, LIMIT, MARKET, SENT, UNKNOWN
from gridops.domain.orders import Order
from gridops.domain.plan import Target
from gridops.domain.values import record
from gridops.domain.vocabulary import Decision, Gate, RouterReason

_NEVER_SENT = frozenset({INTENT, SENT})


class Limits:
    """The instrument's limits at one mark in integers, worked out when first asked: most plans ask for none."""

    __slots__ = ("_ctx", "_figures")

    def __init__(self, ctx: RouteContext) -> None:
        self._ctx = ctx
        self._figures: tuple[int, int, int] | None = None

    def figures(self) -> tuple[int, int, int]:
        """Smallest notional in units, highest price of a buy and lowest of a sell in ticks."""
        if self._figures is None:
            rules, mark_ticks = self._ctx.instrument, self._ctx.mark_ticks
            self._figures = (
                rules.min_notional_units,
                int((mark_ticks * rules.percent_up).to_integral_value(ROUND_FLOOR)),
                int((mark_ticks * rules.percent_down).to_integral_value(ROUND_CEILING)),
            )
        return self._figures


class Case:
    """One level as the rules see it: an order, a target, or both. The flags after `rest` are filled by `judge`."""

    __slots__ = (
        "ctx",
        "in_flight",
        "level",
        "limits",
        "lots_held",
        "order",
        "pair",
        "price_held",
        "reduce_excess",
        "rest",
        "same_cohort",
        "shrinks",
        "side",
        "target",
        "to_lots",
        "to_ticks",
        "unchanged",
        "unknown",
        "waiting",
    )

    def __init__(
        self,
        ctx: RouteContext,
        target: Target | None,
        order: Order | None,
        same_cohort: bool = True,
        reduce_excess: bool = False,
        limits: Limits | None = None,
    ) -> None:
        """`reduce_excess`: the reduce-only orders of this side exceed what may be reduced."""
        leader = target if target is not None else order
        assert leader is not None, "a case has an order or a target"
        self.ctx, self.target, self.order = ctx, target, order
        self.same_cohort, self.reduce_excess = same_cohort, reduce_excess
        self.limits = limits
        self.side, self.level = leader.side, leader.level
        self.pair = target is not None and order is not None
        self.rest = order.lots - order.filled_lots if order is not None else 0
        self.to_ticks = self.to_lots = 0
        """`to_lots` is the remaining quantity wanted."""
        self.unknown = self.in_flight = self.waiting = False
        self.price_held = self.lots_held = self.unchanged = False
        self.shrinks = False
        """Neither price nor reach grows: same cohort, same price, no more lots than rest now."""

    @property
    def held(self) -> bool:
        return self.price_held and self.lots_held and self.pair and self.same_cohort

    @property
    def reduces(self) -> bool:
        return self.shrinks or (self.target is not None and self.target.reduce_only)

    @property
    def crosses_book(self) -> bool:
        """A post-only order at the target would take."""
        target, ctx = self.target, self.ctx
        if target is None or target.tif is not GTX:
            return False
        bid_ticks, ask_ticks = ctx.bid_ticks, ctx.ask_ticks
        if not 0 < bid_ticks < ask_ticks:
            # Without a book nothing is known to rest.
            return True
        return target.price_ticks >= ask_ticks if target.side is BUY else target.price_ticks <= bid_ticks

    @property
    def filter_refuses(self) -> bool:
        """The venue's filters would refuse the target."""
        target, order = self.target, self.order
        if target is None:
            return False
        filled = order.filled_lots if order is not None and self.same_cohort else 0
        return not passes_filters(target, self.to_lots, self.to_lots + filled, self.ctx, self.limits)

    @property
    def refused(self) -> bool:
        """The venue refused the same so often that it is only probed, and the probe is not due."""
        ctx, target = self.ctx, self.target
        if not ctx.refused or target is None:
            return False
        refusals, probe_ms = ctx.refused.get((target.level, target.side), (0, 0))
        return refusals >= ctx.rules.refusals_before_probe and ctx.now_ms < probe_ms


@record
class Rule:
    reason: RouterReason
    decision: Decision
    applies: Callable[[Case], bool]
    settled: bool = True
    """May decide a settled pair: same cohort, no write in flight, nothing waited for, not where it is wanted, in a plan
    that sweeps nothing, forbids nothing and reduces no excess."""


@dataclass(slots=True)
class Admission:
    """What stands between a needed change and the wire, found by the sequence."""

    gate: Gate | None = None
    crosses_own: bool = False
    no_room: bool = False
    no_budget: bool = False

    @property
    def free(self) -> bool:
        return self.gate is None and not (self.crosses_own or self.no_room or self.no_budget)


@record
class AdmissionRule:
    reason: RouterReason
    applies: Callable[[Admission], bool]


def judge(case: Case) -> Case:
    """Fill the flags of a case from its order, target and context."""
    order, target = case.order, case.target
    if order is not None:
        pending = order.pending
        case.unknown = order.state is UNKNOWN or (pending is not None and pending.unknown)
        case.in_flight = pending is not None or order.state in _NEVER_SENT
    if target is None:
        return case
    case.to_ticks, case.to_lots = target.price_ticks, target.lots
    case.waiting = target.wait_until_ms > case.ctx.now_ms
    if order is not None:
        _compare(case, order, target)
    return case


def _compare(case: Case, order: Order, target: Target) -> None:
    rest, same_price = case.rest, order.price_ticks == target.price_ticks
    if case.waiting and case.to_lots > rest:
        case.to_lots = rest
    wanted = case.to_lots
    band = hold_ticks(order, target, case.ctx) if order.ahead_lots >= 0 else case.ctx.band_ticks
    case.price_held = -band <= target.price_ticks - order.price_ticks <= band
    case.lots_held = abs(rest - wanted) * 100 <= case.ctx.rules.hold_lots_pct * wanted
    if order.reduce_only and case.reduce_excess and rest > wanted:
        case.lots_held = False
    if case.same_cohort and same_price:
        case.unchanged, case.shrinks = rest == wanted, wanted <= rest


def passes_filters(target: Target, lots: int, total_lots: int, ctx: RouteContext, limits: Limits | None = None) -> bool:
    """PRICE_FILTER, LOT_SIZE (MARKET_LOT_SIZE), MIN_NOTIONAL unless reduce-only, PERCENT_PRICE, symbol status."""
    rules, price = ctx.instrument, target.price_ticks
    if not rules.trading or lots < rules.min_lots or lots <= 0:
        return False
    if target.order_type is MARKET:
        return total_lots <= rules.market_max_lots
    if total_lots > rules.max_lots or not rules.min_price_ticks <= price <= rules.max_price_ticks:
        return False
    least_units, highest_ticks, lowest_ticks = (limits or Limits(ctx)).figures()
    if not target.reduce_only and price * lots < least_units:
        return False
    return price <= highest_ticks if target.side is BUY else price >= lowest_ticks


def _swept(reason: RouterReason) -> Callable[[Case], bool]:
    """UNKNOWN orders are cancelled too: the cancel is harmless where the order does not exist."""

    def applies(c: Case) -> bool:
        if c.ctx.sweep is not reason:
            return False
        return c.order is None or not c.in_flight

    return applies


def _partial_settling(c: Case) -> bool:
    """A fresh partial fill is usually followed by more of the same sweep; an excess of reduce-only does not wait."""
    o = c.order
    if o is None or not o.filled_lots or c.target is None or (o.reduce_only and c.reduce_excess):
        return False
    return c.ctx.now_ms < o.filled_ms + c.ctx.rules.partial_settle_ms


def _target_at_or_below_filled(c: Case) -> bool:
    """The order has filled at least what its target wants: the rung was served, so a fresh order takes over.

    An amend states the total, and a total at or below the executed quantity cancels the order at the venue. Topping a
    served order up would keep that hazard alive with every further fill, and one id would carry many rungs.
    """
    o = c.order
    return o is not None and o.filled_lots > 0 and c.to_lots <= o.filled_lots and c.pair


def _near_amend_limit(c: Case) -> bool:
    o = c.order
    return o is not None and o.amends >= c.ctx.instrument.max_amends - c.ctx.rules.amend_headroom and c.pair


def _not_amendable(c: Case) -> bool:
    o = c.order
    return o is not None and (not c.ctx.rules.amend_supported or o.order_type is not LIMIT) and c.pair


_R, _D = RouterReason, Decision
SHAPE_RULES: tuple[Rule, ...] = (
    Rule(reason=_R.KILL, decision=_D.CANCEL_REPLACE, applies=_swept(_R.KILL), settled=False),
    Rule(reason=_R.STOP, decision=_D.CANCEL_REPLACE, applies=_swept(_R.STOP), settled=False),
    Rule(reason=_R.FLATTEN, decision=_D.CANCEL_REPLACE, applies=_swept(_R.FLATTEN), settled=False),
    Rule(reason=_R.FROZEN_UNKNOWN, decision=_D.NOOP, applies=lambda c: c.unknown, settled=False),
    Rule(reason=_R.FROZEN_IN_FLIGHT, decision=_D.NOOP, applies=lambda c: c.in_flight, settled=False),
    Rule(
        reason=_R.ORPHAN,
        decision=_D.CANCEL_REPLACE,
        applies=lambda c: c.order is not None and c.order.client_id in c.ctx.orphans,
        settled=False,
    ),
    Rule(
        reason=_R.STATE_FORBIDS,
        decision=_D.CANCEL_REPLACE,
        applies=lambda c: c.order is not None and not c.ctx.allow_increase and not c.order.reduce_only,
        settled=False,
    ),
    Rule(
        reason=_R.REFILL_WAIT,
        decision=_D.NOOP,
        applies=lambda c: c.waiting and (c.order is None or c.held),
        settled=False,
    ),
    Rule(reason=_R.UNCHANGED, decision=_D.NOOP, applies=lambda c: c.unchanged, settled=False),
    Rule(reason=_R.WITHIN_HOLD_BAND, decision=_D.NOOP, applies=lambda c: c.held),
    Rule(reason=_R.PARTIAL_IN_FLIGHT, decision=_D.NOOP, applies=_partial_settling),
    Rule(reason=_R.POST_ONLY_WOULD_CROSS, decision=_D.CANCEL_REPLACE, applies=lambda c: c.pair and c.crosses_book),
    Rule(reason=_R.BLOCKED_POST_ONLY, decision=_D.NOOP, applies=lambda c: c.crosses_book, settled=False),
    Rule(reason=_R.BLOCKED_FILTER, decision=_D.NOOP, applies=lambda c: c.filter_refuses),
    Rule(reason=_R.DEFERRED_REFUSED, decision=_D.NOOP, applies=lambda c: c.refused),
    Rule(
        reason=_R.DEFERRED_BUDGET,
        decision=_D.NOOP,
        applies=lambda c: c.ctx.rate_low and c.pair and not c.reduces,
    ),
    Rule(
        reason=_R.IMMUTABLE_FIELD,
        decision=_D.CANCEL_REPLACE,
        applies=lambda c: c.pair and not c.same_cohort,
        settled=False,
    ),
    Rule(reason=_R.TARGET_AT_OR_BELOW_FILLED, decision=_D.CANCEL_REPLACE, applies=_target_at_or_below_filled),
    Rule(reason=_R.AMEND_UNSUPPORTED, decision=_D.CANCEL_REPLACE, applies=_not_amendable),
    Rule(reason=_R.AMEND_LIMIT, decision=_D.CANCEL_REPLACE, applies=_near_amend_limit),
    Rule(reason=_R.OUTSIDE_HOLD_BAND, decision=_D.AMEND, applies=lambda c: c.pair and not c.price_held),
    Rule(reason=_R.SIZE_CHANGED, decision=_D.AMEND, applies=lambda c: c.pair),
    Rule(reason=_R.SURPLUS_LEVEL, decision=_D.CANCEL_REPLACE, applies=lambda c: c.target is None, settled=False),
    Rule(
        reason=_R.REPLACEMENT, decision=_D.CANCEL_REPLACE, applies=lambda c: c.level in c.ctx.replacing, settled=False
    ),
    Rule(reason=_R.NEW_LEVEL, decision=_D.CANCEL_REPLACE, applies=lambda c: c.order is None, settled=False),
)
"""The last four rules leave no case over: a pair, an order alone, or a target alone."""

ADMISSION_RULES: tuple[AdmissionRule, ...] = (
    AdmissionRule(reason=_R.BLOCKED_GATE, applies=lambda a: a.gate is not None),
    AdmissionRule(reason=_R.BLOCKED_SELF_CROSS, applies=lambda a: a.crosses_own),
    AdmissionRule(reason=_R.DEFERRED_SEQUENCE, applies=lambda a: a.no_room),
    AdmissionRule(reason=_R.DEFERRED_BUDGET, applies=lambda a: a.no_budget),
)


def settled_rules() -> tuple[Rule, ...]:
    """What is left of the table for settled pairs; see `Rule.settled`."""
    return tuple(rule for rule in SHAPE_RULES if rule.settled)


def shape(case: Case, rules: tuple[Rule, ...] | None = None) -> Rule:
    """The first rule that applies, of `rules` or the whole table. A case without one is a hole in the table."""
    for rule in rules or SHAPE_RULES:
        if rule.applies(case):
            return rule
    raise AssertionError(f"no rule for level {case.level}")


def obstacle(admission: Admission) -> RouterReason | None:
    """The first thing that keeps the change from being sent; None when it may go."""
    if admission.free:
        return None
    for rule in ADMISSION_RULES:
        if rule.applies(admission):
            return rule.reason
    return None
