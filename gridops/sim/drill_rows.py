"""Which rows of the lifecycle table a run walked, read from the journal's transitions and condition edges.

A row that moves is walked when the journal holds its transition. A stay is walked when a level that asserts its event
was open at the end of a step and the state stood. It names the rows no real input can reach, and why.
"""

from collections.abc import Iterable

from gridops.decide.fsm_table import ROWS, Row
from gridops.decide.levels import CONDITIONS
from gridops.domain.events import Boot
from gridops.domain.records import ConditionEdge, Transition
from gridops.domain.values import record
from gridops.domain.vocabulary import FsmEvent, FsmReason, FsmState
from gridops.sim.drill_tape import Said

E, S = FsmEvent, FsmState
Place = tuple[FsmState, FsmEvent]
_WAY_UP = {
    E.BOOT_OK: S.INIT,
    E.TRUST_BACK: S.DEGRADED,
    E.PAUSE_OVER: S.PAUSED,
    E.THROTTLE_OVER: S.THROTTLED,
    E.QUOTE: S.READY,
    E.ACK: S.EMERGENCY,
}
"""The one state in which health looks for each way up."""


@record
class RowsWalked:
    """Coverage of one run. Each row as `STATE x EVENT`."""

    rows: int
    walked: tuple[str, ...]
    missed: tuple[str, ...]
    """Reachable, and not walked by this run."""
    unreachable: tuple[tuple[str, str], ...]
    """(row, why)."""


def rows_walked(said: Iterable[Said]) -> RowsWalked:
    """Coverage of the table by one run's records, in their order."""
    seen = _walked(said)
    why = {(row.state, row.event): unreachable(row) for row in ROWS}
    return RowsWalked(
        rows=len(ROWS),
        walked=tuple(_named(row) for row in ROWS if (row.state, row.event) in seen),
        missed=tuple(
            _named(row) for row in ROWS if (row.state, row.event) not in seen and not why[row.state, row.event]
        ),
        unreachable=tuple(
            (_named(row), why[row.state, row.event])
            for row in ROWS
            if why[row.state, row.event] and (row.state, row.event) not in seen
        ),
    )


def unreachable(row: Row) -> str:
    """Why no input can bring this row about; empty for one that can be reached."""
    home = _WAY_UP.get(row.event)
    if home is not None and row.state is not home:
        return f"health looks for {row.event} in {home} alone"
    if row.event is E.READY_LOST and row.moves:
        return "a run is armed or not from its start, and a lost lease or book degrades first"
    return ""


def _walked(said: Iterable[Said]) -> set[Place]:
    state, held = S.INIT, set[tuple[FsmReason, str]]()
    found: set[Place] = set()
    seq = -1
    for each in said:
        if each.seq != seq:
            found |= _stays(state, held)
            seq = each.seq
        if isinstance(each.what, Transition):
            found.add((each.what.from_state, each.what.event))
            state = each.what.to_state
        elif isinstance(each.what, ConditionEdge):
            _keep(held, each.what)
        elif isinstance(each.what, Boot):
            state = state if state is S.EMERGENCY else S.INIT
    return found | _stays(state, held)


def _keep(held: set[tuple[FsmReason, str]], edge: ConditionEdge) -> None:
    key = (edge.reason, edge.scope)
    if edge.open:
        held.add(key)
    else:
        held.discard(key)


def _stays(state: FsmState, held: set[tuple[FsmReason, str]]) -> set[Place]:
    """Rows of this state whose event a held level asserts and which stay."""
    events = {CONDITIONS[reason].event for reason, scope in held if _asserts(reason, scope)}
    return {(row.state, row.event) for row in ROWS if row.state is state and row.event in events and not row.moves}


def _asserts(reason: FsmReason, scope: str) -> bool:
    """A small position mismatch of one symbol freezes the symbol and says nothing of the account."""
    return reason is not FsmReason.POSITION_MISMATCH or scope == "account"


def _named(row: Row) -> str:
    return f"{row.state} x {row.event}"
