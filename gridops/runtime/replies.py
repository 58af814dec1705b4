"""What an operator's request came to, in words: whether it was taken, what still holds, and what would clear that.

Read by `assess` at the end of the step that took the request in. It changes nothing.
"""

from gridops.decide import clearing, health, signals
from gridops.domain.events import OperatorInput
from gridops.domain.records import ConditionEdge
from gridops.domain.vocabulary import FsmReason, FsmState, OperatorCommand
from gridops.runtime import facts
from gridops.runtime.out import Out
from gridops.runtime.state import EngineState

_QUOTING = (FsmState.ACTIVE, FsmState.THROTTLED)
_PAUSE = (FsmReason.OPERATOR_PAUSE,)


def outcome(state: EngineState, wish: OperatorInput, acked: bool, out: Out) -> tuple[bool, str]:
    """(accepted, what to tell) of a request whose consequences are in `out` already."""
    match wish.command:
        case OperatorCommand.ACK:
            return acked, "acknowledged" if acked else _not_acked(state, wish)
        case OperatorCommand.RESUME:
            return _resumed(state, out)
        case OperatorCommand.PAUSE:
            return True, _paused(state)
        case OperatorCommand.SIGNAL:
            refused = signal_refusal(state, wish)
            return not refused, refused or f"set; {clearing.standing(state.fsm.state, state.levels)}"
        case OperatorCommand.STATUS:
            standing = clearing.standing(state.fsm.state, state.levels)
            return True, f"{standing}; last transition {state.fsm.last_reason or 'none'}"
        case _:
            return True, clearing.standing(state.fsm.state, state.levels)


def signal_refusal(state: EngineState, wish: OperatorInput) -> str:
    """Why the signal of this request is not taken; empty when it is."""
    return signals.refusal(wish.signal, live=state.identity.live, allowed_live=state.rules.health.signals_live)


def _not_acked(state: EngineState, wish: OperatorInput) -> str:
    if state.fsm.state is not FsmState.EMERGENCY:
        nothing = f"the state is {state.fsm.state}: nothing to acknowledge"
        return f"{nothing}; {clearing.standing(state.fsm.state, state.levels)}"
    known = facts.gather(state)
    known.ack_requested, known.ack_accepts_position = True, wish.accept_position
    return health.ack_refusal(state.fsm, state.levels, known) or clearing.standing(state.fsm.state, state.levels)


def _resumed(state: EngineState, out: Out) -> tuple[bool, str]:
    """A resume lifts an operator's pause and nothing else; without one it could only seem to have an effect."""
    lifted = any(
        type(said) is ConditionEdge and said.reason is FsmReason.OPERATOR_PAUSE and not said.open
        for said in out.records
    )
    if lifted:
        return True, f"the pause is lifted; {clearing.standing(state.fsm.state, state.levels)}"
    if state.fsm.state in _QUOTING:
        return True, "nothing was paused"
    held = clearing.standing(state.fsm.state, state.levels)
    return False, f"no operator's pause is in force, {state.fsm.state} stands: {held}"


def _paused(state: EngineState) -> str:
    if state.fsm.state is FsmState.PAUSED:
        others = clearing.blockers(state.levels, _PAUSE)
        return "paused by the operator" + (f"; also held by {others}" if others else "")
    below = clearing.blockers(state.levels, _PAUSE) or clearing.STATE_ENDS[state.fsm.state]
    return f"the pause is kept and holds once {state.fsm.state} ends: {below}"
