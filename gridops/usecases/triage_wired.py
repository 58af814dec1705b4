"""Which inputs a test has shown to change the outcome in the composed live graph, by the test that showed it.

A gate or condition without such a test is not wired, whatever the code looks like. The list is held by a test that
looks every name up; it decides nothing.
"""

from gridops.domain.vocabulary import FsmReason, Gate

_SCENES = "tests/sim/test_conditions.py::test_the_detector_changes_the_state"
_MATRIX = "tests/wire/test_matrix.py::test_a_running_engine_in_each_state_it_can_be_asked_into"
_WIRE = "tests/wire/test_conditions.py::"
_ALONE = "tests/sim/test_gates.py::test_the_gate_alone_keeps_it_from_the_venue"

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
    Gate.WHITELIST: f"{_ALONE}[whitelist]",
    Gate.DATA_TRUST: f"{_ALONE}[data_trust]",
    Gate.ORDER_SIZE: f"{_ALONE}[order_size]",
    Gate.PENDING: f"{_ALONE}[pending]",
    Gate.REDUCE_ONLY: f"{_ALONE}[reduce_only]",
    Gate.SELF_CROSS: f"{_ALONE}[self_cross]",
    Gate.CHURN: f"{_ALONE}[churn]",
    Gate.DECISION_AGE: "tests/wire/test_suspend.py::test_five_short_stops_send_no_stale_increase",
}
BEHIND: dict[Gate, str] = {
    Gate.MODE: "never refuses: a run that may not write to its venue is refused before there is an engine",
    Gate.WHITELIST: "stands behind the settings: an engine has no other symbols",
    Gate.DATA_TRUST: "stands behind the planner, which wants no increase on a frozen symbol",
    Gate.ORDER_SIZE: "stands behind the sizing of a rung",
    Gate.PENDING: "stands behind the planner's count of free places",
    Gate.REDUCE_ONLY: "stands behind the planner's sum of reductions",
    Gate.SELF_CROSS: "stands behind the planner's order of operations",
    Gate.CHURN: "stands behind the planner's count of free places",
}
"""Gates that in normal operation something earlier spares; what they add was shown with a planner gone wrong."""
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


def behind(gate: Gate) -> str:
    """What usually decides before this gate is asked; empty when nothing does."""
    return BEHIND.get(gate, "")


def of_condition(reason: FsmReason) -> str:
    """The node id of the scene that opens the condition by its real detector."""
    return _CONDITIONS.get(reason, f"{_SCENES}[{reason.value}]")
