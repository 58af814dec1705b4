"""One journal row onto a copy of the engine's state: the input through `observe`, then what the row says was decided.

The screen starts from a checkpoint and stays at the engine's own state with it, by what was recorded and never by
deciding again. A row that does not fit raises; the next checkpoint puts it right.
"""

from gridops.decide import budget, deadman, drawdown, fsm, levels
from gridops.decide.sync import Asked
from gridops.domain.effects import Effect, Query, Send, WireOp
from gridops.domain.events import Event, Header, OrderReport
from gridops.domain.orders import Order, PendingWrite
from gridops.domain.plan import Choice
from gridops.domain.records import (
    ConditionEdge,
    Decided,
    GridChanged,
    OrderMoved,
    Record,
    RegimeChanged,
    ShadowEdge,
    Transition,
)
from gridops.domain.vocabulary import TERMINAL, Decision, FsmEvent, OpKind, OrderState
from gridops.runtime import facts
from gridops.runtime.observe import observe
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState

SAMPLE_MS = 1_000


def fold(state: EngineState, header: Header, event: Event, records: list[Record], effects: list[Effect]) -> None:
    """Bring `state` from before this row to after it. ValueError, KeyError or AssertionError when it does not fit."""
    observe(state, header, event, Out(header, state.identity.run_id))
    if state.booted and (state.now_ms >= state.sampled_ms + SAMPLE_MS or isinstance(event, OrderReport)):
        facts.sample(state)
    for said in records:
        _said(state, said)
    for wanted in effects:
        _wanted(state, wanted)


def _said(state: EngineState, said: Record) -> None:
    match said:
        case Transition():
            _moved(state, said)
        case ConditionEdge():
            key = levels.level_key(said.reason, said.scope)
            if said.open:
                state.levels[key] = levels.Level(said.reason, said.scope, state.now_ms, said.detail)
            else:
                state.levels.pop(key, None)
        case ShadowEdge():
            key = levels.level_key(said.reason, said.scope)
            if said.open:
                state.shadow[key] = levels.Level(said.reason, said.scope, state.now_ms, said.detail)
            else:
                state.shadow.pop(key, None)
        case OrderMoved():
            _order_moved(state, said)
        case GridChanged():
            symbol = state.symbols[said.symbol]
            symbol.grid.spacing_cbps, symbol.rung_lots = said.spacing_cbps, said.lots
        case RegimeChanged():
            state.symbols[said.symbol].regime.regime = said.to_regime
        case Decided():
            _relabel(state, said.choice)
            name = f"{said.choice.decision}/{said.choice.reason}"
            state.counters.decisions[name] = state.counters.decisions.get(name, 0) + 1
        case _:
            pass


def _relabel(state: EngineState, choice: Choice) -> None:
    """A kept order serves the level it was chosen for."""
    order = state.symbols[choice.symbol].orders.get(choice.client_id)
    if order is not None and choice.level and choice.decision is not Decision.CANCEL_REPLACE:
        order.level = choice.level


def _moved(state: EngineState, said: Transition) -> None:
    move = fsm.Move(said.from_state, said.to_state, said.event, said.reason, said.detail)
    fsm.apply(state.fsm, move, state.now_ms)
    if said.event is FsmEvent.ACK:
        wishes = state.wishes
        wishes.killed, wishes.kill_author, wishes.kill_reason = False, "", ""
        state.drawdown = drawdown.rebase(state.drawdown)


def _order_moved(state: EngineState, said: OrderMoved) -> None:
    """Most moves follow from the input itself; a plan of protection moves orders too."""
    symbol = state.symbols[said.symbol]
    order = symbol.orders.get(said.client_id)
    if order is None:
        return
    order.state = said.to_state
    if said.to_state in TERMINAL:
        symbol.closed[said.client_id] = symbol.orders.pop(said.client_id)


def _wanted(state: EngineState, wanted: Effect) -> None:
    if isinstance(wanted, Send):
        for op in wanted.ops:
            _sent(state, op)
    elif isinstance(wanted, Query):
        _asked(state, wanted)


def _sent(state: EngineState, op: WireOp) -> None:
    counters = state.counters
    counters.op_id = max(counters.op_id, abs(op.op_id))
    if op.kind is OpKind.DEADMAN:
        beat = deadman.Beat.ARM if op.countdown_ms else deadman.Beat.DISARM
        deadman.sent(state.deadman[op.symbol], beat, state.now_ms)
        state.op_owner[op.op_id] = (op.kind.value, op.symbol, beat.value)
        return
    counters.ops[op.kind] = counters.ops.get(op.kind, 0) + 1
    budget.spend(state.budget, budget.op_cost(op.kind), state.venue_ms)
    state.op_owner[op.op_id] = (op.kind.value, op.symbol, op.client_id)
    symbol = state.symbols[op.symbol]
    if op.kind is OpKind.PLACE:
        symbol.orders[op.client_id] = _placed(state, op)
    elif op.client_id in symbol.orders:
        pending = PendingWrite(op.op_id, op.kind, state.venue_ms, op.price_ticks, op.lots)
        symbol.orders[op.client_id].pending = pending


def _placed(state: EngineState, op: WireOp) -> Order:
    return Order(
        client_id=op.client_id,
        symbol=op.symbol,
        side=op.side,
        level=op.level,
        price_ticks=op.price_ticks,
        lots=op.lots,
        reduce_only=op.reduce_only,
        order_type=op.order_type,
        tif=op.tif,
        state=OrderState.SENT,
        epoch=state.identity.epoch,
        created_ms=state.venue_ms,
        decision_mid2=state.symbols[op.symbol].view.mid2_ticks,
    )


def _asked(state: EngineState, query: Query) -> None:
    state.counters.query_id = max(state.counters.query_id, query.query_id)
    only = next(iter(state.symbols.values())) if len(state.symbols) == 1 else None
    symbol = state.symbols.get(query.symbol) or only
    lots = symbol.position_lots if symbol else 0
    budget.spend(state.budget, budget.query_cost(query.kind), state.venue_ms)
    state.sync.asked[query.query_id] = Asked(
        kind=query.kind,
        symbol=query.symbol,
        client_id=query.client_id,
        asked_ms=state.venue_ms,
        boot_ms=state.now_ms,
        from_id=query.from_id,
        low_lots=lots,
        high_lots=lots,
    )
