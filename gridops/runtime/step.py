"""One event, straight down: the only place that sequences decisions.

observe -> assess -> transition -> ladder -> permit -> route -> commit. No clock, no chance, no I/O: equal history in,
equal records out. A market tick that changes nothing ends after the fold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gridops.decide.router import route
from gridops.domain.effects import Effect
from gridops.domain.events import Event, Header, OperatorInput, ViewChanged
from gridops.domain.market import MarketView
from gridops.domain.orders import Fill, Order
from gridops.domain.records import Record
from gridops.domain.vocabulary import FsmState, OperatorCommand
from gridops.runtime import act, assess, beats, pages, remedy, truth
from gridops.runtime.observe import fold_tick, observe
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState

_ACTIVE = FsmState.ACTIVE


@dataclass(slots=True)
class Step:
    """What one input led to. `wake_at_ms` (boot clock) is the earliest open deadline; 0 = none."""

    records: Sequence[Record] = ()
    effects: Sequence[Effect] = ()
    wake_at_ms: int = 0
    durable: bool = False
    """Carries place or amend intents: the row must be on the disk before they leave."""
    orders: tuple[Order, ...] = ()
    fills: tuple[Fill, ...] = ()


def step(state: EngineState, header: Header, event: Event, planner: act.Planner = route) -> Step:
    """Take one input in and decide everything that follows from it."""
    now_ms = header.boot_ns // 1_000_000
    if type(event) is ViewChanged and _calm(state, now_ms) and _quiet(state, event.view):
        fold_tick(state, header, event.view)
        return Step(wake_at_ms=state.wake_at_ms)
    out = Out(header, state.identity.run_id)
    observe(state, header, event, out)
    if out.expected and not (out.effects or out.fills) and _calm(state, now_ms) and _clean(state):
        return Step(records=out.records, wake_at_ms=state.wake_at_ms, orders=tuple(out.touched.values()))
    if state.booted:
        observer = state.identity.observer
        if not observer:
            beats.presume(state, out)
        assess.run(state, event, out)
        if not observer:
            act.run(state, out, planner)
        remedy.run(state, out)
        truth.run(state, out)
        pages.run(state, out)
        if isinstance(event, OperatorInput) and event.command is not OperatorCommand.SYNC:
            assess.answer(state, event, out)
        act.finish(state, out)
        state.wake_at_ms = _wake(state)
    return Step(
        records=out.records,
        effects=out.effects,
        wake_at_ms=state.wake_at_ms,
        durable=out.durable,
        orders=tuple(out.touched.values()),
        fills=tuple(out.fills),
    )


def _calm(state: EngineState, now_ms: int) -> bool:
    """Quoting, nothing held against it, and no deadline has passed."""
    return (
        not state.levels
        and state.fsm.state is _ACTIVE
        and now_ms < state.wake_at_ms
        and not assess.look_due(state, now_ms)
    )


def _clean(state: EngineState) -> bool:
    """No symbol waits for a plan."""
    return not any(symbol.dirty for symbol in state.symbols.values())


def _quiet(state: EngineState, view: MarketView) -> bool:
    """Nothing but the market moved, and it stayed where every order keeps its place."""
    symbol = state.symbols.get(view.symbol)
    if symbol is None or symbol.dirty or view.book_event_ms < symbol.view.book_event_ms:
        return False
    bid, ask = view.bid_ticks, view.ask_ticks
    return (
        symbol.quiet_low_mid2 <= bid + ask <= symbol.quiet_high_mid2
        and 0 < ask - bid <= symbol.quiet_spread_ticks
        and view.bid_lots > 0
        and view.ask_lots > 0
    )


def _wake(state: EngineState) -> int:
    """Earliest deadline on the boot clock: health, plans, truth, the dead-man, and the once-a-second look."""
    due_ms = min(
        assess.deadline_ms(state),
        act.deadline_ms(state),
        truth.deadline_ms(state),
    )
    answer_ms = remedy.deadline_ms(state)
    if answer_ms is not None:
        due_ms = min(due_ms, max(answer_ms, state.now_ms + 1))
    page_ms = pages.deadline_ms(state)
    return due_ms if page_ms is None else min(due_ms, max(page_ms, state.now_ms + 1))
