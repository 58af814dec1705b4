"""Which inputs a test has shown to change the outcome in the composed live graph, by the test that showed it.

A gate or condition without such a test is not wired, whatever the code looks like. The list is held by a test that
looks every name up; it decides nothing.
"""

from gridops.domain.vocabulary import FsmReason, Gate

_SCENES = "tests/sim/test_conditions.py::test_the_detector_changes_the_state"
_MATRIX = "tests/wire/test_matrix.py::test_a_running_engine_in_each_state_it_can_be_asked_into"
_WIRE = "tests/wire/test_conditions.py::"

GATES: dict[Gate, str] = {
    Gate.ENVIRONMENT: f"{_WIRE}test_another_account_behind_the_same_home_is_never_traded",
    Gate.ARMED: "tests/wire/test_matrix.py::test_a_disarmed_engine_that_begins_waits_and_stops",
    Gate.KILL_LATCH: _MATRIX,
    Gate.FSM: "tests/sim/test_matrix.py::test_every_cell",
    Gate.LEASE: f"{_WIRE}test_a_lease_that_somebody_replaces_degrades_until_it_is_ours_again",
    Gate.FILTERS: f"{_SCENES}[filters_stale]",
    Gate.DRAWDOWN: _MATRIX,
    Gate.EXPOSURE: f"{_SCENES}[exposure_high]",
    Gate.BUDGET: f"{_SCENES}[rate_budget_low]",
    Gate.DEADMAN: f"{_SCENES}[deadman_presumed_fired]",
    Gate.DECISION_AGE: "tests/wire/test_suspend.py::test_five_short_stops_send_no_stale_increase",
}
_CONDITIONS: dict[FsmReason, str] = {
    FsmReason.DISK_LOW: f"{_WIRE}test_a_disk_that_runs_full_degrades_before_the_journal_fails",
    FsmReason.EVIDENCE_FAILED: f"{_WIRE}test_evidence_that_cannot_be_written_is_paged_and_stops_nothing",
    FsmReason.FEEDS_NOT_READY: (
        "tests/sim/test_conditions.py::test_a_second_symbol_without_a_view_keeps_the_account_ready"
    ),
}


def of_gate(gate: Gate) -> str:
    """The test's node id; empty = not wired."""
    return GATES.get(gate, "")


def of_condition(reason: FsmReason) -> str:
    """The node id of the scene that opens the condition by its real detector."""
    return _CONDITIONS.get(reason, f"{_SCENES}[{reason.value}]")
