"""The transition table is total, equals its fixture and the contract, and a damaged one is refused."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from gridops.decide.fsm import FsmMemory, Signal, SignalsOf, drive
from gridops.decide.fsm_table import ROWS, as_rows, index, next_row
from gridops.domain.vocabulary import FsmEvent, FsmReason, FsmState

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "fsm" / "transitions.json"

CONTRACT = {
    "KILL": ("INIT READY ACTIVE THROTTLED PAUSED DEGRADED EMERGENCY STOPPING", "EMERGENCY"),
    "BREACH": ("INIT READY ACTIVE THROTTLED PAUSED DEGRADED EMERGENCY STOPPING", "EMERGENCY"),
    "STOP": ("INIT READY ACTIVE THROTTLED PAUSED DEGRADED STOPPING", "STOPPING"),
    "TRUST_LOST": ("READY ACTIVE THROTTLED PAUSED", "DEGRADED"),
    "PAUSE": ("READY ACTIVE THROTTLED", "PAUSED"),
    "READY_LOST": ("ACTIVE THROTTLED", "READY"),
    "THROTTLE": ("ACTIVE", "THROTTLED"),
    "BOOT_OK": ("INIT", "READY"),
    "TRUST_BACK": ("DEGRADED", "READY"),
    "PAUSE_OVER": ("PAUSED", "READY"),
    "THROTTLE_OVER": ("THROTTLED", "ACTIVE"),
    "QUOTE": ("READY", "ACTIVE"),
    "ACK": ("EMERGENCY", "INIT"),
}
"""From and To of the contract; THROTTLE from READY goes by way of ACTIVE and is checked by itself."""


def test_every_state_and_event_has_exactly_one_row() -> None:
    assert len(ROWS) == len(FsmState) * len(FsmEvent) == 104
    assert len({(row.state, row.event) for row in ROWS}) == 104


@pytest.mark.parametrize("event", FsmEvent)
@pytest.mark.parametrize("state", FsmState)
def test_rows_move_where_the_contract_says_and_stay_elsewhere(state: FsmState, event: FsmEvent) -> None:
    froms, to_state = CONTRACT[event.value]
    expected = FsmState(to_state) if state.value in froms.split() else state
    if (state, event) == (FsmState.READY, FsmEvent.THROTTLE):
        expected = FsmState.ACTIVE
    row = next_row(state, event)
    assert row.to_state is expected
    assert row.moves == (expected is not state)


def test_events_stand_in_the_contract_order() -> None:
    assert [event.value for event in FsmEvent] == list(CONTRACT)


def test_only_an_ack_leaves_emergency_and_its_stays_say_latched() -> None:
    leaving = [row.event for row in ROWS if row.state is FsmState.EMERGENCY and row.moves]
    assert leaving == [FsmEvent.ACK]
    assert {row.reason for row in ROWS if row.state is FsmState.EMERGENCY and not row.moves} == {FsmReason.LATCHED}


def test_the_table_equals_its_fixture() -> None:
    if os.environ.get("GRIDOPS_WRITE_FIXTURES"):
        FIXTURE.write_text("[\n" + ",\n".join("  " + json.dumps(row) for row in as_rows()) + "\n]\n")
    assert as_rows() == json.loads(FIXTURE.read_text()), "intended? run this test with GRIDOPS_WRITE_FIXTURES=1"


def only(wanted: FsmState, signal: Signal) -> SignalsOf:
    """One event is true in one state, and nothing anywhere else."""
    return lambda state, _: [signal] if state is wanted else []


def test_every_row_of_the_fixture_is_executed_by_the_machine() -> None:
    """Each row by itself: its event alone is true, and the machine ends where the fixture says."""
    rows = json.loads(FIXTURE.read_text())
    for row in rows:
        state = FsmState(row["state"])
        memory = FsmMemory(state=state)
        moves = drive(memory, only(state, Signal(FsmEvent(row["event"]), FsmReason(row["reason"]), "")), 1)
        assert memory.state == row["to"]
        assert [(move.event, move.reason) for move in moves] == (
            [(row["event"], row["reason"])] if row["to"] != row["state"] else []
        )
    print(f"{len(rows)} rows of the fixture executed, {len(ROWS)} rows in the table")
    assert len(rows) == len(ROWS)


def test_two_hash_seeds_give_one_digest_of_the_table() -> None:
    program = (
        "import json, hashlib; from gridops.decide.fsm_table import TABLE, as_rows; "
        "print(hashlib.sha256(json.dumps([as_rows(), [str(row) for row in TABLE.values()]]).encode()).hexdigest())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(told) == 1 and len(told.pop().strip()) == 64


@pytest.mark.parametrize("damage", ["dropped", "doubled", "reason"])
def test_a_damaged_fixture_is_not_the_table(damage: str) -> None:
    rows = json.loads(FIXTURE.read_text())
    if damage == "reason":
        rows[30]["reason"] = "held" if rows[30]["reason"] != "held" else "latched"
    else:
        rows[30:31] = [] if damage == "dropped" else [rows[30], rows[30]]
    assert rows != as_rows()


def test_a_dropped_a_doubled_and_a_changed_row_are_noticed() -> None:
    with pytest.raises(ValueError, match="no row for ACTIVE x TRUST_LOST"):
        index(tuple(row for row in ROWS if (row.state, row.event) != (FsmState.ACTIVE, FsmEvent.TRUST_LOST)))
    with pytest.raises(ValueError, match="two rows for INIT x KILL"):
        index((*ROWS, replace(ROWS[0], reason=FsmReason.HELD)))
    changed = [dict(row) for row in as_rows()]
    changed[0]["reason"] = "held"
    assert changed != json.loads(FIXTURE.read_text())
