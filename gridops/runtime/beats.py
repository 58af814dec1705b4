"""The dead-man switch in the step: its beats, and what must be believed once it may have cancelled everything.

Called by the step before health judges (`presume`) and by `truth` after everything was decided (`run`). When to beat is
decided in `decide.deadman`; nothing here waits, and no answer is taken for granted.
"""

from gridops.decide import deadman
from gridops.domain.effects import Send, WireOp
from gridops.domain.vocabulary import (
    RESTING,
    FsmState,
    Intent,
    OpKind,
    OrderState,
    OrderType,
    Severity,
    Side,
    StopMode,
    TimeInForce,
)
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState, SymbolState

_QUOTING = (FsmState.ACTIVE, FsmState.THROTTLED)
_STOPPING = FsmState.STOPPING


def presume(state: EngineState, out: Out) -> None:
    """Past the countdown every order of the symbol is UNKNOWN, and its one condition holds until each was asked for."""
    for name, memory in state.deadman.items():
        symbol = state.symbols.get(name)
        if symbol is None:
            continue
        over = deadman.presumed_fired(memory, state.now_ms, state.rules.deadman)
        if over and not memory.fired:
            memory.fired = True
            _doubt(state, symbol, out)
        elif memory.fired and not over and not _doubted(symbol):
            memory.fired = False
            state.health_due_ms = 0


def _doubt(state: EngineState, symbol: SymbolState, out: Out) -> None:
    doubted = [order for order in symbol.orders.values() if order.state in RESTING]
    for order in doubted:
        out.moved(order, OrderState.UNKNOWN, "the dead-man switch has probably cancelled it")
    symbol.dirty = True
    # Health must look now: it may be skipped before its own deadline.
    state.health_due_ms = 0
    detail = f"{symbol.symbol}: no beat acknowledged in time, {len(doubted)} orders unknown until asked for"
    out.note("deadman_presumed_fired", Severity.CRITICAL, detail)


def _doubted(symbol: SymbolState) -> bool:
    return any(order.state is OrderState.UNKNOWN for order in symbol.orders.values())


def run(state: EngineState, out: Out) -> None:
    """Send the beats and disarms that are due. A ban stops them too: each request during one makes it longer."""
    if state.rules.deadman.enabled and state.venue_ms >= state.budget.banned_until_ms:
        for symbol in state.symbols.values():
            _beat(state, symbol, out)


def deadlines_ms(state: EngineState) -> list[int]:
    """When the next beat of each symbol is due or presumed missed, on the boot clock."""
    times = []
    if state.rules.deadman.enabled:
        for symbol in state.symbols.values():
            at_ms = deadman.next_ms(
                state.deadman[symbol.symbol],
                wanted=_wanted_armed(state, symbol),
                leave=_leaving(state),
                now_ms=state.now_ms,
                rules=state.rules.deadman,
            )
            if at_ms is not None:
                times.append(at_ms)
    return times


def _wanted_armed(state: EngineState, symbol: SymbolState) -> bool:
    """While any own order is live or UNKNOWN; and before the first one may be placed."""
    if symbol.orders:
        return True
    return state.fsm.state in _QUOTING and state.identity.armed


def _leaving(state: EngineState) -> bool:
    return state.fsm.state is _STOPPING and state.fsm.stop_mode is StopMode.LEAVE


def _beat(state: EngineState, symbol: SymbolState, out: Out) -> None:
    memory = state.deadman[symbol.symbol]
    beat = deadman.due(
        memory,
        wanted=_wanted_armed(state, symbol),
        lease_held=state.health.lease_held,
        leave=_leaving(state),
        now_ms=state.now_ms,
        rules=state.rules.deadman,
    )
    if beat is None:
        return
    if memory.in_flight:
        _give_up(state, symbol, out)
    state.counters.op_id += 1
    op_id = -state.counters.op_id
    deadman.sent(memory, beat, state.now_ms)
    state.op_owner[op_id] = (OpKind.DEADMAN.value, symbol.symbol, beat.value)
    countdown_ms = state.rules.deadman.countdown_ms if beat is deadman.Beat.ARM else 0
    out.do(_send(state, symbol.symbol, op_id, countdown_ms, out.header.boot_ns))


def _give_up(state: EngineState, symbol: SymbolState, out: Out) -> None:
    """A late answer must not be taken for that of the next beat, which was sent later than the one it answers."""
    mine = (OpKind.DEADMAN.value, symbol.symbol)
    for op_id in [op_id for op_id, owner in state.op_owner.items() if owner[:2] == mine]:
        del state.op_owner[op_id]
    out.note("deadman_beat", Severity.WARN, f"{symbol.symbol} no answer")


def _send(state: EngineState, name: str, op_id: int, countdown_ms: int, decided_boot_ns: int) -> Send:
    wire = WireOp(
        op_id=op_id,
        kind=OpKind.DEADMAN,
        intent=Intent.CANCEL,
        symbol=name,
        client_id="",
        venue_id="",
        side=Side.BUY,
        level=0,
        price_ticks=0,
        lots=0,
        reduce_only=False,
        order_type=OrderType.LIMIT,
        tif=TimeInForce.GTC,
        countdown_ms=countdown_ms,
    )
    return Send(
        kind=OpKind.DEADMAN,
        symbol=name,
        ops=(wire,),
        durable=False,
        reserve=False,
        decided_boot_ns=decided_boot_ns,
        state_epoch=state.fsm.epoch,
        lease_epoch=state.identity.epoch,
    )
