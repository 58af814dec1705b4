"""What is done in a state that does not quote: cancel what may not rest, close what must be closed, prove it.

Re-planned at every step until the venue's own read says it is done; pure questions to the state, operations out. A
close is reduce-only whatever we believe, so the venue refuses it when we are wrong.
"""

from itertools import islice

from gridops.decide import exposure
from gridops.decide.levels import CONDITIONS
from gridops.decide.sync import slot
from gridops.domain.orders import Order, PendingWrite
from gridops.domain.plan import Choice, Cost, Op
from gridops.domain.rules import SyncRules
from gridops.domain.vocabulary import (
    Decision,
    FsmEvent,
    FsmReason,
    FsmState,
    Intent,
    OnBreach,
    OpKind,
    OrderType,
    QueryKind,
    RouterReason,
    Side,
    TimeInForce,
)
from gridops.runtime.state import EngineState, SymbolState

SWEEP_RETRY_MS = 250
SLICES = 5
"""Slices of one round."""
CANCEL_PATIENCE_MS = 1_000
"""A close waits this long for the cancels; then it leaves beside them, above or below what of ours may still rest."""
UNREAD_MS = 2_000
"""A position that cannot be read for this long is closed by the last sign and size known."""
CANCEL_RETRY_MS = 2_000
CANCEL_REFUSED_MS = 500
"""A cancel the venue refused for certain is tried again after this long: soon enough for a kill, far from a storm."""
UNHEARD_MS = 3_000
"""As the window in which the venue takes a request: an unanswered cancel has happened by then, or never will."""
UNANSWERED_MS = 10_000
"""Longer than any answer of the venue takes: what is still open then may never have left."""
_LATCHING = (FsmEvent.KILL, FsmEvent.BREACH)
_EXITS = frozenset({FsmState.EMERGENCY, FsmState.STOPPING})
_MARKET, _IOC = OrderType.MARKET, TimeInForce.IOC


def never_rests(order: Order) -> bool:
    """An exit of ours: it trades at once or expires."""
    return order.order_type is _MARKET or order.tif is _IOC


def spent(order: Order, symbol: SymbolState, rules: SyncRules) -> bool:
    """Was the position read after an exit could still do anything? Whatever became of it, that read holds it."""
    over_ms = order.created_ms + rules.recv_window_ms + rules.settle_ms
    return never_rests(order) and symbol.venue_lots_ms > over_ms


def cancels(
    symbol: SymbolState, reason: RouterReason, now_venue_ms: int, *, keep_reducing: bool, epoch: int | None = None
) -> tuple[list[Choice], list[Op]]:
    """Cancel every own order that may still fill (UNKNOWN ones too), except reduce-only ones if those may stay.

    `epoch` limits it to orders of one lease epoch: all that an engine without the lease may touch.
    One cancel at a time: while its outcome is open it is given CANCEL_RETRY_MS, in which the order is asked for too.
    Exits never rest: a cancel could only chase our own exit, and its refusal would put the exit in doubt.
    """
    choices: list[Choice] = []
    ops: list[Op] = []
    for client_id in sorted(symbol.orders):
        order = symbol.orders[client_id]
        if never_rests(order) or (keep_reducing and order.reduce_only):
            continue
        if epoch is not None and order.epoch != epoch:
            continue
        pending = order.pending
        if pending is not None and not _overdue(pending, now_venue_ms):
            continue
        choices.append(_choice(order, reason))
        ops.append(_cancel(order, len(ops)))
    return choices, ops


def release_cancels(symbol: SymbolState, now_venue_ms: int) -> None:
    """Refused cancels whose wait is over may be tried again."""
    if not symbol.cancel_again_ms or now_venue_ms < symbol.cancel_again_ms:
        return
    symbol.cancel_again_ms = 0
    symbol.dirty = True
    for order in symbol.orders.values():
        pending = order.pending
        if pending is not None and pending.refused and not pending.unknown and pending.kind is OpKind.CANCEL:
            order.pending = None


def _overdue(pending: PendingWrite, now_venue_ms: int) -> bool:
    """May a cancel follow the write in flight? An amend that waits for a stuck disk must not hold it up for ever."""
    age_ms = now_venue_ms - pending.sent_ms
    if pending.unknown:
        return age_ms >= CANCEL_RETRY_MS
    return age_ms >= (UNHEARD_MS if pending.kind is OpKind.CANCEL else UNANSWERED_MS)


def _cancel(order: Order, index: int) -> Op:
    return Op(
        index=index,
        kind=OpKind.CANCEL,
        intent=Intent.CANCEL,
        symbol=order.symbol,
        level=order.level,
        side=order.side,
        price_ticks=order.price_ticks,
        lots=0,
        reduce_only=order.reduce_only,
        order_type=order.order_type,
        tif=order.tif,
        client_id=order.client_id,
    )


def _choice(order: Order, reason: RouterReason) -> Choice:
    return Choice(
        symbol=order.symbol,
        level=order.level,
        decision=Decision.CANCEL_REPLACE,
        reason=reason,
        side=order.side,
        client_id=order.client_id,
        from_ticks=order.price_ticks,
        from_lots=order.remaining,
        to_ticks=0,
        to_lots=0,
        cost=Cost(calls=1, weight=1),
    )


def sweep(state: EngineState, symbol: SymbolState, *, keep_lots: int) -> tuple[list[Choice], list[Op]]:
    """Bring the position down to `keep_lots` by reduce-only slices, one round at a time.

    Market slices, which the venue bounds by its price band; IOC slices in that band while an order of ours that is
    known to rest on the other side would meet them. It waits for its own last round, and a moment for the cancels.
    """
    lots = lots_to_close(state, symbol)
    if lots is None or abs(lots) <= keep_lots or not _may_sweep(state, symbol):
        return [], []
    side = Side.SELL if lots > 0 else Side.BUY
    # Reduce-only orders that may still rest take the venue's room for the close.
    taken = sum(o.worst_lots for o in symbol.orders.values() if o.reduce_only and o.side is side and not never_rests(o))
    left = total = max(0, abs(lots) - max(keep_lots, taken))
    limit_ticks = _limit_ticks(state, symbol, side)
    ops: list[Op] = []
    while left and len(ops) < SLICES:
        many = min(left, symbol.instrument.market_max_lots)
        ops.append(_slice(symbol, side, many, limit_ticks, len(ops)))
        left -= many
    if not ops:
        return [], []
    choice = Choice(
        symbol=symbol.symbol,
        level=0,
        decision=Decision.CANCEL_REPLACE,
        reason=RouterReason.FLATTEN,
        side=side,
        client_id="",
        from_ticks=0,
        from_lots=0,
        to_ticks=limit_ticks,
        to_lots=total,
        cost=Cost(calls=1, orders=len(ops)),
    )
    return [choice], ops


def _slice(symbol: SymbolState, side: Side, lots: int, limit_ticks: int, index: int) -> Op:
    return Op(
        index=index,
        kind=OpKind.PLACE,
        intent=Intent.REDUCE,
        symbol=symbol.symbol,
        level=0,
        side=side,
        price_ticks=limit_ticks,
        lots=lots,
        reduce_only=True,
        order_type=OrderType.LIMIT if limit_ticks else OrderType.MARKET,
        tif=TimeInForce.IOC,
        client_id="",
    )


def _may_sweep(state: EngineState, symbol: SymbolState) -> bool:
    """One round after the other: the last one answered or spent, and its pause over."""
    exits = [order for order in symbol.orders.values() if never_rests(order)]
    if any(not spent(order, symbol, state.rules.sync) for order in exits):
        return False
    if len(exits) < len(symbol.orders) and state.now_ms < state.fsm.since_ms + CANCEL_PATIENCE_MS:
        return False
    return state.venue_ms - _last_exit_ms(symbol) >= _pause_ms(symbol)


def _pause_ms(symbol: SymbolState) -> int:
    """Between two rounds; longer after each refusal in a row: a wrong sign, or nobody to trade with in the band."""
    refusals = max(symbol.refused.get(f"0|{side}", (0, 0, 0))[1] for side in Side)
    return SWEEP_RETRY_MS << min(refusals, 3)


def _limit_ticks(state: EngineState, symbol: SymbolState, side: Side) -> int:
    """Where an IOC slice may trade at the worst; 0 = a market order, since nothing of ours is known to rest there."""
    known = exposure.sums(symbol.orders.values(), 0)
    mark = symbol.view.mark_ticks or (symbol.view.mid2_ticks + 1) // 2
    reach = mark * state.rules.sweep_price_bps // 10_000
    if side is Side.SELL:
        return max(known.known_bid + 1, mark - reach) if known.known_bid else 0
    if known.known_ask == exposure.NO_ASK:
        return 0
    return min(known.known_ask - 1, mark + reach) if mark else known.known_ask - 1


def _last_exit_ms(symbol: SymbolState) -> int:
    """When the newest exit of this symbol was sent; 0 = never."""
    newest = max((order.created_ms for order in symbol.orders.values() if never_rests(order)), default=0)
    for client_id in reversed(symbol.closed):
        if never_rests(symbol.closed[client_id]):
            return max(newest, symbol.closed[client_id].created_ms)
    return newest


def lots_to_close(state: EngineState, symbol: SymbolState) -> int | None:
    """Signed position by the newest evidence; None while a read may still say what its sign is."""
    if blind_since_ms(state, symbol) is not None and state.now_ms < asking_since_ms(state) + UNREAD_MS:
        return None
    if symbol.venue_lots_ms > symbol.last_fill_ms or not symbol.position_known:
        return symbol.venue_lots
    return symbol.position_lots


def asking_since_ms(state: EngineState) -> int:
    return max(state.fsm.since_ms, state.health.boot_ms)


def blind_since_ms(state: EngineState, symbol: SymbolState) -> int | None:
    """Boot time since which the position may have moved unseen: no read of this boot, or none since fills stopped."""
    if not symbol.venue_lots_ms:
        return state.health.boot_ms
    health = state.health
    if health.user_up or read_ms(state) >= health.user_since_ms:
        return None
    return max(health.boot_ms, read_ms(state))


def read_ms(state: EngineState) -> int:
    """When the newest successful position read was asked for, boot clock; 0 = none in this boot."""
    return state.sync.last_ok.get(slot(QueryKind.POSITIONS, ""), 0)


def kept_lots(state: EngineState, symbol: SymbolState) -> int:
    """Lots that may stay in EMERGENCY: what the strictest answer to one of its reasons allows."""
    answer = on_breach(state)
    if answer is OnBreach.CANCEL_ONLY:
        return max(abs(symbol.position_lots), abs(symbol.venue_lots))
    mark = symbol.view.mark_ticks or (symbol.view.mid2_ticks + 1) // 2
    if answer is OnBreach.REDUCE_TO_CAP and mark:
        return symbol.instrument.units(state.rules.risk.symbol_cap) // mark
    return 0


def on_breach(state: EngineState) -> OnBreach:
    """The strictest answer that a held reason asks for, or the one that began it: a breach may close once answered."""
    reasons = {level.reason for level in state.levels.values() if CONDITIONS[level.reason].event in _LATCHING}
    began = state.fsm.last_reason
    if began is not None and CONDITIONS[began].event in _LATCHING:
        reasons.add(began)
    risk = state.rules.risk
    answers = {
        FsmReason.KILL_SWITCH: risk.on_kill,
        FsmReason.DRAWDOWN: risk.on_drawdown,
        FsmReason.MARGIN_CRITICAL: risk.on_margin,
        FsmReason.EXPOSURE_CAP: risk.on_exposure,
    }
    wanted = {answers.get(reason, OnBreach.FLATTEN) for reason in reasons}
    return next((answer for answer in OnBreach if answer in wanted), OnBreach.FLATTEN)


def done(state: EngineState, symbol: SymbolState) -> bool:
    """Has what an exit state promises for this symbol been proven? Then nothing is repeated until something moves."""
    if symbol.orders or not symbol.venue_lots_ms or symbol.venue_lots_ms <= last_terminal_ms(symbol):
        return False
    keep = kept_lots(state, symbol) if state.fsm.state is FsmState.EMERGENCY else 0
    return max(abs(symbol.venue_lots), abs(symbol.position_lots)) <= keep


def proven_terminal(state: EngineState) -> bool:
    """No own order of any symbol may still fill."""
    return all(not symbol.orders for symbol in state.symbols.values())


def last_terminal_ms(symbol: SymbolState) -> int:
    """Venue time of the newest end of an order: a read must be asked after it to prove anything."""
    newest = 0
    for order in islice(reversed(symbol.closed.values()), 40):
        if order.updated_ms > newest:
            newest = order.updated_ms
    return newest


def proven_flat(symbol: SymbolState) -> bool:
    """Flat by a venue position read asked after the last own order ended."""
    if symbol.orders or not symbol.venue_lots_ms:
        return False
    return symbol.venue_lots == 0 and symbol.position_lots == 0 and symbol.venue_lots_ms > last_terminal_ms(symbol)


def all_flat(state: EngineState) -> bool:
    return all(proven_flat(symbol) for symbol in state.symbols.values())


def resting(state: EngineState) -> tuple[str, ...]:
    """What stays at the venue, for the last line an operator reads."""
    lines = []
    for name in sorted(state.symbols):
        symbol = state.symbols[name]
        for client_id in sorted(symbol.orders):
            order = symbol.orders[client_id]
            lines.append(f"{name} {order.side} {order.remaining}@{order.price_ticks} {order.state} {client_id}")
        if symbol.position_lots:
            lines.append(f"{name} position {symbol.position_lots} lots")
    return tuple(lines)


def is_exit_state(state: FsmState) -> bool:
    return state in _EXITS
