"""Orders: what a stream report, a write's reply or a query says becomes the order's state.

Part of `observe`. Terminal is terminal, a reported quantity never falls, ambiguity is UNKNOWN, and absence is proven
only by an order query, the open list and the trades, each asked after the settle time.
"""

from gridops.decide import sync
from gridops.decide.queue_place import UNSEEN
from gridops.domain.events import OrderReport, WriteReply
from gridops.domain.ids import ordinary, owner, venue_made
from gridops.domain.orders import Order, VenueOrder
from gridops.domain.records import OutboxRefused, Wrote
from gridops.domain.vocabulary import (
    TERMINAL,
    OpKind,
    OrderState,
    QueryKind,
    Severity,
    TimeInForce,
    VenueCode,
    WriteOutcome,
)
from gridops.runtime import observe_fills, protect, standing
from gridops.runtime.observe_account import WHOLE_BPS
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState, SymbolState

_STATUS = {
    "NEW": OrderState.OPEN,
    "PARTIALLY_FILLED": OrderState.PARTIAL,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "REJECTED": OrderState.REJECTED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
}
CLOSED_KEPT, CLOSED_SPARE = 128, 16
"""Ended orders that late news may still name; the oldest go some at a time, so that their number hardly moves."""
_CONFIRMING = frozenset({"NEW", "AMENDMENT"})


def find(symbol: SymbolState, client_id: str) -> Order | None:
    client_id = ordinary(client_id)
    return symbol.orders.get(client_id) or symbol.closed.get(client_id)


def by_venue_id(symbol: SymbolState, venue_id: str) -> Order | None:
    for orders in (symbol.orders, symbol.closed):
        for order in orders.values():
            if order.venue_id == venue_id:
                return order
    return None


def on_report(state: EngineState, report: OrderReport, out: Out) -> None:
    """One ORDER_TRADE_UPDATE. A foreign order's fill moves the position too: the venue nets one account."""
    symbol = state.symbols.get(report.symbol)
    if symbol is None:
        return
    order = find(symbol, report.client_id)
    if order is None:
        _unknown_owner(state, report, out)
    elif not order.venue_id:
        order.venue_id = report.venue_id
    if report.trade_id and report.execution in ("TRADE", "CALCULATED"):
        observe_fills.book(state, symbol, observe_fills.from_report(report, order), order, out)
    if order is None:
        return
    expected = report.execution in _CONFIRMING and _expected(state, symbol, order, report)
    if report.execution == "AMENDMENT":
        _told(order, report)
    else:
        _reprice(order, report.price_ticks, report.lots, report.event_ms)
    _advance(state, symbol, order, report.status, report.filled_lots, report.event_ms, out)
    if expected:
        symbol.dirty, out.expected = False, True


def _expected(state: EngineState, symbol: SymbolState, order: Order, seen: VenueOrder | OrderReport) -> bool:
    """Is this no more than the confirmation that a standing plan waits for, from a venue that answers?"""
    healthy = not (state.health.venue_failures or state.health.auth_rejected)
    return healthy and symbol.stands and not symbol.dirty and standing.confirms(order, seen)


def _unknown_owner(state: EngineState, report: OrderReport, out: Out) -> None:
    who = owner(report.client_id)
    if who is not None and who.tag == state.identity.instance_tag and who.epoch > state.identity.epoch:
        state.health.foreign_writer = True
    forced = venue_made(report.client_id)
    if forced == "liquidation":
        # As after a margin call: the account is beyond its margin until a read says otherwise, and an operator looks.
        state.health.margin_ratio_bps = WHOLE_BPS
    topic = "foreign_order" if who is None or who.tag != state.identity.instance_tag else "orphan_report"
    severity = Severity.CRITICAL if forced else Severity.WARN
    out.note(forced or topic, severity, f"{report.symbol} {report.side} {report.execution} id {report.client_id[:36]}")
    sync.want(state.sync, QueryKind.OPEN_ORDERS, report.symbol, state.now_ms)


def _told(order: Order, report: OrderReport) -> None:
    """The private stream tells of an amend: of the one under way, or late of one before it, which settles nothing."""
    pending, told = order.pending, (report.price_ticks, report.lots)
    if pending is not None and pending.kind is OpKind.AMEND and report.event_ms >= order.updated_ms:
        order.pending = None if told == (pending.price_ticks, pending.lots) else pending
    _amended(order, report.price_ticks, report.lots, report.event_ms)


def _amended(order: Order, price_ticks: int, lots: int, at_ms: int) -> None:
    if at_ms >= order.updated_ms:
        order.price_ticks, order.lots = price_ticks, lots
    order.amends += 1
    # Any amend goes to the back of the queue, that of the quantity alone too.
    order.ahead_lots = UNSEEN


def _reprice(order: Order, price_ticks: int, lots: int, at_ms: int) -> None:
    """Adopt price and size of a fact at least as new as ours, unless an amend of ours is under way."""
    if order.pending is None and at_ms >= order.updated_ms and price_ticks > 0:
        order.price_ticks, order.lots = price_ticks, lots


def _advance(
    state: EngineState, symbol: SymbolState, order: Order, status: str, filled: int, at_ms: int, out: Out
) -> None:
    """Move an order along its states by the venue's word; late and repeated facts change nothing."""
    symbol.dirty = True
    if filled > order.reported_lots:
        order.reported_lots = filled
        if filled > order.filled_lots:
            order.filled_ms = state.venue_ms
    target = _STATUS.get(status)
    if target is None:
        out.note("unknown_status", Severity.WARN, f"{order.client_id} {status[:40]}")
        return
    out.touched[order.client_id] = order
    if order.state in TERMINAL:
        return
    if target is OrderState.OPEN and order.reported_lots > 0:
        target = OrderState.PARTIAL
    if at_ms < order.updated_ms and target not in TERMINAL:
        return
    order.updated_ms = max(order.updated_ms, at_ms)
    order.absent_reads = 0
    if target in TERMINAL:
        close(state, symbol, order, target, status, out)
    else:
        if order.pending is not None and order.pending.kind is OpKind.PLACE:
            order.pending = None
        out.moved(order, target)


def close(state: EngineState, symbol: SymbolState, order: Order, to: OrderState, detail: str, out: Out) -> None:
    """An order reached its end. Fills it reports and we have not booked are asked for."""
    order.pending = None
    out.moved(order, to, detail)
    symbol.orders.pop(order.client_id, None)
    symbol.closed[order.client_id] = order
    symbol.dirty = True
    state.sync.order_ask.pop(order.client_id, None)
    if len(symbol.closed) >= CLOSED_KEPT + CLOSED_SPARE:
        for client_id in list(symbol.closed)[:CLOSED_SPARE]:
            del symbol.closed[client_id]
    if order.reported_lots > order.filled_lots:
        symbol.unbooked[order.client_id] = order.reported_lots - order.filled_lots
        sync.want(state.sync, QueryKind.TRADES, order.symbol, state.now_ms, after_ms=500)


def apply_venue_order(state: EngineState, symbol: SymbolState, order: Order, seen: VenueOrder, out: Out) -> None:
    """What the venue returned for this order, by reply or query."""
    if seen.venue_id:
        order.venue_id = seen.venue_id
    pending = order.pending
    if pending is not None and pending.kind is OpKind.AMEND and seen.updated_ms >= order.updated_ms:
        shown = (seen.price_ticks, seen.lots)
        if shown == (pending.price_ticks, pending.lots) != (order.price_ticks, order.lots):
            order.pending = None
            _amended(order, *shown, seen.updated_ms)
    _reprice(order, seen.price_ticks, seen.lots, seen.updated_ms)
    _advance(state, symbol, order, seen.status, seen.filled_lots, seen.updated_ms, out)


def on_write(state: EngineState, reply: WriteReply, out: Out) -> None:
    """The outcome of one operation."""
    kind, symbol_name, client_id = state.op_owner.pop(reply.op_id, ("", "", ""))
    symbol = state.symbols.get(symbol_name)
    if not kind or symbol is None:
        out.note("late_reply", Severity.INFO, f"operation {reply.op_id} {reply.outcome}")
        return
    out.say(
        Wrote(
            op_id=reply.op_id,
            kind=OpKind(kind),
            client_id=client_id,
            outcome=reply.outcome,
            code=reply.code,
            number=reply.number,
            latency_ms=max(0, reply.ended_ms - reply.started_ms),
        )
    )
    order = symbol.orders.get(client_id)
    if order is not None and reply.order is not None and reply.outcome is WriteOutcome.CONFIRMED:
        out.expected = kind != OpKind.CANCEL and _expected(state, symbol, order, reply.order)
    _outcome(state, symbol, client_id, kind, reply, out)
    symbol.dirty = not out.expected


def _outcome(state: EngineState, symbol: SymbolState, client_id: str, kind: str, reply: WriteReply, out: Out) -> None:
    if reply.outcome is WriteOutcome.DENIED:
        out.say(OutboxRefused(op_id=reply.op_id, client_id=client_id, reason=reply.detail))
    order = find(symbol, client_id)
    if order is None:
        return
    match reply.outcome:
        case WriteOutcome.CONFIRMED:
            _confirmed(state, symbol, order, kind, reply, out)
        case WriteOutcome.UNKNOWN:
            _ambiguous(symbol, order, kind, reply, out)
        case _:
            _refused(state, symbol, order, kind, reply, out)


def _confirmed(state: EngineState, symbol: SymbolState, order: Order, kind: str, reply: WriteReply, out: Out) -> None:
    symbol.refused.pop(f"{order.level}|{order.side}", None)
    if order.state in TERMINAL:
        order.pending = None
        return
    seen, answered = reply.order, _answers(order, reply)
    if answered:
        order.pending = None
    if seen is None:
        sync.want(state.sync, QueryKind.OPEN_ORDERS, order.symbol, state.now_ms)
        return
    if kind == OpKind.AMEND and answered:
        _amended(order, seen.price_ticks, seen.lots, max(seen.updated_ms, order.updated_ms))
    apply_venue_order(state, symbol, order, seen, out)


def _answers(order: Order, reply: WriteReply) -> bool:
    """Is it the write under way that was answered? The stream may have told of an older one, and a newer have left."""
    return order.pending is not None and order.pending.op_id == reply.op_id


def _ambiguous(symbol: SymbolState, order: Order, kind: str, reply: WriteReply, out: Out) -> None:
    if order.state in TERMINAL:
        return
    if kind == OpKind.PLACE:
        if order.state in (OrderState.INTENT, OrderState.SENT):
            out.moved(order, OrderState.UNKNOWN, "no answer to the place")
    elif order.pending is not None and _answers(order, reply):
        order.pending.unknown = True
    out.touched[order.client_id] = order
    symbol.dirty = True


def _refused(state: EngineState, symbol: SymbolState, order: Order, kind: str, reply: WriteReply, out: Out) -> None:
    detail = f"{reply.code} {reply.number}".strip()
    if reply.outcome is WriteOutcome.REFUSED:
        _remember_refusal(state, symbol, order, kind, reply)
    elif kind != OpKind.CANCEL and order.level:
        _remember_denial(state, symbol, order)
    if order.state in TERMINAL:
        order.pending = None
        return
    if kind == OpKind.PLACE:
        if reply.code is VenueCode.DUPLICATE_CLIENT_ID:
            # The venue has an order by this id: ours, from a request whose answer was lost.
            out.moved(order, OrderState.UNKNOWN, detail)
        elif order.state in (OrderState.INTENT, OrderState.SENT, OrderState.UNKNOWN):
            to = OrderState.FAILED if reply.outcome is WriteOutcome.DENIED else OrderState.REJECTED
            if reply.code is VenueCode.POST_ONLY and order.tif is TimeInForce.GTX:
                to = OrderState.EXPIRED
            close(state, symbol, order, to, detail, out)
        return
    out.touched[order.client_id] = order
    if reply.code is VenueCode.AMEND_LIMIT:
        # The venue's count is the one that binds: from now on this order is replaced, not amended.
        order.amends = max(order.amends, symbol.instrument.max_amends)
    if reply.code in (VenueCode.UNKNOWN_ORDER, VenueCode.NO_SUCH_ORDER, VenueCode.AMEND_REFUSED):
        # Proves nothing by itself: frozen until the order was asked for, once every in-flight period.
        if order.pending is not None and _answers(order, reply):
            order.pending.unknown = order.pending.refused = True
        sync.want(state.sync, QueryKind.OPEN_ORDERS, order.symbol, state.now_ms)
    elif order.pending is None or not _answers(order, reply):
        return
    elif kind == OpKind.CANCEL:
        # Repeated at once it would only meet the same overload, or be denied again, and eat the budget that protection
        # lives on.
        order.pending.refused = True
        symbol.cancel_again_ms = symbol.cancel_again_ms or state.venue_ms + protect.CANCEL_REFUSED_MS
    else:
        order.pending = None


_BY_RULES = (VenueCode.FILTER, VenueCode.SYMBOL_STATUS)
RULES_DOUBT_MS = 10_000
"""A refusal by a rule we believed to keep has the rules read anew, but not more often than this."""


def _remember_refusal(state: EngineState, symbol: SymbolState, order: Order, kind: str, reply: WriteReply) -> None:
    """Count equal refusals of a level in a row: the first tries wait for a newer book, then there is one a minute.

    Tries that follow each other at once judge one and the same book: three of them within 20 ms say no more than the
    first, and would cost the level a minute.
    """
    if kind == OpKind.CANCEL:
        return
    if reply.code in _BY_RULES:
        asked_ms = state.sync.last_ask.get(sync.slot(QueryKind.RULES, ""), 0)
        sync.want(state.sync, QueryKind.RULES, "", max(state.now_ms, asked_ms + RULES_DOUBT_MS))
    key = f"{order.level}|{order.side}"
    number, count, _ = symbol.refused.get(key, (0, 0, 0))
    count = count + 1 if number == reply.number else 1
    router = state.rules.router
    wait_ms = router.probe_ms if count >= router.refusals_before_probe else router.refused_wait_ms
    probe = state.venue_ms + wait_ms
    symbol.refused[key] = (reply.number, count, probe)
    if order.level and kind == OpKind.PLACE:
        # A refused amend leaves its order where it is: a pause would have the rung wait and its order taken off.
        wait = state.venue_ms + state.rules.grid.refill_delay_ms
        symbol.refill_until[order.level] = max(symbol.refill_until.get(order.level, 0), wait)


MOST_DOUBLED = 5
"""A denied level waits 8 s at the most, with the router's usual quarter of a second after the first."""


def _remember_denial(state: EngineState, symbol: SymbolState, order: Order) -> None:
    """What our own last hop held back it would hold back again: wait, twice as long after each in a row.

    A kill latch that another hand left is known to the last hop alone; without a pause each denial would lead to the
    next place at once, until the order budget is used up by orders that never left.
    """
    key = f"{order.level}|{order.side}"
    number, count, probe_ms = symbol.refused.get(key, (0, 0, 0))
    count = count + 1 if not number else 1
    wait_ms = state.rules.router.refused_wait_ms << min(count - 1, MOST_DOUBLED)
    if probe_ms < state.venue_ms + wait_ms:
        symbol.refused[key] = (0, count, state.venue_ms + wait_ms)


def on_order_read(
    state: EngineState, symbol: SymbolState, client_id: str, seen: VenueOrder | None, asked_ms: int, out: Out
) -> None:
    """Answer of an order query by client id. `seen` None: the venue says it has no such order."""
    order = find(symbol, client_id)
    if order is None:
        return
    if seen is not None:
        pending, window = order.pending, state.rules.sync.recv_window_ms
        if pending is not None and pending.unknown and (pending.refused or asked_ms >= pending.sent_ms + window):
            # A write that was refused, or can no longer take effect: what the venue shows is what became of it.
            order.pending = None
        apply_venue_order(state, symbol, order, seen, out)
        return
    if order.state in TERMINAL:
        return
    settled = order.created_ms + state.rules.sync.recv_window_ms + state.rules.sync.settle_ms
    if asked_ms < max(settled, order.updated_ms):
        return
    order.absent_reads += 1
    if client_id not in symbol.named and _listed_nowhere(state, symbol, settled):
        close(state, symbol, order, OrderState.FAILED, "proven absent", out)
        return
    sync.want(state.sync, QueryKind.OPEN_ORDERS, order.symbol, state.now_ms)
    sync.want(state.sync, QueryKind.TRADES, order.symbol, state.now_ms)


def _listed_nowhere(state: EngineState, symbol: SymbolState, settled_ms: int) -> bool:
    """Were open orders and trades both asked after the settle time too? The newest list must not name the order."""
    settled_boot_ms = settled_ms + state.now_ms - state.venue_ms
    return all(
        state.sync.last_ok.get(sync.slot(kind, symbol.symbol), 0) >= settled_boot_ms
        for kind in (QueryKind.OPEN_ORDERS, QueryKind.TRADES)
    )
