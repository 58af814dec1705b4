"""From state to operations: the ladder, the plan, what a state forbids, and the end of a run."""

from collections.abc import Callable, Sequence

from gridops.decide import budget, gates, grid, regime, sizing, volatility
from gridops.decide.grid import GridInputs
from gridops.decide.health import stop_deadline_ms
from gridops.decide.levels import frozen_symbols
from gridops.decide.route_context import RouteContext
from gridops.decide.router import route
from gridops.decide.sync import slot
from gridops.domain.effects import Finish
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.domain.orders import Order
from gridops.domain.plan import Choice, Op, Plan, Request, Target
from gridops.domain.records import GridChanged, RegimeChanged
from gridops.domain.vocabulary import FsmReason, FsmState, QueryKind, RouterReason, Severity, StopMode
from gridops.runtime import commit, facts, gate_views, protect, standing
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState, SymbolState

Planner = Callable[[Sequence[Target], Sequence[Order], RouteContext], Plan]
"""From the ladder and the working orders to a plan. The product has one; comparisons put others in its place."""
RESIZE_MS = 10_000
MONEY_WITHIN_MS = 2_000
"""A stop waits so long for funding or a transfer that was told and is not booked yet."""
_QUOTING = (FsmState.ACTIVE, FsmState.THROTTLED)
_PLANNING = frozenset({*_QUOTING, FsmState.READY, FsmState.PAUSED})
_STOPPING, _EMERGENCY = FsmState.STOPPING, FsmState.EMERGENCY


def run(state: EngineState, out: Out, planner: Planner = route) -> None:
    """Plan every symbol that has something to plan. Without the lease only orders of our own epoch are taken away."""
    for symbol in state.symbols.values():
        protect.release_cancels(symbol, state.venue_ms)
    if not state.health.lease_held:
        if not state.health.foreign_writer:
            for name in sorted(state.symbols):
                _cancel(state, state.symbols[name], RouterReason.STATE_FORBIDS, True, out, epoch=state.identity.epoch)
        return
    for name in sorted(state.symbols):
        _symbol(state, state.symbols[name], out, planner)


def _symbol(state: EngineState, symbol: SymbolState, out: Out, planner: Planner) -> None:
    if state.fsm.state in _PLANNING:
        if _due(state, symbol):
            _plan(state, symbol, out, planner, allow_increase=state.fsm.state in _QUOTING)
        return
    match state.fsm.state:
        case FsmState.DEGRADED:
            _cancel(state, symbol, RouterReason.STATE_FORBIDS, True, out)
        case FsmState.INIT:
            if state.now_ms - state.fsm.since_ms >= state.rules.health.boot_stuck_ms:
                _cancel(state, symbol, RouterReason.STATE_FORBIDS, True, out)
        case FsmState.EMERGENCY:
            _emergency(state, symbol, out)
        case FsmState.STOPPING:
            _stopping(state, symbol, out, planner)


def _due(state: EngineState, symbol: SymbolState) -> bool:
    """Is there anything a plan could change?"""
    if symbol.dirty or (symbol.plan_wake_ms and state.venue_ms >= symbol.plan_wake_ms):
        return True
    view = symbol.view
    return not (
        symbol.quiet_low_mid2 <= view.mid2_ticks <= symbol.quiet_high_mid2
        and 0 < view.ask_ticks - view.bid_ticks <= symbol.quiet_spread_ticks
    )


def _plan(state: EngineState, symbol: SymbolState, out: Out, planner: Planner, *, allow_increase: bool) -> None:
    symbol.dirty = False
    frozen = symbol.symbol in frozen_symbols(state.levels, tuple(state.symbols))
    increase = allow_increase and not frozen
    view = symbol.view
    if not view.has_book or not symbol.position_known or not state.ledger.opened or facts.mark_ticks(symbol) <= 0:
        if not increase:
            _cancel(state, symbol, RouterReason.STATE_FORBIDS, True, out)
        # No plan stands: look again at every step, and at none because of an older plan's deadline.
        symbol.plan_wake_ms, symbol.quiet_low_mid2, symbol.quiet_high_mid2 = 0, 1, 0
        return
    targets = _ladder(state, symbol, increase, out)
    plan = planner(targets, tuple(symbol.orders.values()), _context(state, symbol, increase))
    symbol.stands = standing.stands(plan)
    commit.plan(state, symbol, plan, out)
    symbol.dirty = False
    symbol.planned_ms = state.venue_ms
    symbol.plan_wake_ms = plan.wake_ms
    symbol.targets = len(targets)
    symbol.quiet_low_mid2, symbol.quiet_high_mid2 = plan.quiet_low_mid2, plan.quiet_high_mid2
    symbol.quiet_spread_ticks = max(2, view.ask_ticks - view.bid_ticks)


def _ladder(state: EngineState, symbol: SymbolState, increase: bool, out: Out) -> tuple[Target, ...]:
    view, rules, instrument = symbol.view, state.rules, symbol.instrument
    minute = volatility.minute_cbps(symbol.volatility)
    before = symbol.regime.regime
    now = regime.classify(symbol.regime, view, minute, at_ms=view.book_event_ms, rung_lots=symbol.rung_lots)
    if now is not before:
        out.say(RegimeChanged(symbol=symbol.symbol, from_regime=before, to_regime=now, detail=f"volatility {minute}"))
    _size(state, symbol, out)
    throttled = state.fsm.state is FsmState.THROTTLED and not gate_views.rate_low(state)
    inputs = GridInputs(
        symbol=symbol.symbol,
        instrument=instrument,
        rules=rules.grid,
        bid_ticks=view.bid_ticks,
        ask_ticks=view.ask_ticks,
        mark_ticks=facts.mark_ticks(symbol),
        position_lots=symbol.position_lots,
        lots=symbol.rung_lots,
        cap_units=instrument.units(rules.risk.symbol_cap),
        at_ms=state.venue_ms,
        volatility_cbps=minute,
        regime=now,
        throttle_spacing_pct=rules.throttle_spacing_pct if throttled else 100,
        throttle_size_pct=rules.throttle_size_pct if throttled else 100,
        waits=symbol.refill_until,
        allow_increase=increase,
    )
    spacing = symbol.grid.spacing_cbps
    symbol.grid, targets = grid.ladder(symbol.grid, inputs)
    symbol.spacing_ticks = grid.spacing_ticks(symbol.grid, inputs)
    if symbol.grid.spacing_cbps != spacing:
        _say_grid(symbol, minute, out, "spacing")
    return targets


def _size(state: EngineState, symbol: SymbolState, out: Out) -> None:
    """Lots of a rung from equity; looked at again every few seconds only."""
    if symbol.rung_lots and state.now_ms - symbol.sized_ms < RESIZE_MS:
        return
    equity = facts.equity(state)
    if equity is None:
        return
    symbol.sized_ms = state.now_ms
    instrument, risk = symbol.instrument, state.rules.risk
    lots = sizing.rung_lots(
        equity,
        state.rules.grid,
        instrument,
        facts.mark_ticks(symbol),
        cap_units=instrument.units(risk.symbol_cap),
        max_order_units=instrument.units(risk.max_order_notional),
        current_lots=symbol.rung_lots,
    )
    if isinstance(lots, sizing.Infeasible):
        if symbol.rung_lots:
            out.note("size_infeasible", Severity.CRITICAL, f"{symbol.symbol}: {lots.reason}")
        symbol.rung_lots = 0
    elif lots != symbol.rung_lots:
        symbol.rung_lots = lots
        _say_grid(symbol, volatility.minute_cbps(symbol.volatility), out, "size")


def _say_grid(symbol: SymbolState, minute_cbps: int | None, out: Out, why: str) -> None:
    out.say(
        GridChanged(
            symbol=symbol.symbol,
            spacing_cbps=symbol.grid.spacing_cbps,
            lots=symbol.rung_lots,
            volatility_cbps=minute_cbps or 0,
            detail=why,
        )
    )


def _context(state: EngineState, symbol: SymbolState, increase: bool) -> RouteContext:
    view, rules, instrument = symbol.view, state.rules, symbol.instrument
    room = budget.room(state.budget, rules.budget, state.venue_ms)
    return RouteContext(
        symbol=symbol.symbol,
        instrument=instrument,
        rules=rules.router,
        bid_ticks=view.bid_ticks,
        ask_ticks=view.ask_ticks,
        bid_lots=view.bid_lots,
        ask_lots=view.ask_lots,
        mark_ticks=facts.mark_ticks(symbol),
        position_lots=symbol.position_lots,
        venue_position_lots=gate_views.venue_lots(symbol),
        spacing_ticks=symbol.spacing_ticks,
        cap_units=instrument.units(rules.risk.symbol_cap),
        account_cap_units=instrument.units(rules.risk.account_cap),
        permit=gate_views.permit(state, symbol),
        now_ms=state.venue_ms,
        other_units=gate_views.other_units(state, symbol),
        unbooked_units=facts.unbooked_units(symbol),
        lease_epoch=state.identity.epoch,
        order_slots=_slots(state, symbol, room.orders),
        weight_left=room.weight,
        budget_retry_ms=budget.retry_ms(state.budget, rules.budget, state.venue_ms),
        refused=_refusals(symbol, rules.router.refusals_before_probe),
        replacing={level: leg for level, leg in symbol.replacing.items() if leg not in symbol.orders},
        rate_low=gate_views.rate_low(state),
        allow_increase=increase,
        orphans=frozenset(o.client_id for o in symbol.orders.values() if o.level == 0),
    )


def _slots(state: EngineState, symbol: SymbolState, in_budget: int) -> int:
    """Orders that may still be added: by budget, by the limit of live orders, by the hourly ceiling."""
    risk = state.rules.risk
    churn_left = risk.churn_per_hour - commit.churn_last_hour(state)
    return max(0, min(in_budget, risk.max_pending - len(symbol.orders), churn_left))


def _refusals(symbol: SymbolState, least: int) -> dict[tuple[int, str], tuple[int, int]]:
    """Every refusal defers its level until the time it was given, not only those that have become a probe."""
    found = {}
    for key, (_, count, probe_ms) in symbol.refused.items():
        level, _, side = key.partition("|")
        found[int(level), side] = (max(count, least), probe_ms)
    return found


def _cancel(
    state: EngineState,
    symbol: SymbolState,
    reason: RouterReason,
    keep_reducing: bool,
    out: Out,
    *,
    epoch: int | None = None,
) -> None:
    choices, ops = protect.cancels(symbol, reason, state.venue_ms, keep_reducing=keep_reducing, epoch=epoch)
    _carry_out(state, symbol, choices, ops, out)


def _carry_out(state: EngineState, symbol: SymbolState, choices: list[Choice], ops: list[Op], out: Out) -> None:
    """Protection passes the gates it needs like everything else."""
    if not ops:
        return
    chain = gate_views.build(state, symbol)
    allowed = []
    for op in ops:
        verdict = gates.first_refusal(_request(symbol, op), chain)
        if verdict is None:
            allowed.append(op)
        else:
            commit.refused(symbol, op, verdict, out)
    for choice in choices:
        if allowed:
            commit.say_choice(state, symbol, choice, out)
    commit.operations(state, symbol, allowed, out)


def _request(symbol: SymbolState, op: Op) -> Request:
    order = symbol.orders.get(op.client_id)
    return Request(
        kind=op.kind,
        intent=op.intent,
        symbol=op.symbol,
        side=op.side,
        price_ticks=op.price_ticks,
        lots=op.lots,
        reduce_only=op.reduce_only,
        order_type=op.order_type,
        tif=op.tif,
        client_id=op.client_id,
        level=op.level,
        own_epoch=order.epoch if order is not None else 0,
    )


def _emergency(state: EngineState, symbol: SymbolState, out: Out) -> None:
    """Cancel all own orders, then close what the reason of the emergency says must be closed."""
    _cancel(state, symbol, RouterReason.KILL, False, out)
    choices, ops = protect.sweep(state, symbol, keep_lots=protect.kept_lots(state, symbol))
    _carry_out(state, symbol, choices, ops, out)


def _stopping(state: EngineState, symbol: SymbolState, out: Out, planner: Planner) -> None:
    match state.fsm.stop_mode:
        case StopMode.LEAVE:
            return
        case StopMode.CANCEL:
            _cancel(state, symbol, RouterReason.STOP, False, out)
        case StopMode.REDUCE:
            if _due(state, symbol):
                _plan(state, symbol, out, planner, allow_increase=False)
        case StopMode.FLATTEN:
            _cancel(state, symbol, RouterReason.STOP, False, out)
            choices, ops = protect.sweep(state, symbol, keep_lots=0)
            _carry_out(state, symbol, choices, ops, out)


def finish(state: EngineState, out: Out) -> None:
    """End the run when what the stop promised is proven, or its time is up."""
    if state.wishes.finished or not _stop_under_way(state):
        return
    limit = stop_deadline_ms(state.fsm, state.rules)
    late = limit is not None and state.now_ms >= limit
    done = _stop_done(state)
    if not done and not late:
        return
    state.wishes.finished = True
    resting = protect.resting(state)
    # Out of EMERGENCY no end is an orderly one: the latch stays, and whoever waits for the exit code must look.
    clean = done and state.fsm.state is FsmState.STOPPING
    outcome = "stopped" if clean else "stopped_in_emergency" if done else "stop_timed_out"
    out.bundle(
        EvidenceMode.RUN,
        EvidenceStatus.OK if clean else EvidenceStatus.FINDING,
        (state.wishes.stop or FsmReason.OPERATOR_STOP).value,
        f"run {state.identity.run_id} ended: {outcome}",
        outcome=outcome,
        states=" ".join(state.counters.states),
        resting="; ".join(resting) or "nothing",
        fills=str(state.counters.fills),
        trips=str(state.counters.trips),
        trips_net=str(state.counters.trips_net),
    )
    out.do(Finish(outcome=outcome, clean=clean, resting=resting))


def _stop_under_way(state: EngineState) -> bool:
    if state.fsm.state is _STOPPING:
        return True
    return state.fsm.state is _EMERGENCY and state.fsm.exit_requested


def _stop_done(state: EngineState) -> bool:
    """Proven: nothing may still fill, the dead-man is disarmed, and flat where that was promised."""
    mode = state.fsm.stop_mode
    if state.identity.observer:
        return True
    if state.fsm.state is FsmState.EMERGENCY:
        return protect.all_flat(state)
    disarmed = all(not memory.maybe_armed for memory in state.deadman.values())
    if mode is StopMode.LEAVE:
        return disarmed or not state.rules.deadman.enabled
    if not protect.proven_terminal(state) or not disarmed or _money_owed(state):
        return False
    return mode is StopMode.CANCEL or protect.all_flat(state)


def _money_owed(state: EngineState) -> bool:
    """Has a read of the money still to come, which an account update or a fill asked for? Waited for in reason."""
    if state.now_ms >= state.fsm.since_ms + MONEY_WITHIN_MS:
        return False
    under_way = any(asked.kind is QueryKind.INCOME for asked in state.sync.asked.values())
    return under_way or slot(QueryKind.INCOME, "") in state.sync.wanted


def _plans(state: EngineState) -> bool:
    """Does this state plan a ladder? In the others a plan's deadline would wake the engine for nothing, for ever."""
    if state.fsm.state in _PLANNING:
        return True
    return state.fsm.state is _STOPPING and state.fsm.stop_mode is StopMode.REDUCE


def deadline_ms(state: EngineState) -> int:
    """When a deferred plan, a sweep's next round or the end of a stop is due, on the boot clock."""
    offset = state.now_ms - state.venue_ms
    times = [state.now_ms + RESIZE_MS]
    for symbol in state.symbols.values():
        if symbol.cancel_again_ms:
            times.append(symbol.cancel_again_ms + offset)
    if not state.health.lease_held:
        return max(min(times), state.now_ms + 1)
    for symbol in state.symbols.values() if _plans(state) else ():
        if symbol.dirty:
            times.append(state.now_ms + 1)
        if symbol.plan_wake_ms:
            times.append(symbol.plan_wake_ms + offset)
    if protect.is_exit_state(state.fsm.state):
        if not all(protect.done(state, symbol) for symbol in state.symbols.values()):
            times.append(state.now_ms + protect.SWEEP_RETRY_MS)
        limit = stop_deadline_ms(state.fsm, state.rules)
        if limit is not None:
            times.append(limit)
    return max(min(times), state.now_ms + 1)
