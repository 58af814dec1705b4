"""Ways in which a lifecycle like this one was built wrong: each is a test of what must hold instead.

Played by the production engine on the simulated venue where a run shows it; where another test already does, that one
is named and must exist.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.metrics import Metrics
from gridops.config import HealthSection, Settings
from gridops.decide.fsm_table import ROWS, next_row
from gridops.domain.catalogue import CATALOGUE
from gridops.domain.events import OperatorInput
from gridops.domain.market import Signal
from gridops.domain.values import value
from gridops.domain.vocabulary import FsmEvent, FsmState, OperatorCommand
from gridops.sim.day import WARM_NS
from gridops.sim.drill_day import DrillDay
from gridops.sim.drill_run import DrillReport, run_drill
from gridops.sim.drill_spec import parse, read_drill
from gridops.sim.scheduler import MS
from tests.sim.condition_scenes import FAR_LADDER, one

pytestmark = pytest.mark.simulation
ROOT = Path(__file__).resolve().parents[2]
E, S = FsmEvent, FsmState
Said = Mapping[str, Any]
HEALTH, SCENES = "tests/decide/test_health.py", "tests/sim/test_conditions.py"
WIRE, STATUS = "tests/wire/test_conditions.py", "tests/wire/test_status.py"


@value
class Trap:
    """What must hold, and the test that shows it: of this file, or a path and a name."""

    holds: str
    test: str


TRAPS: Mapping[int, Trap] = {
    1: Trap("a dead feed degrades by its deadline, without any tick", "test_a_dead_feed_degrades_while_it_is_dead"),
    2: Trap("what was never received is stale", "test_what_was_never_received_is_stale"),
    3: Trap(
        "a symbol is judged by its own feed",
        f"{HEALTH}::test_a_symbol_condition_freezes_the_symbol_and_the_account_only_when_all_are_frozen",
    ),
    4: Trap("an emergency while flat stays one", "test_an_emergency_while_flat_does_not_flap"),
    5: Trap("a pause for two causes ends with the last", "test_a_pause_for_two_causes_ends_only_with_the_last"),
    6: Trap("each cause alone is left the same way", "test_toxicity_alone_is_left_as_a_wide_spread_is"),
    7: Trap(
        "dwell runs from the last bad sample, LOW is below MID",
        "test_a_throttle_ends_from_the_low_band_and_after_the_last_bad_sample",
    ),
    8: Trap("a stuck start still takes its own orders away", "test_a_start_that_is_stuck_takes_its_own_orders_away"),
    9: Trap("READY has a row for every danger", "test_ready_has_a_row_for_every_danger"),
    10: Trap(
        "an operator reaches the running process",
        f"{WIRE}::test_a_signal_set_by_hand_acts_within_a_second_and_expires_by_itself",
    ),
    11: Trap("a restart forgets nothing", "test_a_restart_forgets_neither_a_kill_nor_a_pause"),
    12: Trap("THROTTLED quotes less, not nothing", "test_throttled_quotes_less_and_not_nothing"),
    13: Trap("the lifecycle is always on", "test_no_setting_turns_the_lifecycle_off"),
    14: Trap(
        "every move into a restrictive state has its bundle", "test_every_move_into_a_restrictive_state_has_its_bundle"
    ),
    15: Trap(
        "the state is shown with its cause, live or dead",
        f"{STATUS}::test_the_socket_and_the_metrics_say_the_same_and_the_journal_answers_after_a_kill",
    ),
    16: Trap("a drill walks the lifecycle", "test_a_drill_walks_the_lifecycle"),
    17: Trap(
        "time in a bad state can be computed from the page", "test_the_time_in_a_bad_state_can_be_read_off_the_page"
    ),
    18: Trap("a normal refusal can be told from an odd one", "test_refusals_are_counted_by_gate_and_intent"),
    19: Trap("the way up skips no state", "test_the_way_up_skips_no_state"),
    20: Trap(
        "every symbol must have a view first", f"{SCENES}::test_a_second_symbol_without_a_view_keeps_the_account_ready"
    ),
    21: Trap("the time in state belongs to a state", "test_the_time_in_a_bad_state_can_be_read_off_the_page"),
    22: Trap("the drawdown's input moves with the market", "test_the_drawdown_moves_with_the_market"),
}


def test_every_trap_has_its_test() -> None:
    print("\n".join(f"{number:2} {trap.holds}: {trap.test}" for number, trap in TRAPS.items()))
    assert list(TRAPS) == list(range(1, 23))
    for trap in TRAPS.values():
        path, _, name = trap.test.rpartition("::")
        source = (ROOT / path if path else Path(__file__)).read_text("utf-8")
        assert re.search(rf"^def {name}\(", source, re.MULTILINE), trap.test


def played(
    steps: Sequence[Said],
    expects: Sequence[Said],
    *,
    run_s: int = 60,
    prepare: Callable[[DrillDay], None] = lambda _: None,
    settings: Mapping[str, object] | None = None,
) -> DrillReport:
    """One run; fails with every expectation that did not hold."""
    drill = parse(
        {
            "name": "trap",
            "title": "A trap",
            "shows": "It is none.",
            "runbook": "fsm",
            "run_s": run_s,
            "settings": {"health.dwell_seconds": 2, **(settings or {})},
            "step": list(steps),
            "expect": list(expects),
        },
        "trap",
    )
    report = run_drill(drill, 1, prepare=prepare)
    moves = [(m.at_ms, m.from_state, m.to_state, m.reason) for m in report.transitions]
    assert report.ok, f"{[check.says for check in report.checks if not check.ok]}\n{moves}"
    return report


def states(report: DrillReport, since_ms: int) -> list[str]:
    """What was entered from a time on."""
    return [move.to_state for move in report.transitions if move.at_ms >= since_ms]


def toxic(at_s: int, ttl_s: int, scaled: int = 2_000) -> Callable[[DrillDay], None]:
    """An operator's test signal at a time, for a while."""
    signal = Signal(name="toxicity", scaled=scaled, as_of_ms=0, ttl_ms=ttl_s * 1_000, source="test", digest="")
    wish = OperatorInput(command=OperatorCommand.SIGNAL, request_id="s", author="test", reason="trap", signal=signal)
    return lambda day: day.scheduler.after(WARM_NS + at_s * 1_000 * MS, lambda: day._tell(wish))


def test_a_dead_feed_degrades_while_it_is_dead() -> None:
    played(
        one("market_silent", for_s=100),
        [
            {"that": "state", "enters": "DEGRADED", "reason": "feed_stale", "within_s": 4},
            {"that": "no_increase_rests", "within_s": 6},
            {"that": "ends_in", "states": ["DEGRADED"]},
        ],
    )


def test_what_was_never_received_is_stale() -> None:
    played(
        [
            {"name": "fault", "after": "state ACTIVE", "do": "market_silent", "for_s": 100},
            {"name": "start again", "do": "restart", "away_s": 1},
        ],
        [
            {"that": "level", "reason": "feed_stale", "since": "start again", "within_s": 3},
            {"that": "never", "enters": ["READY", "ACTIVE"], "since": "start again"},
        ],
    )


def test_an_emergency_while_flat_does_not_flap() -> None:
    played(
        one("kill"),
        [{"that": "flat", "within_s": 1}, {"that": "path", "states": ["EMERGENCY"]}],
        run_s=90,
    )


def test_a_pause_for_two_causes_ends_only_with_the_last() -> None:
    report = played(
        [*one("spread", bps=60, for_s=20)],
        [{"that": "state", "enters": "PAUSED", "within_s": 2}, {"that": "ends_in", "states": ["ACTIVE"]}],
        prepare=toxic(at_s=6, ttl_s=4),
        settings=FAR_LADDER,
    )
    fault_ms = dict(report.steps)["fault"]
    assert states(report, fault_ms) == ["PAUSED", "READY", "ACTIVE"], "no way round by THROTTLED and back"
    left_ms = next(move.at_ms for move in report.transitions if move.from_state == "PAUSED")
    assert left_ms >= fault_ms + 20_000 + 2_000


def test_toxicity_alone_is_left_as_a_wide_spread_is() -> None:
    report = played(
        one("mark"),
        [{"that": "state", "enters": "PAUSED", "reason": "toxicity_high", "within_s": 3}],
        prepare=toxic(at_s=6, ttl_s=5),
    )
    assert states(report, dict(report.steps)["fault"]) == ["PAUSED", "READY", "ACTIVE"]


def test_a_throttle_ends_from_the_low_band_and_after_the_last_bad_sample() -> None:
    report = played(
        [
            *one("spread", bps=12),
            {"name": "between", "do": "spread", "bps": 7, "plus_s": 10},
            {"name": "low", "do": "spread", "bps": 0, "plus_s": 10},
        ],
        [
            {"that": "state", "enters": "THROTTLED", "within_s": 2},
            {"that": "never", "enters": ["ACTIVE"], "until": "low"},
            {"that": "ends_in", "states": ["ACTIVE"]},
        ],
        settings=FAR_LADDER,
    )
    back_ms = next(move.at_ms for move in report.transitions if move.from_state == "THROTTLED")
    assert 2_000 <= back_ms - dict(report.steps)["low"] <= 3_500, "two seconds of dwell, from the last bad sample"


def test_a_start_that_is_stuck_takes_its_own_orders_away() -> None:
    played(
        [
            {"name": "fault", "after": "state ACTIVE", "plus_s": 3, "do": "market_silent", "for_s": 200},
            {"name": "crash", "do": "crash", "away_s": 1},
        ],
        [
            {"that": "never", "enters": ["READY", "ACTIVE"], "since": "crash"},
            {"that": "level", "reason": "boot_stuck", "since": "crash", "within_s": 65},
            {"that": "no_increase_rests", "since": "level boot_stuck opens", "within_s": 5},
        ],
        run_s=120,
    )


def test_ready_has_a_row_for_every_danger() -> None:
    ends = {event: next_row(S.READY, event).to_state for event in (E.KILL, E.BREACH, E.STOP, E.TRUST_LOST, E.PAUSE)}
    assert ends == {
        E.KILL: S.EMERGENCY,
        E.BREACH: S.EMERGENCY,
        E.STOP: S.STOPPING,
        E.TRUST_LOST: S.DEGRADED,
        E.PAUSE: S.PAUSED,
    }
    assert next_row(S.READY, E.THROTTLE).to_state is S.ACTIVE, "by way of ACTIVE"


def test_a_restart_forgets_neither_a_kill_nor_a_pause() -> None:
    played(
        [*one("kill"), {"name": "again", "do": "crash", "away_s": 1, "plus_s": 5}],
        [{"that": "never", "enters": [s.value for s in S if s is not S.EMERGENCY], "since": "again"}],
    )
    played(
        [*one("pause"), {"name": "again", "do": "crash", "away_s": 1, "plus_s": 5}],
        [
            {"that": "never", "enters": ["ACTIVE", "THROTTLED"], "since": "fault"},
            {"that": "ends_in", "states": ["PAUSED"]},
        ],
    )


def test_throttled_quotes_less_and_not_nothing() -> None:
    resting: dict[str, int] = {}

    def look(day: DrillDay) -> None:
        state = day.state()
        assert state is not None
        orders = [o for o in day.core.truth()["orders"] if o["status"] == "NEW" and not o["reduceOnly"]]
        resting[state.fsm.state.value] = sum(int(float(o["origQty"]) * 1_000 + 0.5) for o in orders)

    def watched(day: DrillDay) -> None:
        toxic(at_s=8, ttl_s=40, scaled=1_000)(day)
        for at_s in (6, 30):
            day.scheduler.after(WARM_NS + at_s * 1_000 * MS, lambda: look(day))

    played(one("mark"), [{"that": "state", "enters": "THROTTLED", "within_s": 6}], prepare=watched)
    assert 0 < resting["THROTTLED"] < resting["ACTIVE"], resting


def test_no_setting_turns_the_lifecycle_off() -> None:
    assert not [name for name in HealthSection.model_fields if "enable" in name or name.startswith("off")]
    assert Settings().rules().health.shadow == ()
    played(one("user_down", for_s=20), [{"that": "state", "enters": "DEGRADED", "within_s": 6}], run_s=20)


def test_every_move_into_a_restrictive_state_has_its_bundle() -> None:
    played(one("user_down", for_s=20), [{"that": "bundle", "mode": "transition", "within_s": 6}], run_s=20)
    played(one("kill"), [{"that": "bundle", "mode": "kill", "within_s": 1}], run_s=20)


def test_a_drill_walks_the_lifecycle() -> None:
    drill = read_drill(ROOT / "fixtures/drills/fsm-tour.toml")
    assert "every_row" in {expect.that for expect in drill.expects}


def test_the_time_in_a_bad_state_can_be_read_off_the_page() -> None:
    labels = {metric.name: [label.name for label in metric.labels] for metric in CATALOGUE}
    assert labels["fsm_current_state"] == ["state"] and labels["fsm_state_seconds"] == []
    metrics = _page()
    metrics.one_hot("fsm_current_state", "DEGRADED")
    metrics.set("fsm_state_seconds", (), 75)
    page = metrics.render().decode()
    held = {state: float(on) for state, on in re.findall(r'fsm_current_state\{state="(\w+)"\} (\S+)', page)}
    found = re.search(r"^gridops_fsm_state_seconds (\S+)$", page, re.MULTILINE)
    assert found is not None
    # What an alert multiplies: one series of no labels, so that it joins with every state.
    assert {state: on * float(found[1]) for state, on in held.items() if on} == {"DEGRADED": 75.0}
    assert set(held) == {state.value for state in S}


def test_refusals_are_counted_by_gate_and_intent() -> None:
    labels = {metric.name: [label.name for label in metric.labels] for metric in CATALOGUE}
    assert labels["gate_refusals_total"] == ["gate", "intent"]


def _page() -> Metrics:
    from gridops.adapters.metric_labels import open_metrics

    return open_metrics(symbols=("BTCUSDT",), assets=("USDT",), version="0")


def test_the_way_up_skips_no_state() -> None:
    moves = {(row.state, row.to_state) for row in ROWS if row.moves}
    for state in (S.DEGRADED, S.PAUSED, S.INIT):
        up = {end for start, end in moves if start is state} - {S.EMERGENCY, S.STOPPING, S.DEGRADED, S.PAUSED}
        assert up == {S.READY}
    assert {end for start, end in moves if start is S.EMERGENCY} == {S.INIT}


def test_the_drawdown_moves_with_the_market() -> None:
    seen: list[int] = []

    def look(day: DrillDay) -> None:
        state = day.state()
        assert state is not None and state.drawdown.baseline is not None
        seen.append(state.drawdown.baseline - state.drawdown.last)

    def watched(day: DrillDay) -> None:
        for at_s in (3, 40):
            day.scheduler.after(WARM_NS + at_s * 1_000 * MS, lambda: look(day))

    played(
        [*one("price", move_bps=-15, over_s=15), {"do": "price", "move_bps": -20, "over_s": 10, "plus_s": 12}],
        [{"that": "fills", "least": 1}],
        prepare=watched,
    )
    assert seen[0] == 0 and seen[1] > 1_000_000, "a held position that fell by more than one unit of the asset"
