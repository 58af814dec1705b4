"""In which order, and under which conditions, the changes of one plan may leave.

The last part of the router. The law it keeps: at every prefix of the plan, under every order of acknowledgements, with
partial fills and unknown outcomes, worst-case exposure stays at or below the larger of before and after and below the
cap, reduce-only orders never exceed the position, and no own order meets another.

How: an unconfirmed operation counts with the worse of its two outcomes. Growth that fits on top of everything resting
now may leave at once; growth that needs room names, in `after`, every operation that frees it. Fills cannot break the
bound: they turn a quantity counted at its order price, or the mark if that is worse, into one counted at the mark.

What confirms an operation for those that wait is that its order ended as the plan assumed. A cancel that came too late
for a fill frees less room than was counted: it confirms nothing, and the next plan decides anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from gridops.decide.route_context import RouteContext
from gridops.decide.router_rules import Admission, Case, Rule, obstacle
from gridops.decide.words import (
    AMEND,
    AMEND_OP,
    BUY,
    CANCEL,
    CANCEL_OP,
    CANCEL_REPLACE,
    INCREASE,
    MARKET,
    PLACE_OP,
    REDUCE,
    SELL,
    UNKNOWN,
)
from gridops.domain.orders import Order
from gridops.domain.plan import Op, Request
from gridops.domain.vocabulary import Gate, Intent, OpKind, RouterReason

_PAIR_REASONS = frozenset(
    {
        RouterReason.IMMUTABLE_FIELD,
        RouterReason.TARGET_AT_OR_BELOW_FILLED,
        RouterReason.AMEND_UNSUPPORTED,
        RouterReason.AMEND_LIMIT,
    }
)
"""Reasons whose cancelled order is followed by a replacement in the same plan."""
_ROOM_GATES = frozenset({Gate.EXPOSURE, Gate.PENDING, Gate.REDUCE_ONLY, Gate.SELF_CROSS})
"""Gates that say no because of what still rests: another operation of the plan may make the room."""
_BIDS, _ASKS = 0, 1
_ANY_PRICE = 1 << 62


class Exposure:
    """Worst-case sums of one symbol: units (ticks x lots) and reduce-only lots per side."""

    __slots__ = ("high_lots", "low_lots", "mark_ticks", "reduce_only", "reducible", "units")

    def __init__(self, orders: Iterable[Order], ctx: RouteContext) -> None:
        venue = ctx.position_lots if ctx.venue_position_lots is None else ctx.venue_position_lots
        self.high_lots, self.low_lots = max(ctx.position_lots, venue), min(ctx.position_lots, venue)
        self.mark_ticks = ctx.mark_ticks or ctx.mid2 // 2
        self.units = list(ctx.unbooked_units)
        self.reduce_only = [0, 0]
        self.reducible = (ctx.reducible(BUY), ctx.reducible(SELL))
        buy, mark_ticks, units, reduce_only = BUY, self.mark_ticks, self.units, self.reduce_only
        for order in orders:
            index = _BIDS if order.side is buy else _ASKS
            if order.pending is None:
                lots, price = order.lots - order.filled_lots, order.price_ticks
            else:
                lots, price = order.worst_lots, order.worst_price_ticks()
            units[index] += lots * (price if price > mark_ticks else mark_ticks)
            if order.reduce_only:
                reduce_only[index] += lots

    def worth(self, price_ticks: int, lots: int) -> int:
        """Units of a quantity at its price or the mark, whichever is worse."""
        return lots * (price_ticks if price_ticks > self.mark_ticks else self.mark_ticks)

    def reach(self, index: int, units: int) -> int:
        """Exposure on one side if everything of that side fills."""
        if index == _BIDS:
            return self.high_lots * self.mark_ticks + units
        return units - self.low_lots * self.mark_ticks

    def worst(self, buy_units: int, sell_units: int) -> int:
        held = max(abs(self.high_lots), abs(self.low_lots)) * self.mark_ticks
        return max(self.reach(_BIDS, buy_units), self.reach(_ASKS, sell_units), held)


@dataclass(slots=True)
class Move:
    """One change of one level: a cancel, an amend, a place, or a cancel with its replacement."""

    case: Case
    rule: Rule
    cancel: Request | None
    write: Request | None
    index: int
    """Side."""
    grows: int = 0
    """What the written order will count for, less what the order judged counts for now; in units."""
    grows_reduce: int = 0
    """The same in reduce-only lots."""
    forgone_units: int = 0
    """What it frees besides, which no other operation may count on."""
    blocked: RouterReason | None = None
    gate: Gate | None = None
    clears: tuple[str, ...] = ()
    """Client ids of own orders that must have left before the write, or the two would meet."""


@dataclass(slots=True)
class Schedule:
    ops: tuple[Op, ...]
    before_units: int
    after_units: int


@dataclass(slots=True)
class _Books:
    """Running totals of admission: what will rest when everything admitted has taken effect."""

    exposure: Exposure
    units: list[int]
    reduce_only: list[int]
    slots: int
    limit_units: int
    freed: list[bool] = field(default_factory=lambda: [False, False])
    settled: dict[str, Move] = field(default_factory=dict)
    resting: list[int | None] = field(default_factory=lambda: [None, None])
    """Highest own buy and lowest own sell that may rest now."""
    written: list[int | None] = field(default_factory=lambda: [None, None])
    """The same of the writes admitted."""


def make_move(case: Case, rule: Rule, exposure: Exposure) -> Move:
    """The requests that carry out a decision other than noop, and what they change in the sums."""
    order, target = case.order, case.target
    cancel = write = None
    if order is not None and rule.decision is CANCEL_REPLACE:
        cancel = _cancel_request(case, order)
    if rule.decision is AMEND:
        write = _write_request(case, AMEND_OP)
    elif target is not None and (order is None or rule.reason in _PAIR_REASONS):
        write = _write_request(case, PLACE_OP)
    move = Move(case, rule, cancel, write, _BIDS if case.side is BUY else _ASKS)
    if order is not None:
        move.grows = -exposure.worth(order.price_ticks, case.rest)
        move.grows_reduce = -case.rest if order.reduce_only else 0
    if write is not None:
        move.grows += exposure.worth(case.to_ticks, case.to_lots)
        move.grows_reduce += case.to_lots if write.reduce_only else 0
        if cancel is None:
            _forgo_mixed(move)
    return move


def _forgo_mixed(move: Move) -> None:
    """An amend that frees one sum and grows the other counts as growth only: nobody has to wait for its free half."""
    if move.grows < 0 < move.grows_reduce:
        move.forgone_units, move.grows = -move.grows, 0
    elif move.grows_reduce < 0 < move.grows:
        move.grows_reduce = 0


def _cancel_request(case: Case, order: Order) -> Request:
    return Request(
        CANCEL_OP,
        CANCEL,
        order.symbol,
        order.side,
        order.price_ticks,
        0,
        order.reduce_only,
        order.order_type,
        order.tif,
        order.client_id,
        case.level,
        order.epoch,
    )


def _write_request(case: Case, kind: OpKind) -> Request:
    """An amend states the new total: what is wanted to remain, plus what has filled (venue: PUT /fapi/v1/order)."""
    target, order = case.target, case.order
    assert target is not None, "a write needs a target"
    intent, filled_lots, client_id, epoch = _intent(case, kind), 0, "", case.ctx.lease_epoch
    if kind is AMEND_OP and order is not None:
        filled_lots, client_id, epoch = order.filled_lots, order.client_id, order.epoch
    return Request(
        kind,
        intent,
        target.symbol,
        target.side,
        case.to_ticks,
        case.to_lots + filled_lots,
        target.reduce_only,
        target.order_type,
        target.tif,
        client_id,
        target.level,
        epoch,
    )


def _intent(case: Case, kind: OpKind) -> Intent:
    """By effect. A reduce-only order reduces only while both position figures say there is something to reduce."""
    assert case.target is not None
    if case.target.reduce_only and case.ctx.reducible(case.target.side) > 0:
        return REDUCE
    return REDUCE if kind is AMEND_OP and case.shrinks else INCREASE


def _rank(move: Move) -> tuple[int, bool, int, int]:
    """Order of admission and of sending: what frees room first, then reductions, then the nearest levels."""
    if move.write is None:
        phase = 0
    elif move.write.kind is AMEND_OP:
        phase = 1 if move.grows <= 0 and move.grows_reduce <= 0 else 3
    else:
        phase = 2 if move.cancel is not None else 4
    reduces = move.write is not None and move.write.reduce_only
    return phase, not reduces, abs(move.case.level), move.case.level


def schedule(moves: list[Move], orders: list[Order], exposure: Exposure, ctx: RouteContext) -> Schedule:
    """Admit what may go (the rest gets its `blocked` reason) and put it in sending order with its dependencies."""
    before = exposure.worst(exposure.units[_BIDS], exposure.units[_ASKS])
    if not moves:
        return Schedule((), before, before)
    moves.sort(key=_rank)
    books = _Books(exposure, list(exposure.units), list(exposure.reduce_only), ctx.order_slots, ctx.limit_units)
    buy = BUY
    bids = [_nearest_ticks(order) if order.pending else order.price_ticks for order in orders if order.side is buy]
    asks = [_nearest_ticks(order) if order.pending else order.price_ticks for order in orders if order.side is not buy]
    books.resting = [max(bids, default=None), min(asks, default=None)]
    open_ids = {move.case.order.client_id for move in moves if move.case.order is not None}
    for move in moves:
        _admit(move, books, orders, open_ids, ctx)
    admitted = [move for move in moves if move.blocked is None]
    for move in admitted:
        books.units[move.index] -= move.forgone_units
    after = exposure.worst(books.units[_BIDS], books.units[_ASKS])
    return Schedule(_link(admitted, exposure, min(max(before, after), books.limit_units)), before, after)


def _admit(move: Move, books: _Books, orders: list[Order], open_ids: set[str], ctx: RouteContext) -> None:
    admission = Admission()
    order = move.case.order
    if move.cancel is not None:
        refusal = ctx.permit(move.cancel)
        admission.gate = refusal.gate if refusal is not None else None
    if move.write is not None and admission.gate is None:
        _find_crossings(move, move.write, admission, books, orders, open_ids)
        _find_room(move, move.write, admission, books, ctx)
    if order is not None:
        open_ids.discard(order.client_id)
    move.blocked, move.gate = obstacle(admission), admission.gate
    if move.blocked is None:
        _book(move, books)


def _find_crossings(
    move: Move, write: Request, admission: Admission, books: _Books, orders: list[Order], open_ids: set[str]
) -> None:
    """Own orders of the other side that the write would meet: they must leave first, or it does not go.

    A reduction is not held up by an order that may not exist.
    """
    buying, other, price_ticks = write.side is BUY, 1 - move.index, _reach_ticks(write)
    written, resting = books.written[other], books.resting[other]
    if written is not None and _meets(buying, price_ticks, written):
        admission.crosses_own = True
    if resting is None or not _meets(buying, price_ticks, resting):
        return
    reduces = write.intent is REDUCE
    clears: list[str] = []
    for order in orders:
        if order.side is write.side or not _meets(buying, price_ticks, _nearest_ticks(order)):
            continue
        if reduces and order.state is UNKNOWN and order.client_id not in books.settled:
            continue
        if order.client_id in books.settled:
            clears.append(order.client_id)
        elif order.client_id in open_ids:
            admission.no_room = True
        else:
            admission.crosses_own = True
    move.clears = tuple(clears)


def _reach_ticks(write: Request) -> int:
    """How far into the other side the write may trade; a market order has no limit."""
    if write.order_type is MARKET:
        return _ANY_PRICE if write.side is BUY else 0
    return write.price_ticks


def _nearest_ticks(order: Order) -> int:
    """The price at which the order may come closest to the other side, with an amend in flight counted."""
    if order.pending is None or order.pending.kind is not AMEND_OP:
        return order.price_ticks
    prices = (order.price_ticks, order.pending.price_ticks)
    return max(prices) if order.side is BUY else min(prices)


def _nearer(index: int, known: int | None, price_ticks: int) -> int:
    if known is None or (price_ticks > known if index == _BIDS else price_ticks < known):
        return price_ticks
    return known


def _meets(buying: bool, price_ticks: int, other_ticks: int) -> bool:
    return price_ticks >= other_ticks if buying else price_ticks <= other_ticks


def _find_room(move: Move, write: Request, admission: Admission, books: _Books, ctx: RouteContext) -> None:
    """Reduce-only room, the cap, the gates, and the budget for one write."""
    index, exposure = move.index, books.exposure
    if move.grows_reduce > 0 and books.reduce_only[index] + move.grows_reduce > exposure.reducible[index]:
        admission.no_room = True
    if move.grows > 0 and exposure.reach(index, books.units[index] + move.grows) > books.limit_units:
        admission.gate = Gate.EXPOSURE
        return
    if move.grows > 0 and write.intent is REDUCE and move.case.level != 0:
        admission.no_room = admission.no_room or _raises_behind_a_closed_gate(move, write, books, ctx)
    refusal = ctx.permit(write)
    if refusal is not None and refusal.gate not in _ROOM_GATES:
        admission.gate = refusal.gate
    elif refusal is not None and move.cancel is None and not (move.clears or admission.crosses_own):
        admission.no_room = admission.no_room or books.freed[index]
        admission.gate = None if admission.no_room else refusal.gate
    admission.no_budget = write.intent is INCREASE and books.slots <= 0


def _raises_behind_a_closed_gate(move: Move, write: Request, books: _Books, ctx: RouteContext) -> bool:
    """A take-profit beside opening orders of its side lets them reach further once it has filled.

    That is growth, so where growth is refused it waits until those orders have left. An exit (level 0) never waits.
    """
    exposure = books.exposure
    before = exposure.worst(exposure.units[_BIDS], exposure.units[_ASKS])
    if exposure.reach(move.index, books.units[move.index] + move.grows) <= before:
        return False
    return ctx.permit(replace(write, intent=INCREASE)) is not None


def _book(move: Move, books: _Books) -> None:
    index, order = move.index, move.case.order
    books.units[index] += move.grows
    books.reduce_only[index] += move.grows_reduce
    if move.grows < 0 or move.grows_reduce < 0 or move.cancel is not None:
        books.freed[index] = True
    if move.write is not None:
        books.written[index] = _nearer(index, books.written[index], move.write.price_ticks)
        if move.write.intent is INCREASE:
            books.slots -= 1
    if order is not None:
        books.settled[order.client_id] = move


def _link(moves: list[Move], exposure: Exposure, bound_units: int) -> tuple[Op, ...]:
    """Number the operations and name what each must wait for."""
    ops: list[Op] = []
    frees: tuple[list[int], list[int]] = ([], [])
    op_of: dict[str, int] = {}
    peak, peak_reduce = list(exposure.units), list(exposure.reduce_only)
    for move in moves:
        if move.cancel is not None:
            op_of[move.cancel.client_id] = len(ops)
            frees[move.index].append(len(ops))
            ops.append(_op(len(ops), move.cancel, ()))
    for move in moves:
        write, index = move.write, move.index
        if write is None:
            continue
        waits = [op_of[client_id] for client_id in move.clears] if move.clears else []
        if move.cancel is not None:
            waits.append(op_of[move.cancel.client_id])
        if move.grows > 0 or move.grows_reduce > 0:
            grown, grown_reduce = max(move.grows, 0), max(move.grows_reduce, 0)
            tight = grown > 0 and exposure.reach(index, peak[index] + grown) > bound_units
            if tight or (grown_reduce and peak_reduce[index] + grown_reduce > exposure.reducible[index]):
                waits += frees[index]
            else:
                peak[index] += grown
                peak_reduce[index] += grown_reduce
        if write.kind is AMEND_OP:
            op_of[write.client_id] = len(ops)
            if move.grows < 0 or move.grows_reduce < 0:
                frees[index].append(len(ops))
        ops.append(_op(len(ops), write, tuple(sorted(set(waits))) if waits else ()))
    return tuple(ops)


def _op(index: int, request: Request, after: tuple[int, ...]) -> Op:
    return Op(
        index,
        request.kind,
        request.intent,
        request.symbol,
        request.level,
        request.side,
        request.price_ticks,
        request.lots,
        request.reduce_only,
        request.order_type,
        request.tif,
        request.client_id,
        after,
    )
