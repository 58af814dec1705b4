"""Gather what the gate chain compares, once per plan of one symbol."""

from collections.abc import Callable

from gridops.decide import budget, deadman, drawdown, gates
from gridops.decide.gate_view import Bounds, GateView
from gridops.decide.levels import frozen_symbols
from gridops.domain.plan import Request, Verdict
from gridops.domain.vocabulary import FsmReason
from gridops.runtime import commit, facts, protect
from gridops.runtime.state import EngineState, SymbolState


def other_units(state: EngineState, symbol: SymbolState) -> int:
    """Worst case of all other symbols, in this symbol's units, rounded up."""
    if len(state.symbols) == 1:
        return 0
    total = sum(
        (s.instrument.unit * facts.wce_units(s) for s in state.symbols.values() if s is not symbol),
        start=symbol.instrument.unit * 0,
    )
    return symbol.instrument.units(total) + 1


def venue_lots(symbol: SymbolState) -> int | None:
    """The venue's figure, while no fill was booked since it was asked for."""
    return symbol.venue_lots if symbol.venue_lots_ms > symbol.last_fill_ms else None


def build(state: EngineState, symbol: SymbolState) -> GateView:
    """The view as of this step; both ages are zero here and looked at again at the last hop."""
    rules, instrument = state.rules, symbol.instrument
    mark = facts.mark_ticks(symbol)
    health = state.health
    filters_age = state.now_ms - health.rules_read_ms
    return GateView(
        mode_ok=True,
        fingerprint_ok=health.fingerprint_ok,
        armed=state.identity.armed,
        kill_latched=state.wishes.killed,
        state=state.fsm.state,
        stop_mode=state.fsm.stop_mode,
        throttle_ok=True,
        position_read_age_ms=state.venue_ms - symbol.venue_lots_ms if symbol.venue_lots_ms else None,
        position_read_limit_ms=2 * rules.sync.positions_degraded_ms,
        named_by_read=frozenset(symbol.named),
        lease_held=health.lease_held,
        lease_epoch=state.identity.epoch,
        foreign_writer=health.foreign_writer,
        whitelist=frozenset(rules.symbols),
        frozen=frozen_symbols(state.levels, tuple(state.symbols)),
        filters_fresh=bool(health.rules_read_ms) and filters_age < rules.health.filters_stale_ms,
        bounds=bounds(symbol, mark),
        drawdown_active=drawdown.active(state.drawdown),
        sums=facts.exposure_sums(symbol, rules.sync if protect.is_exit_state(state.fsm.state) else None),
        orders=symbol.orders,
        position_lots=symbol.position_lots,
        venue_lots=venue_lots(symbol),
        cap_units=instrument.units(rules.risk.symbol_cap),
        account_cap_units=instrument.units(rules.risk.account_cap),
        other_units=other_units(state, symbol),
        max_order_units=instrument.units(rules.risk.max_order_notional),
        max_pending=rules.risk.max_pending,
        churn_left=rules.risk.churn_per_hour - commit.churn_last_hour(state),
        budget=budget.room(state.budget, rules.budget, state.venue_ms),
        deadman_ok=deadman.armed(state.deadman[symbol.symbol], state.now_ms, rules.deadman),
        decision_age_ms=0,
        step_age_ms=0,
    )


def permit(state: EngineState, symbol: SymbolState) -> Callable[[Request], Verdict | None]:
    """The gate chain for the requests of one plan. Its view is built for the first request; most plans have none.

    Valid within the step that made it, before anything is written.
    """
    chain: list[Callable[[Request], Verdict | None]] = []

    def refuse(request: Request) -> Verdict | None:
        if not chain:
            chain.append(gates.chain_for(build(state, symbol)))
        return chain[0](request)

    return refuse


def bounds(symbol: SymbolState, mark_ticks: int) -> Bounds:
    return Bounds.of(symbol.instrument, mark_ticks)


def rate_low(state: EngineState) -> bool:
    """THROTTLED because the rate budget is nearly used: nothing is re-priced."""
    return bool(state.levels) and any(level.reason is FsmReason.RATE_BUDGET_LOW for level in state.levels.values())
