"""The reads a step asks for: cadence, probes of orders in doubt, and the dead-man's beats. The end of a step."""

from gridops.decide import deadman, sync
from gridops.domain.effects import Send, WireOp
from gridops.domain.vocabulary import (
    FsmState,
    Intent,
    OpKind,
    OrderState,
    OrderType,
    QueryKind,
    Side,
    StopMode,
    TimeInForce,
)
from gridops.runtime import commit, protect
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState, SymbolState

MAX_PROBES = 5
PATIENCE_MS = 100
_WAITING = frozenset({OrderState.SENT, OrderState.UNKNOWN})


def run(state: EngineState, out: Out) -> None:
    """Ask what is due, forget questions that were never answered, keep the dead-man fed."""
    if not state.health.lease_held:
        return
    _drop_lost_questions(state)
    _want_proof(state)
    probes = _probes(state)
    if max(state.budget.banned_until_ms, state.budget.held_until_ms) <= state.venue_ms:
        wants = sync.due(
            state.sync,
            now_ms=state.now_ms,
            symbols=tuple(state.symbols),
            rules=state.rules.sync,
            degraded_with_position=_degraded_with_position(state),
            probes=probes[:MAX_PROBES],
        )
        commit.ask(state, wants, out)
    if state.rules.deadman.enabled:
        for symbol in state.symbols.values():
            _beat(state, symbol, out)


def _degraded_with_position(state: EngineState) -> bool:
    held = any(symbol.position_lots or symbol.venue_lots for symbol in state.symbols.values())
    return held and state.fsm.state in (FsmState.DEGRADED, FsmState.EMERGENCY, FsmState.STOPPING)


def _want_proof(state: EngineState) -> None:
    """Flat is proven by a read asked after the last own order ended: ask then, not at the next cadence."""
    if not protect.is_exit_state(state.fsm.state):
        return
    for symbol in state.symbols.values():
        ended_ms = protect.last_terminal_ms(symbol)
        if symbol.orders or symbol.venue_lots_ms > ended_ms:
            continue
        if not any(a.kind is QueryKind.POSITIONS and a.asked_ms > ended_ms for a in state.sync.asked.values()):
            sync.want(state.sync, QueryKind.POSITIONS, "", state.now_ms)


def _drop_lost_questions(state: EngineState) -> None:
    """A question without an answer past its time-out is asked again; the late answer will be ignored."""
    limit = state.now_ms - state.rules.sync.query_timeout_ms
    for query_id in [q for q, asked in state.sync.asked.items() if asked.boot_ms < limit]:
        lost = state.sync.asked.pop(query_id)
        sync.want(state.sync, lost.kind, lost.symbol, state.now_ms)
        state.sync.failures += 1
        state.health.venue_failures += 1


def _probes(state: EngineState) -> list[tuple[str, str]]:
    """(symbol, client id) of orders whose fate must be asked for, oldest first."""
    doubts = []
    for symbol in state.symbols.values():
        for order in symbol.orders.values():
            if order.absent_reads or sync.in_doubt(order, state.venue_ms, state.rules.sync):
                doubts.append((order.created_ms, symbol.symbol, order.client_id))
    return [(name, client_id) for _, name, client_id in sorted(doubts)]


def _wanted_armed(state: EngineState, symbol: SymbolState) -> bool:
    """While any own order is live or UNKNOWN; and before the first one may be placed."""
    if symbol.orders:
        return True
    return state.fsm.state in (FsmState.ACTIVE, FsmState.THROTTLED) and state.identity.armed


def _leaving(state: EngineState) -> bool:
    return state.fsm.state is FsmState.STOPPING and state.fsm.stop_mode is StopMode.LEAVE


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
    countdown_ms = state.rules.deadman.countdown_ms if beat is deadman.Beat.ARM else 0
    state.counters.op_id += 1
    op_id = -state.counters.op_id
    deadman.sent(memory, beat, state.now_ms)
    state.op_owner[op_id] = (OpKind.DEADMAN.value, symbol.symbol, beat.value)
    out.do(
        Send(
            kind=OpKind.DEADMAN,
            symbol=symbol.symbol,
            ops=(
                WireOp(
                    op_id=op_id,
                    kind=OpKind.DEADMAN,
                    intent=Intent.CANCEL,
                    symbol=symbol.symbol,
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
                ),
            ),
            durable=False,
            reserve=False,
            decided_boot_ns=out.header.boot_ns,
            state_epoch=state.fsm.epoch,
            lease_epoch=state.identity.epoch,
        )
    )


def deadline_ms(state: EngineState) -> int:
    """When the next read or beat is due, on the boot clock."""
    now = state.now_ms
    times = [now + state.rules.sync.open_orders_ms]
    if not state.health.lease_held:
        return times[0]
    # Nothing is asked before a ban ends, and what this step left unasked is not asked a millisecond later either.
    times.append(max(_next_question_ms(state), state.health.banned_until_ms, now + PATIENCE_MS))
    for asked in state.sync.asked.values():
        times.append(asked.boot_ms + state.rules.sync.query_timeout_ms + 1)
    if state.rules.deadman.enabled:
        for symbol in state.symbols.values():
            memory = state.deadman[symbol.symbol]
            armed = _wanted_armed(state, symbol)
            at_ms = deadman.next_ms(memory, wanted=armed, leave=_leaving(state), now_ms=now, rules=state.rules.deadman)
            if at_ms is not None:
                times.append(at_ms)
    return max(min(times), now + 1)


def _next_question_ms(state: EngineState) -> int:
    """When the next read or probe that is not under way already is due."""
    degraded = _degraded_with_position(state)
    times = [state.now_ms + state.rules.sync.open_orders_ms]
    under_way = {sync.slot(a.kind, a.symbol) for a in state.sync.asked.values()}
    for kind, name in sync.cycle(state.symbols):
        if sync.slot(kind, name) not in under_way:
            times.append(sync.read_due_ms(state.sync, kind, name, state.rules.sync, degraded_with_position=degraded))
    for symbol in state.symbols.values():
        times += _order_deadlines(state, symbol)
    return min(times)


def _order_deadlines(state: EngineState, symbol: SymbolState) -> list[int]:
    offset = state.now_ms - state.venue_ms
    probing = {asked.client_id for asked in state.sync.asked.values() if asked.kind is QueryKind.ORDER}
    times = []
    for order in symbol.orders.values():
        if order.client_id in probing:
            continue
        waiting = order.pending.sent_ms if order.pending is not None else 0
        if order.state in _WAITING or order.absent_reads:
            waiting = waiting or order.created_ms
        if waiting:
            asked = state.sync.order_ask.get(order.client_id)
            first = waiting + offset + state.rules.sync.inflight_ms + 1
            times.append(first if asked is None else max(first, asked + state.rules.sync.inflight_ms))
    return times
