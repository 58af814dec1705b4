"""Write decisions into the state: orders get their intent, operations their number, the wire its Send.

With `observe` the only code that changes the state. It decides nothing: what it is given has passed every gate.
"""

from collections.abc import Iterable, Sequence

from gridops.decide import budget
from gridops.decide.sync import Asked, Want, asked_now, slot
from gridops.decide.words import AMEND_OP, CANCEL_OP, CANCEL_REPLACE, INCREASE, NOOP, PLACE_OP, REDUCE, SENT
from gridops.domain.effects import Query, Send, WireOp
from gridops.domain.ids import ORDINARY, mint
from gridops.domain.orders import Order, PendingWrite
from gridops.domain.plan import Choice, Op, Plan, Verdict
from gridops.domain.records import Decided, GateRefused, Sent
from gridops.domain.vocabulary import (
    OpKind,
    QueryKind,
    RouterReason,
)
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState, SymbolState

CHURN_MINUTES = 60
_BLOCKED_GATE = RouterReason.BLOCKED_GATE


def plan(state: EngineState, symbol: SymbolState, decided: Plan, out: Out) -> None:
    """Carry out a plan: say the decisions that are new, and send the operations that wait for nothing."""
    for choice in decided.choices:
        _relabel(symbol, choice)
        say_choice(state, symbol, choice, out)
    ready = [op for op in decided.ops if not op.after]
    for op in decided.ops:
        if op.after and op.kind is PLACE_OP:
            for index in op.after:
                if decided.ops[index].level == op.level and decided.ops[index].kind is CANCEL_OP:
                    symbol.replacing[op.level] = decided.ops[index].client_id
    operations(state, symbol, ready, out)


def _relabel(symbol: SymbolState, choice: Choice) -> None:
    """A kept order serves the level it was chosen for: a moving ladder rolls its far rung instead of every order."""
    order = symbol.orders.get(choice.client_id)
    if order is not None and choice.level and choice.decision is not CANCEL_REPLACE:
        order.level = choice.level


def say_choice(state: EngineState, symbol: SymbolState, choice: Choice, out: Out) -> None:
    """Record a decision, once: a level about which nothing new was decided stays silent."""
    said = "|".join((choice.decision, choice.reason, choice.client_id, choice.gate or "None"))
    if choice.decision is not NOOP:
        said += f"|{choice.to_ticks}|{choice.to_lots}|{state.counters.op_id}"
    if symbol.last_choice.get(choice.level) == said:
        return
    symbol.last_choice[choice.level] = said
    name = "/".join((choice.decision, choice.reason))
    state.counters.decisions[name] = state.counters.decisions.get(name, 0) + 1
    out.say(Decided(choice))
    if choice.reason is _BLOCKED_GATE and choice.gate is not None:
        intent = REDUCE if choice.client_id and not choice.to_lots else INCREASE
        out.say(
            GateRefused(
                gate=choice.gate,
                intent=intent,
                symbol=choice.symbol,
                level=choice.level,
                detail=f"{choice.side} {choice.to_lots}@{choice.to_ticks}",
                all_refusals=choice.gate.value,
            )
        )


def refused(symbol: SymbolState, op: Op, verdict: Verdict, out: Out) -> None:
    """Say that a gate stopped an operation of protection, once per level and gate."""
    said = f"refused|{verdict.gate}|{op.kind}"
    if symbol.last_choice.get(op.level) == said:
        return
    symbol.last_choice[op.level] = said
    out.say(
        GateRefused(
            gate=verdict.gate,
            intent=op.intent,
            symbol=op.symbol,
            level=op.level,
            detail=verdict.detail,
            all_refusals=verdict.gate.value,
        )
    )


def operations(state: EngineState, symbol: SymbolState, ops: Sequence[Op], out: Out) -> None:
    """Number the operations, write their intents, and hand them over in batches of one kind and intent."""
    batch: list[WireOp] = []
    for op in ops:
        wire = _intend(state, symbol, op, out)
        if batch and (batch[0].kind, batch[0].intent) != (wire.kind, wire.intent):
            _send(state, batch, out)
            batch = []
        batch.append(wire)
        if len(batch) >= _batch_size(state, wire.kind):
            _send(state, batch, out)
            batch = []
    if batch:
        _send(state, batch, out)
    if ops:
        symbol.dirty = True


def _batch_size(state: EngineState, kind: OpKind) -> int:
    router = state.rules.router
    if kind is AMEND_OP:
        return router.amend_batch
    if kind is PLACE_OP:
        return router.place_batch
    return router.cancel_batch if kind is CANCEL_OP else 1


def _send(state: EngineState, ops: Iterable[WireOp], out: Out) -> None:
    carried = tuple(ops)
    kind = carried[0].kind
    out.do(
        Send(
            kind=kind,
            symbol=carried[0].symbol,
            ops=carried,
            durable=kind is PLACE_OP or kind is AMEND_OP,
            reserve=all(op.intent is REDUCE for op in carried),
            decided_boot_ns=out.header.boot_ns,
            state_epoch=state.fsm.epoch,
            lease_epoch=state.identity.epoch,
        )
    )


def _intend(state: EngineState, symbol: SymbolState, op: Op, out: Out) -> WireOp:
    counters, kind = state.counters, op.kind
    counters.op_id = op_id = counters.op_id + 1
    counters.ops[kind] = counters.ops.get(kind, 0) + 1
    order = symbol.orders.get(op.client_id) if op.client_id else None
    if kind is PLACE_OP:
        order = _new_order(state, symbol, op)
        symbol.orders[order.client_id] = order
        symbol.replacing.pop(op.level, None)
    assert order is not None, f"{kind} names {op.client_id}, which is no live order"
    if kind is not PLACE_OP:
        order.pending = PendingWrite(op_id, kind, state.venue_ms, op.price_ticks, op.lots)
    out.touched[order.client_id] = order
    state.op_owner[op_id] = (kind, symbol.symbol, order.client_id)
    budget.spend(state.budget, budget.op_cost(kind), state.venue_ms)
    if op.intent is INCREASE:
        count_churn(state)
    out.say(
        Sent(
            op_id,
            kind,
            order.client_id,
            symbol.symbol,
            op.level,
            op.intent,
            op.price_ticks,
            op.lots,
            op.reduce_only,
        )
    )
    return WireOp(
        op_id,
        kind,
        op.intent,
        symbol.symbol,
        order.client_id,
        order.venue_id,
        op.side,
        op.level,
        op.price_ticks,
        op.lots,
        op.reduce_only,
        op.order_type,
        op.tif,
    )


def _new_order(state: EngineState, symbol: SymbolState, op: Op) -> Order:
    counters, identity = state.counters, state.identity
    counters.attempt += 1
    client_id = mint(
        tag=identity.instance_tag,
        epoch=identity.epoch,
        run_id=identity.run_id,
        symbol=symbol.symbol,
        level=op.level,
        side=op.side.value,
        attempt=counters.attempt,
        marker=ORDINARY,
    )
    return Order(
        client_id=client_id,
        symbol=symbol.symbol,
        side=op.side,
        level=op.level,
        price_ticks=op.price_ticks,
        lots=op.lots,
        reduce_only=op.reduce_only,
        order_type=op.order_type,
        tif=op.tif,
        state=SENT,
        epoch=identity.epoch,
        created_ms=state.venue_ms,
        decision_mid2=symbol.view.mid2_ticks,
    )


def count_churn(state: EngineState) -> None:
    """One more write that raises risk: pairs of (minute, count), the last hour's."""
    churn, minute = state.counters.churn, state.venue_ms // 60_000
    if churn and churn[-2] == minute:
        churn[-1] += 1
    else:
        churn.extend((minute, 1))
        while churn[0] <= minute - CHURN_MINUTES:
            del churn[:2]


def churn_last_hour(state: EngineState) -> int:
    oldest = state.venue_ms // 60_000 - CHURN_MINUTES
    churn = state.counters.churn
    return sum([churn[i + 1] for i in range(0, len(churn), 2) if churn[i] > oldest])


def ask(state: EngineState, wants: Iterable[Want], out: Out) -> None:
    """Send the reads that are due, and remember what our own books said when each was asked."""
    for want in wants:
        state.counters.query_id += 1
        symbol = state.symbols.get(want.symbol)
        known = symbol or (next(iter(state.symbols.values())) if len(state.symbols) == 1 else None)
        from_id = symbol.last_trade_id + 1 if symbol and want.kind is QueryKind.TRADES and symbol.last_trade_id else 0
        state.sync.asked[state.counters.query_id] = Asked(
            kind=want.kind,
            symbol=want.symbol,
            client_id=want.client_id,
            asked_ms=state.venue_ms,
            boot_ms=state.now_ms,
            from_id=from_id,
            low_lots=known.position_lots if known else 0,
            high_lots=known.position_lots if known else 0,
        )
        if want.kind is QueryKind.ORDER:
            state.sync.order_ask[want.client_id] = state.now_ms
        else:
            asked_now(state.sync, slot(want.kind, want.symbol), state.now_ms)
        budget.spend(state.budget, budget.query_cost(want.kind), state.venue_ms)
        out.do(
            Query(
                query_id=state.counters.query_id,
                kind=want.kind,
                symbol=want.symbol,
                client_id=want.client_id,
                from_id=from_id,
                since_ms=state.ledger.income_cursor_ms,
            )
        )
