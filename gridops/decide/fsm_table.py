"""The lifecycle's transition table: one row per (state, event), stays included, a reason on every row.

Stands at the bottom of `decide`; `fsm`, `fsm show`, the fixture and the runbook read ROWS and nobody restates them. It
holds data: which signal is true, and for how long, is for `health` to say.
"""

from gridops.domain.values import value
from gridops.domain.vocabulary import FsmEvent, FsmReason, FsmState

S, E, R = FsmState, FsmEvent, FsmReason


@value
class Row:
    """A stay has `to_state` equal to `state`, and its reason says why nothing moves.

    A move is recorded with the reason of the level that caused it; its row names the event's leading reason.
    """

    state: FsmState
    event: FsmEvent
    to_state: FsmState
    reason: FsmReason

    @property
    def moves(self) -> bool:
        return self.to_state is not self.state


ROWS: tuple[Row, ...] = (
    # INIT trusts nothing yet, so it has no trust to lose: whatever is wrong holds it here.
    Row(S.INIT, E.KILL, S.EMERGENCY, R.KILL_SWITCH),
    Row(S.INIT, E.BREACH, S.EMERGENCY, R.DRAWDOWN),
    Row(S.INIT, E.STOP, S.STOPPING, R.OPERATOR_STOP),
    Row(S.INIT, E.TRUST_LOST, S.INIT, R.HELD),
    Row(S.INIT, E.PAUSE, S.INIT, R.HELD),
    Row(S.INIT, E.READY_LOST, S.INIT, R.HELD),
    Row(S.INIT, E.THROTTLE, S.INIT, R.HELD),
    Row(S.INIT, E.BOOT_OK, S.READY, R.HEALTH_OK),
    Row(S.INIT, E.TRUST_BACK, S.INIT, R.NO_CHANGE),
    Row(S.INIT, E.PAUSE_OVER, S.INIT, R.NO_CHANGE),
    Row(S.INIT, E.THROTTLE_OVER, S.INIT, R.NO_CHANGE),
    Row(S.INIT, E.QUOTE, S.INIT, R.HELD),
    Row(S.INIT, E.ACK, S.INIT, R.NO_CHANGE),
    Row(S.READY, E.KILL, S.EMERGENCY, R.KILL_SWITCH),
    Row(S.READY, E.BREACH, S.EMERGENCY, R.DRAWDOWN),
    Row(S.READY, E.STOP, S.STOPPING, R.OPERATOR_STOP),
    Row(S.READY, E.TRUST_LOST, S.DEGRADED, R.FEED_STALE),
    Row(S.READY, E.PAUSE, S.PAUSED, R.OPERATOR_PAUSE),
    Row(S.READY, E.READY_LOST, S.READY, R.HELD),
    # Up one rung at a time: THROTTLE holds on ACTIVE too, so the next hop ends in THROTTLED. Health says THROTTLE to
    # READY only where it would also say QUOTE.
    Row(S.READY, E.THROTTLE, S.ACTIVE, R.TOXICITY_MID),
    Row(S.READY, E.BOOT_OK, S.READY, R.NO_CHANGE),
    Row(S.READY, E.TRUST_BACK, S.READY, R.NO_CHANGE),
    Row(S.READY, E.PAUSE_OVER, S.READY, R.NO_CHANGE),
    Row(S.READY, E.THROTTLE_OVER, S.READY, R.NO_CHANGE),
    Row(S.READY, E.QUOTE, S.ACTIVE, R.FEEDS_READY),
    Row(S.READY, E.ACK, S.READY, R.NO_CHANGE),
    Row(S.ACTIVE, E.KILL, S.EMERGENCY, R.KILL_SWITCH),
    Row(S.ACTIVE, E.BREACH, S.EMERGENCY, R.DRAWDOWN),
    Row(S.ACTIVE, E.STOP, S.STOPPING, R.OPERATOR_STOP),
    Row(S.ACTIVE, E.TRUST_LOST, S.DEGRADED, R.FEED_STALE),
    Row(S.ACTIVE, E.PAUSE, S.PAUSED, R.OPERATOR_PAUSE),
    Row(S.ACTIVE, E.READY_LOST, S.READY, R.DISARMED),
    Row(S.ACTIVE, E.THROTTLE, S.THROTTLED, R.TOXICITY_MID),
    Row(S.ACTIVE, E.BOOT_OK, S.ACTIVE, R.NO_CHANGE),
    Row(S.ACTIVE, E.TRUST_BACK, S.ACTIVE, R.NO_CHANGE),
    Row(S.ACTIVE, E.PAUSE_OVER, S.ACTIVE, R.NO_CHANGE),
    Row(S.ACTIVE, E.THROTTLE_OVER, S.ACTIVE, R.NO_CHANGE),
    Row(S.ACTIVE, E.QUOTE, S.ACTIVE, R.NO_CHANGE),
    Row(S.ACTIVE, E.ACK, S.ACTIVE, R.NO_CHANGE),
    Row(S.THROTTLED, E.KILL, S.EMERGENCY, R.KILL_SWITCH),
    Row(S.THROTTLED, E.BREACH, S.EMERGENCY, R.DRAWDOWN),
    Row(S.THROTTLED, E.STOP, S.STOPPING, R.OPERATOR_STOP),
    Row(S.THROTTLED, E.TRUST_LOST, S.DEGRADED, R.FEED_STALE),
    Row(S.THROTTLED, E.PAUSE, S.PAUSED, R.OPERATOR_PAUSE),
    Row(S.THROTTLED, E.READY_LOST, S.READY, R.DISARMED),
    Row(S.THROTTLED, E.THROTTLE, S.THROTTLED, R.NO_CHANGE),
    Row(S.THROTTLED, E.BOOT_OK, S.THROTTLED, R.NO_CHANGE),
    Row(S.THROTTLED, E.TRUST_BACK, S.THROTTLED, R.NO_CHANGE),
    Row(S.THROTTLED, E.PAUSE_OVER, S.THROTTLED, R.NO_CHANGE),
    Row(S.THROTTLED, E.THROTTLE_OVER, S.ACTIVE, R.TOXICITY_LOW),
    Row(S.THROTTLED, E.QUOTE, S.THROTTLED, R.NO_CHANGE),
    Row(S.THROTTLED, E.ACK, S.THROTTLED, R.NO_CHANGE),
    Row(S.PAUSED, E.KILL, S.EMERGENCY, R.KILL_SWITCH),
    Row(S.PAUSED, E.BREACH, S.EMERGENCY, R.DRAWDOWN),
    Row(S.PAUSED, E.STOP, S.STOPPING, R.OPERATOR_STOP),
    Row(S.PAUSED, E.TRUST_LOST, S.DEGRADED, R.FEED_STALE),
    Row(S.PAUSED, E.PAUSE, S.PAUSED, R.NO_CHANGE),
    Row(S.PAUSED, E.READY_LOST, S.PAUSED, R.HELD),
    Row(S.PAUSED, E.THROTTLE, S.PAUSED, R.HELD),
    Row(S.PAUSED, E.BOOT_OK, S.PAUSED, R.NO_CHANGE),
    Row(S.PAUSED, E.TRUST_BACK, S.PAUSED, R.NO_CHANGE),
    Row(S.PAUSED, E.PAUSE_OVER, S.READY, R.OPERATOR_RESUME),
    Row(S.PAUSED, E.THROTTLE_OVER, S.PAUSED, R.HELD),
    Row(S.PAUSED, E.QUOTE, S.PAUSED, R.HELD),
    Row(S.PAUSED, E.ACK, S.PAUSED, R.NO_CHANGE),
    # What a deeper state forbids anyway is held: it takes effect on the way up, at the next hop.
    Row(S.DEGRADED, E.KILL, S.EMERGENCY, R.KILL_SWITCH),
    Row(S.DEGRADED, E.BREACH, S.EMERGENCY, R.DRAWDOWN),
    Row(S.DEGRADED, E.STOP, S.STOPPING, R.OPERATOR_STOP),
    Row(S.DEGRADED, E.TRUST_LOST, S.DEGRADED, R.NO_CHANGE),
    Row(S.DEGRADED, E.PAUSE, S.DEGRADED, R.HELD),
    Row(S.DEGRADED, E.READY_LOST, S.DEGRADED, R.HELD),
    Row(S.DEGRADED, E.THROTTLE, S.DEGRADED, R.HELD),
    Row(S.DEGRADED, E.BOOT_OK, S.DEGRADED, R.NO_CHANGE),
    Row(S.DEGRADED, E.TRUST_BACK, S.READY, R.TRUST_RESTORED),
    Row(S.DEGRADED, E.PAUSE_OVER, S.DEGRADED, R.HELD),
    Row(S.DEGRADED, E.THROTTLE_OVER, S.DEGRADED, R.HELD),
    Row(S.DEGRADED, E.QUOTE, S.DEGRADED, R.HELD),
    Row(S.DEGRADED, E.ACK, S.DEGRADED, R.NO_CHANGE),
    # EMERGENCY is latched: only an operator leaves it, and only back to INIT. STOP asks for the exit and moves nothing.
    Row(S.EMERGENCY, E.KILL, S.EMERGENCY, R.LATCHED),
    Row(S.EMERGENCY, E.BREACH, S.EMERGENCY, R.LATCHED),
    Row(S.EMERGENCY, E.STOP, S.EMERGENCY, R.LATCHED),
    Row(S.EMERGENCY, E.TRUST_LOST, S.EMERGENCY, R.LATCHED),
    Row(S.EMERGENCY, E.PAUSE, S.EMERGENCY, R.LATCHED),
    Row(S.EMERGENCY, E.READY_LOST, S.EMERGENCY, R.LATCHED),
    Row(S.EMERGENCY, E.THROTTLE, S.EMERGENCY, R.LATCHED),
    Row(S.EMERGENCY, E.BOOT_OK, S.EMERGENCY, R.LATCHED),
    Row(S.EMERGENCY, E.TRUST_BACK, S.EMERGENCY, R.LATCHED),
    Row(S.EMERGENCY, E.PAUSE_OVER, S.EMERGENCY, R.LATCHED),
    Row(S.EMERGENCY, E.THROTTLE_OVER, S.EMERGENCY, R.LATCHED),
    Row(S.EMERGENCY, E.QUOTE, S.EMERGENCY, R.LATCHED),
    Row(S.EMERGENCY, E.ACK, S.INIT, R.OPERATOR_ACK),
    # A stop under way is ended by danger alone.
    Row(S.STOPPING, E.KILL, S.EMERGENCY, R.KILL_SWITCH),
    Row(S.STOPPING, E.BREACH, S.EMERGENCY, R.DRAWDOWN),
    Row(S.STOPPING, E.STOP, S.STOPPING, R.NO_CHANGE),
    Row(S.STOPPING, E.TRUST_LOST, S.STOPPING, R.NO_CHANGE),
    Row(S.STOPPING, E.PAUSE, S.STOPPING, R.NO_CHANGE),
    Row(S.STOPPING, E.READY_LOST, S.STOPPING, R.NO_CHANGE),
    Row(S.STOPPING, E.THROTTLE, S.STOPPING, R.NO_CHANGE),
    Row(S.STOPPING, E.BOOT_OK, S.STOPPING, R.NO_CHANGE),
    Row(S.STOPPING, E.TRUST_BACK, S.STOPPING, R.NO_CHANGE),
    Row(S.STOPPING, E.PAUSE_OVER, S.STOPPING, R.NO_CHANGE),
    Row(S.STOPPING, E.THROTTLE_OVER, S.STOPPING, R.NO_CHANGE),
    Row(S.STOPPING, E.QUOTE, S.STOPPING, R.NO_CHANGE),
    Row(S.STOPPING, E.ACK, S.STOPPING, R.NO_CHANGE),
)


def index(rows: tuple[Row, ...]) -> dict[tuple[FsmState, FsmEvent], Row]:
    """Rows by (state, event). ValueError when one is missing or stands twice."""
    table: dict[tuple[FsmState, FsmEvent], Row] = {}
    for row in rows:
        if (row.state, row.event) in table:
            raise ValueError(f"two rows for {row.state} x {row.event}")
        table[row.state, row.event] = row
    missing = [f"{state} x {event}" for state in FsmState for event in FsmEvent if (state, event) not in table]
    if missing:
        raise ValueError(f"no row for {', '.join(missing)}")
    return table


TABLE = index(ROWS)
PRIORITY = {event: place for place, event in enumerate(FsmEvent)}
"""Smaller is looked at first."""


def next_row(state: FsmState, event: FsmEvent) -> Row:
    return TABLE[state, event]


def as_rows() -> list[dict[str, str]]:
    """The table as plain words, in its order: what the fixture holds and `fsm show` prints."""
    return [
        {"state": row.state.value, "event": row.event.value, "to": row.to_state.value, "reason": row.reason.value}
        for row in ROWS
    ]
