"""From facts to state: levels, transitions, and the answer an operator gets. The middle of a step."""

from gridops.decide import drawdown, fsm, health, sync
from gridops.decide.health_facts import HealthFacts
from gridops.decide.levels import apply_edges, apply_shadow
from gridops.domain.effects import Answer, LatchKill
from gridops.domain.events import Event, OperatorInput, OrderReport, ViewChanged, Woke
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.domain.records import ConditionEdge, Note, ShadowEdge, Transition
from gridops.domain.vocabulary import FsmEvent, FsmState, OperatorCommand, QueryKind, Severity
from gridops.runtime import facts as gathering
from gridops.runtime import replies
from gridops.runtime.facts import SAMPLE_MS
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState

PATIENCE_MS = 200
STATES_KEPT = 200
"""States of one run that its summary names."""
_EVIDENT = (FsmState.DEGRADED, FsmState.PAUSED, FsmState.EMERGENCY)


def run(state: EngineState, event: Event, out: Out) -> None:
    """Judge the facts, move the levels, then the state machine until nothing moves."""
    due = look_due(state, state.now_ms)
    if due or (isinstance(event, OrderReport) and not out.expected):
        gathering.sample(state)
    if not due and _may_skip(state, event, out):
        return
    _ask_about_the_cap(state)
    known = gathering.gather(state)
    symbols, loss_ms = tuple(state.symbols), state.fsm.loss_ms
    _take_ack(state, known)
    found = health.detect(known, state.fsm, state.levels, state.now_ms, state.rules, state.shadow)
    edges = [edge for edge in found if not edge.shadow]
    if found:
        apply_edges(state.levels, state.fsm, edges, symbols, state.now_ms)
        apply_shadow(state.shadow, [edge for edge in found if edge.shadow], state.now_ms)
    for edge in found:
        said = ShadowEdge if edge.shadow else ConditionEdge
        out.say(said(reason=edge.reason, scope=edge.scope, open=edge.open, detail=edge.detail, held_ms=edge.held_ms))
    if state.fsm.loss_ms != loss_ms:
        for kind, name in sync.symbol_reads(state.symbols):
            sync.want(state.sync, kind, name, state.now_ms)
    moves = fsm.drive(state.fsm, _signals_of(state, known), state.now_ms)
    for move in moves:
        _moved(state, move, out)
    killing = type(event) is OperatorInput and event.command is OperatorCommand.KILL
    if killing and not any(move.event is FsmEvent.KILL for move in moves):
        # Already in EMERGENCY for another reason: nothing moves, but the latch must stand on the disk all the same.
        out.do(LatchKill(latched=True, author=state.wishes.kill_author, reason=state.wishes.kill_reason))
    if edges or moves:
        for symbol in state.symbols.values():
            symbol.dirty = True
    state.wishes.acked = False
    state.health_due_ms = _due(state, known)


def _ask_about_the_cap(state: EngineState) -> None:
    """By our own books a position is past its cap: a breach needs the venue's word, and that cannot wait its turn."""
    for symbol in state.symbols.values():
        if symbol.venue_lots_ms > symbol.last_fill_ms:
            continue
        held = abs(symbol.position_lots) * gathering.mark_ticks(symbol) * 100
        if held > symbol.instrument.units(state.rules.risk.symbol_cap) * state.rules.risk.breach_exposure_pct:
            sync.want(state.sync, QueryKind.POSITIONS, "", state.now_ms)


def _take_ack(state: EngineState, known: HealthFacts) -> None:
    """An ack that nothing forbids closes the kill and re-bases the drawdown before the levels are judged.

    The way up then needs a full reconcile of its own: an emergency is no time to trust older reads.
    """
    if not state.wishes.acked or health.ack_refusal(state.fsm, state.levels, known):
        return
    known.kill_latched = known.drawdown_latched = False
    wishes = state.wishes
    wishes.killed, wishes.kill_author, wishes.kill_reason = False, "", ""
    state.drawdown = drawdown.rebase(state.drawdown)
    state.fsm.loss_ms = state.now_ms


def look_due(state: EngineState, now_ms: int) -> bool:
    """Once a second the input at hand samples the equity and looks at everything: views move what no deadline
    foresees, such as the lag of a feed.
    """
    return now_ms >= state.sampled_ms + SAMPLE_MS


def _may_skip(state: EngineState, event: Event, out: Out) -> bool:
    """What tells health nothing cannot open a level before the known deadline while none is open, hidden or suspected.

    That is a market view, unless its price is odd; what was waited for; and a mere wake-up. Odd are a wide spread and a
    price outside the range.
    """
    if state.levels or state.shadow or state.now_ms >= state.health_due_ms or drawdown.active(state.drawdown):
        return False
    if not isinstance(event, ViewChanged):
        return state.fsm.state is FsmState.ACTIVE and (out.expected or isinstance(event, Woke))
    symbol = state.symbols.get(event.view.symbol)
    if symbol is None or not event.view.has_book or gathering.out_of_range(state, symbol):
        return False
    if gathering.touch_alone(state, symbol):
        return False
    return 0 < _spread(event) <= symbol.quiet_spread_ticks


def _spread(event: ViewChanged) -> int:
    return event.view.ask_ticks - event.view.bid_ticks


def _signals_of(state: EngineState, known: HealthFacts) -> fsm.SignalsOf:
    def signals_of(fsm_state: FsmState, since_ms: int) -> object:
        return health.signals(fsm_state, since_ms, state.fsm, state.levels, known, state.now_ms, state.rules)

    return signals_of  # type: ignore[return-value]


def _due(state: EngineState, known: HealthFacts) -> int:
    due = health.next_deadline(state.fsm, known, state.now_ms, state.rules)
    return state.now_ms + SAMPLE_MS if due is None else max(due, state.now_ms + 1)


def _moved(state: EngineState, move: fsm.Move, out: Out) -> None:
    """Say a transition, order its evidence, and do what the move itself means."""
    bundle = ""
    if move.to_state in _EVIDENT:
        mode = EvidenceMode.KILL if move.event is FsmEvent.KILL else EvidenceMode.TRANSITION
        bundle = out.bundle(
            mode,
            EvidenceStatus.FINDING,
            move.reason.value,
            f"{move.from_state} -> {move.to_state}: {move.reason} ({move.detail})",
            from_state=move.from_state.value,
            to_state=move.to_state.value,
            event=move.event.value,
            detail=move.detail,
            epoch=str(state.fsm.epoch),
        )
    out.say(
        Transition(
            from_state=move.from_state,
            to_state=move.to_state,
            event=move.event,
            reason=move.reason,
            epoch=state.fsm.epoch,
            detail=move.detail,
            bundle=bundle,
        )
    )
    state.counters.states.append(move.to_state.value)
    del state.counters.states[:-STATES_KEPT]
    if move.event is FsmEvent.KILL:
        out.do(LatchKill(latched=True, author=state.wishes.kill_author, reason=state.wishes.kill_reason))
    elif move.event is FsmEvent.ACK:
        out.do(LatchKill(latched=False, author="", reason=""))


def answer(state: EngineState, wish: OperatorInput, out: Out) -> None:
    """Tell the operator what became of the request, in the resulting state."""
    moved = [r for r in out.records if isinstance(r, Transition)]
    bundle = next((r.bundle for r in reversed(moved) if r.bundle), "")
    acked = any(r.event is FsmEvent.ACK for r in moved)
    accepted, detail = replies.outcome(state, wish, acked, out)
    if not bundle and wish.command not in (OperatorCommand.STATUS,):
        status = EvidenceStatus.OK if accepted else EvidenceStatus.FAILED
        bundle = out.bundle(
            EvidenceMode.FSM,
            status,
            f"operator_{wish.command}",
            f"{wish.command} by {wish.author}: {wish.reason}",
            author=wish.author,
            said=wish.reason,
            detail=detail,
        )
    if not accepted:
        out.say(Note(topic="operator_refused", severity=Severity.WARN, detail=f"{wish.command}: {detail}"))
    out.do(
        Answer(
            request_id=wish.request_id,
            accepted=accepted,
            state=state.fsm.state.value,
            detail=detail,
            bundle=bundle,
        )
    )


def deadline_ms(state: EngineState) -> int:
    """The once-a-second look gets a wake-up of its own only when no input comes that could do it."""
    return min(state.health_due_ms, state.sampled_ms + SAMPLE_MS + PATIENCE_MS)
