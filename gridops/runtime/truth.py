"""The reads a step asks for: cadence, probes of orders in doubt, and the dead-man's beats. The end of a step."""

from gridops.decide import sync
from gridops.domain.vocabulary import FsmState, OrderState, QueryKind
from gridops.runtime import beats, commit, protect
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState, SymbolState

MAX_PROBES = 5
PATIENCE_MS = 100
PROOF_MS = 1_000
"""How often the position is read while an exit is not proven."""
SLOW_READ_MS = 2_000
_ORDER = QueryKind.ORDER
_WAITING = frozenset({OrderState.SENT, OrderState.UNKNOWN})
_WORKING = frozenset({OrderState.OPEN, OrderState.PARTIAL})
_EXITS = frozenset({FsmState.EMERGENCY, FsmState.STOPPING})
_UNSURE = frozenset({FsmState.DEGRADED, FsmState.EMERGENCY, FsmState.STOPPING})


def run(state: EngineState, out: Out) -> None:
    """Ask what is due, forget questions that were never answered, keep the dead-man fed."""
    if not state.health.lease_held:
        return
    _drop_lost_questions(state)
    _want_proof(state)
    if max(state.budget.banned_until_ms, state.budget.held_until_ms) <= state.venue_ms:
        probes = _probes(state)
        wants = sync.due(
            state.sync,
            now_ms=state.now_ms,
            symbols=tuple(state.symbols),
            rules=state.rules.sync,
            degraded_with_position=_degraded_with_position(state),
            probes=probes[:MAX_PROBES],
        )
        commit.ask(state, [*wants, *_once_more(state)], out)
    if not state.identity.observer:
        beats.run(state, out)


def _degraded_with_position(state: EngineState) -> bool:
    if state.fsm.state not in _UNSURE:
        return False
    return any(symbol.position_lots or symbol.venue_lots for symbol in state.symbols.values())


def _want_proof(state: EngineState) -> None:
    """Flat is proven by a read asked after the last own order ended: ask then, and often while anything is open."""
    if state.fsm.state not in _EXITS:
        return
    last_ms = state.sync.last_ask.get(sync.slot(QueryKind.POSITIONS, ""), 0)
    for symbol in state.symbols.values():
        if protect.done(state, symbol):
            continue
        ended_ms = protect.last_terminal_ms(symbol)
        proves = not symbol.orders and symbol.venue_lots_ms <= ended_ms
        under_way = any(a.kind is QueryKind.POSITIONS and a.asked_ms > ended_ms for a in state.sync.asked.values())
        if (proves and not under_way) or state.now_ms >= last_ms + PROOF_MS:
            sync.want(state.sync, QueryKind.POSITIONS, "", state.now_ms)


def _once_more(state: EngineState) -> list[sync.Want]:
    """A position read that is slow to answer does not hold up the next while an exit waits for one."""
    if state.fsm.state not in _EXITS:
        return []
    asked_ms = max((a.boot_ms for a in state.sync.asked.values() if a.kind is QueryKind.POSITIONS), default=None)
    if asked_ms is None or state.now_ms < asked_ms + SLOW_READ_MS:
        return []
    if all(protect.done(state, symbol) for symbol in state.symbols.values()):
        return []
    return [sync.Want(kind=QueryKind.POSITIONS, symbol="")]


def _drop_lost_questions(state: EngineState) -> None:
    """A question without an answer past its time-out is asked again; the late answer will be ignored."""
    if not state.sync.asked:
        return
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
            if order.pending is None and not order.absent_reads and order.state in _WORKING:
                continue
            if order.absent_reads or sync.in_doubt(order, state.venue_ms, state.rules.sync):
                doubts.append((order.created_ms, symbol.symbol, order.client_id))
    return [(name, client_id) for _, name, client_id in sorted(doubts)]


def deadline_ms(state: EngineState) -> int:
    """When the next read or beat is due, on the boot clock."""
    now = state.now_ms
    rules = state.rules.sync
    times = [now + rules.open_orders_ms]
    if not state.health.lease_held:
        return times[0]
    # Nothing is asked before a ban ends, and what this step left unasked is not asked a millisecond later either.
    times.append(max(_next_question_ms(state), state.health.banned_until_ms, now + PATIENCE_MS))
    times += [asked.boot_ms + rules.query_timeout_ms + 1 for asked in state.sync.asked.values()]
    if not state.identity.observer:
        times += beats.deadlines_ms(state)
    return max(min(times), now + 1)


def _next_question_ms(state: EngineState) -> int:
    """When the next read or probe that is not under way already is due."""
    degraded = _degraded_with_position(state)
    reads = sync.reads_due_ms(state.sync, state.symbols, state.rules.sync, degraded_with_position=degraded)
    times = [state.now_ms + state.rules.sync.open_orders_ms]
    if reads:
        times.append(min(reads)[0])
    for symbol in state.symbols.values():
        if symbol.orders:
            times += _order_deadlines(state, symbol)
    return min(times)


def _order_deadlines(state: EngineState, symbol: SymbolState) -> list[int]:
    offset, inflight_ms = state.now_ms - state.venue_ms, state.rules.sync.inflight_ms
    probing: set[str] | None = None
    times = []
    for order in symbol.orders.values():
        pending, unsettled = order.pending, order.absent_reads or order.state in _WAITING
        if pending is None and not unsettled:
            continue
        if probing is None:
            probing = {asked.client_id for asked in state.sync.asked.values() if asked.kind is _ORDER}
        if order.client_id in probing:
            continue
        waiting = pending.sent_ms if pending is not None else 0
        if unsettled:
            waiting = waiting or order.created_ms
        if waiting:
            asked_ms = state.sync.order_ask.get(order.client_id)
            first = waiting + offset + inflight_ms + 1
            times.append(first if asked_ms is None else max(first, asked_ms + inflight_ms))
    return times
