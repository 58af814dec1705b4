"""The machine takes the most urgent signal that moves it, hop by hop, and remembers what a restart may not forget."""

from collections.abc import Sequence

import pytest
from gridops.decide import fsm
from gridops.decide.fsm import FsmMemory, Move, Signal
from gridops.domain.vocabulary import FsmEvent, FsmReason, FsmState, StopMode

E, R, S = FsmEvent, FsmReason, FsmState
KILL = Signal(E.KILL, R.KILL_SWITCH, "k")
STOP = Signal(E.STOP, R.SIGNAL, "s")
LOST = Signal(E.TRUST_LOST, R.FEED_STALE, "f")
PAUSE = Signal(E.PAUSE, R.OPERATOR_PAUSE, "p")
THROTTLE = Signal(E.THROTTLE, R.TOXICITY_MID, "t")
BOOT_OK = Signal(E.BOOT_OK, R.HEALTH_OK, "b")
QUOTE = Signal(E.QUOTE, R.FEEDS_READY, "q")


def always(*signals: Signal) -> fsm.SignalsOf:
    def signals_of(state: FsmState, since_ms: int) -> Sequence[Signal]:
        return signals

    return signals_of


def path(state: FsmState, *signals: Signal) -> list[FsmState]:
    return [move.to_state for move in fsm.advance(FsmMemory(state=state), always(*signals), 5)]


def test_the_most_urgent_signal_wins_whatever_the_order_given() -> None:
    assert path(S.ACTIVE, PAUSE, LOST) == [S.DEGRADED]
    assert path(S.ACTIVE, PAUSE, LOST, KILL, STOP) == [S.EMERGENCY]


def test_a_signal_that_moves_nothing_does_not_hide_one_that_does() -> None:
    assert path(S.DEGRADED, LOST, Signal(E.TRUST_BACK, R.TRUST_RESTORED, ""))[0] is S.READY
    assert path(S.PAUSED, PAUSE, LOST) == [S.DEGRADED]


def test_the_way_up_skips_no_state() -> None:
    assert path(S.INIT, BOOT_OK, QUOTE) == [S.READY, S.ACTIVE]
    assert path(S.INIT, BOOT_OK, QUOTE, THROTTLE) == [S.READY, S.ACTIVE, S.THROTTLED]
    assert path(S.INIT, BOOT_OK, PAUSE) == [S.READY, S.PAUSED]


def test_contradicting_signals_end_after_eight_hops() -> None:
    lost_and_found = always(Signal(E.READY_LOST, R.DISARMED, ""), QUOTE)
    assert len(fsm.advance(FsmMemory(state=S.READY), lost_and_found, 5)) == 8


def test_a_state_entered_on_the_way_was_entered_now() -> None:
    asked: list[tuple[FsmState, int]] = []

    def signals_of(state: FsmState, since_ms: int) -> Sequence[Signal]:
        asked.append((state, since_ms))
        return (BOOT_OK, QUOTE)

    fsm.advance(FsmMemory(state=S.INIT, since_ms=1), signals_of, 9)
    assert asked == [(S.INIT, 1), (S.READY, 9), (S.ACTIVE, 9)]


def test_advance_changes_nothing_and_apply_counts_the_epoch() -> None:
    memory = FsmMemory(state=S.ACTIVE, since_ms=1, epoch=4)
    (move,) = fsm.advance(memory, always(LOST), 9)
    assert memory == FsmMemory(state=S.ACTIVE, since_ms=1, epoch=4)
    fsm.apply(memory, move, 9)
    assert (memory.state, memory.since_ms, memory.epoch) == (S.DEGRADED, 9, 5)
    assert (memory.last_event, memory.last_reason, memory.last_from) == (E.TRUST_LOST, R.FEED_STALE, S.ACTIVE)
    with pytest.raises(ValueError, match="a move from ACTIVE"):
        fsm.apply(memory, Move(S.ACTIVE, S.PAUSED, E.PAUSE, R.OPERATOR_PAUSE, ""), 10)


def test_a_stop_in_emergency_asks_for_the_exit_once_and_moves_nothing() -> None:
    memory = FsmMemory(state=S.EMERGENCY, since_ms=1)
    assert fsm.drive(memory, always(KILL, STOP), 7) == ()
    fsm.drive(memory, always(KILL, STOP), 8)
    assert (memory.state, memory.exit_requested, memory.exit_since_ms) == (S.EMERGENCY, True, 7)


def test_a_kill_during_a_stop_keeps_the_wish_to_end() -> None:
    memory = FsmMemory(state=S.STOPPING)
    fsm.drive(memory, always(KILL, STOP), 7)
    assert memory.state is S.EMERGENCY and memory.exit_requested


@pytest.mark.parametrize("state", FsmState)
def test_a_new_process_begins_in_init_unless_the_emergency_is_latched(state: FsmState) -> None:
    previous = FsmMemory(state=state, since_ms=50, epoch=3, exit_requested=True, bad_ms={R.TOXICITY_HIGH: 900})
    memory = fsm.boot(previous, StopMode.CANCEL, 100)
    latched = state is S.EMERGENCY
    assert memory.state is (S.EMERGENCY if latched else S.INIT)
    assert memory.since_ms == (50 if latched else 100)
    assert memory.epoch == 4 and not memory.exit_requested
    assert memory.bad_ms == {R.TOXICITY_HIGH: 100}
    assert memory.loss_ms == 100
