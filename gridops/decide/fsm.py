"""The lifecycle state machine: where the account stands, and how held signals move it.

Called by the step after the levels are up to date and before any ladder is computed, so no step ends in a state that a
held level forbids. It looks rows up and counts hops; it never asks whether a feed is stale or a dwell has passed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gridops.decide.fsm_table import PRIORITY, next_row
from gridops.domain.values import value
from gridops.domain.vocabulary import FsmEvent, FsmReason, FsmState, StopMode

MAX_HOPS = 8
_EMERGENCY = FsmState.EMERGENCY


@dataclass(slots=True)
class FsmMemory:
    """What survives a restart of the lifecycle. Times are ms of the boot clock."""

    state: FsmState = FsmState.INIT
    since_ms: int = 0
    epoch: int = 0
    """Grows with every move; a decision made under an older epoch may not raise risk."""
    last_event: FsmEvent | None = None
    last_reason: FsmReason | None = None
    last_from: FsmState | None = None
    last_detail: str = ""
    exit_requested: bool = False
    """A stop was asked for while in EMERGENCY: end when flat is proven or the time is up."""
    exit_since_ms: int = 0
    stop_mode: StopMode = StopMode.CANCEL
    bad_ms: dict[FsmReason, int] = field(default_factory=dict)
    """Last bad sample of each cause that no longer holds: where its dwell begins."""
    loss_ms: int = 0
    """A full reconcile counts for trust only when it started at or after this."""


@value
class Signal:
    """An event that is true now, with the reason and the figures behind it."""

    event: FsmEvent
    reason: FsmReason
    detail: str


@value
class Move:
    from_state: FsmState
    to_state: FsmState
    event: FsmEvent
    reason: FsmReason
    detail: str


SignalsOf = Callable[[FsmState, int], Sequence[Signal]]
"""(state, since_ms) -> the signals true in that state: dwell and permission to rise depend on both."""


def advance(memory: FsmMemory, signals_of: SignalsOf, now_ms: int) -> tuple[Move, ...]:
    """Every move the held signals ask for now, in order; changes nothing.

    In each state the first signal in table order whose row changes the state wins; at most MAX_HOPS moves. A state
    entered on the way counts as entered now, so its own dwell has yet to pass.
    """
    moves: list[Move] = []
    state, since_ms = memory.state, memory.since_ms
    while len(moves) < MAX_HOPS:
        move = _first_move(state, signals_of(state, since_ms))
        if move is None:
            break
        moves.append(move)
        state, since_ms = move.to_state, now_ms
    return tuple(moves)


def apply(memory: FsmMemory, move: Move, now_ms: int) -> None:
    """Take one move. ValueError when it does not start where the memory stands."""
    if move.from_state is not memory.state:
        raise ValueError(f"a move from {move.from_state} cannot be taken in {memory.state}")
    memory.state = move.to_state
    memory.since_ms = now_ms
    memory.epoch += 1
    memory.last_event = move.event
    memory.last_reason = move.reason
    memory.last_from = move.from_state
    memory.last_detail = move.detail


def drive(memory: FsmMemory, signals_of: SignalsOf, now_ms: int) -> tuple[Move, ...]:
    """Advance, take every move, and note a stop that arrived in EMERGENCY. Returns the moves taken."""
    moves = advance(memory, signals_of, now_ms)
    for move in moves:
        apply(memory, move, now_ms)
    latched = memory.state is _EMERGENCY and not memory.exit_requested
    if latched and any(signal.event is FsmEvent.STOP for signal in signals_of(memory.state, memory.since_ms)):
        memory.exit_requested = True
        memory.exit_since_ms = now_ms
    return moves


def boot(previous: FsmMemory | None, stop_mode: StopMode, now_ms: int) -> FsmMemory:
    """Memory for a new process: INIT until this boot has proven its trust, except that EMERGENCY stays latched.

    Held levels are kept beside it, so an operator's pause takes effect again on the way up. Times of another boot
    that lie in the future are drawn back to now: every dwell starts over rather than being passed by accident.
    """
    if previous is None:
        return FsmMemory(since_ms=now_ms, stop_mode=stop_mode)
    latched = previous.state is FsmState.EMERGENCY
    return FsmMemory(
        state=FsmState.EMERGENCY if latched else FsmState.INIT,
        since_ms=min(previous.since_ms, now_ms) if latched else now_ms,
        epoch=previous.epoch + 1,
        last_event=previous.last_event,
        last_reason=previous.last_reason,
        last_from=previous.last_from if latched else previous.state,
        last_detail=previous.last_detail,
        stop_mode=stop_mode,
        bad_ms={reason: min(at_ms, now_ms) for reason, at_ms in previous.bad_ms.items()},
        loss_ms=now_ms,
    )


def _first_move(state: FsmState, signals: Sequence[Signal]) -> Move | None:
    ordered = sorted(signals, key=_priority) if len(signals) > 1 else signals
    for signal in ordered:
        row = next_row(state, signal.event)
        if row.to_state is not state:
            return Move(state, row.to_state, signal.event, signal.reason, signal.detail)
    return None


def _priority(signal: Signal) -> int:
    return PRIORITY[signal.event]
