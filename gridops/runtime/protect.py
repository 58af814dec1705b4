"""What is done in a state that does not quote: cancel what may not rest, close what must be closed, prove it.

Re-planned at every step until the venue's own read says it is done; pure questions to the state, operations out.
"""

from gridops.domain.orders import Order, PendingWrite
from gridops.domain.plan import Choice, Cost, Op
from gridops.domain.vocabulary import (
    Decision,
    FsmState,
    Intent,
    OpKind,
    OrderType,
    RouterReason,
    Side,
    TimeInForce,
)
from gridops.runtime.state import EngineState, SymbolState

SWEEP_RETRY_MS = 500
CANCEL_RETRY_MS = 2_000
UNANSWERED_MS = 10_000
"""Longer than any answer of the venue takes: what is still open then may never have left."""


def cancels(
    symbol: SymbolState, reason: RouterReason, now_venue_ms: int, *, keep_reducing: bool, epoch: int | None = None
) -> tuple[list[Choice], list[Op]]:
    """Cancel every own order that may still fill (UNKNOWN ones too), except reduce-only ones if those may stay.

    `epoch` limits it to orders of one lease epoch: all that an engine without the lease may touch.
    One cancel at a time: while its outcome is open it is given CANCEL_RETRY_MS, in which the order is asked for too.
    Market orders never rest: a cancel could only chase our own exit, and its refusal would put the exit in doubt.
    """
    choices: list[Choice] = []
    ops: list[Op] = []
    for client_id in sorted(symbol.orders):
        order = symbol.orders[client_id]
        if order.order_type is OrderType.MARKET or (keep_reducing and order.reduce_only):
            continue
        if epoch is not None and order.epoch != epoch:
            continue
        pending = order.pending
        if pending is not None and not _overdue(pending, now_venue_ms):
            continue
        choices.append(_choice(order, reason))
        ops.append(_cancel(order, len(ops)))
    return choices, ops


def _overdue(pending: PendingWrite, now_venue_ms: int) -> bool:
    """May a cancel follow the write in flight? An amend that waits for a stuck disk must not hold it up for ever."""
    age_ms = now_venue_ms - pending.sent_ms
    if pending.unknown:
        return age_ms >= CANCEL_RETRY_MS
    return pending.kind is not OpKind.CANCEL and age_ms >= UNANSWERED_MS


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


def sweep(symbol: SymbolState, now_venue_ms: int, *, keep_lots: int) -> tuple[list[Choice], list[Op]]:
    """Bring the position down to `keep_lots` by reduce-only market slices, one round at a time.

    Waits until no own order may still fill, since a resting reduce-only order takes the room of the close.
    """
    if symbol.orders or not symbol.position_known:
        return [], []
    lots = symbol.position_lots if symbol.position_lots else symbol.venue_lots
    if abs(lots) <= keep_lots or now_venue_ms - _last_exit_ms(symbol) < SWEEP_RETRY_MS:
        return [], []
    side, left = (Side.SELL if lots > 0 else Side.BUY), abs(lots) - keep_lots
    ops: list[Op] = []
    while left and len(ops) < 5:
        many = min(left, symbol.instrument.market_max_lots)
        ops.append(
            Op(
                index=len(ops),
                kind=OpKind.PLACE,
                intent=Intent.REDUCE,
                symbol=symbol.symbol,
                level=0,
                side=side,
                price_ticks=0,
                lots=many,
                reduce_only=True,
                order_type=OrderType.MARKET,
                tif=TimeInForce.IOC,
                client_id="",
            )
        )
        left -= many
    choice = Choice(
        symbol=symbol.symbol,
        level=0,
        decision=Decision.CANCEL_REPLACE,
        reason=RouterReason.FLATTEN,
        side=side,
        client_id="",
        from_ticks=0,
        from_lots=0,
        to_ticks=0,
        to_lots=abs(lots) - keep_lots,
        cost=Cost(calls=1, orders=len(ops)),
    )
    return [choice], ops


def _last_exit_ms(symbol: SymbolState) -> int:
    """When the newest exit of this symbol was sent; 0 = never."""
    for client_id in reversed(symbol.closed):
        if symbol.closed[client_id].level == 0:
            return symbol.closed[client_id].created_ms
    return 0


def proven_terminal(state: EngineState) -> bool:
    """No own order of any symbol may still fill."""
    return all(not symbol.orders for symbol in state.symbols.values())


def last_terminal_ms(symbol: SymbolState) -> int:
    """Venue time of the newest end of an order: a read must be asked after it to prove anything."""
    newest = 0
    for client_id in list(symbol.closed)[-40:]:
        newest = max(newest, symbol.closed[client_id].updated_ms)
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
    return state in (FsmState.EMERGENCY, FsmState.STOPPING)
