"""Without faults nothing alarms, and an alarm with a planted cause is listed."""

import os
from random import Random

import pytest
from gridops.sim.calm import CalmReport, run_calm_day, run_calm_days
from gridops.sim.day import Day
from gridops.sim.scheduler import SECOND

pytestmark = pytest.mark.simulation


def silent_market(day: Day) -> None:
    day.scheduler.after(100 * SECOND, lambda: day._do_market_silent(Random(1)))


def a_lost_lot(day: Day) -> None:
    """The engine's books forget a lot."""

    def strike() -> None:
        state = day._state()
        assert state is not None
        next(iter(state.symbols.values())).position_lots -= 1

    day.scheduler.after(100 * SECOND, strike)


def test_a_calm_day_raises_no_alarm() -> None:
    lines: list[str] = []
    assert run_calm_days(1, 1, say=lines.append) == 0
    assert lines[-1].startswith("1 calm virtual days")
    for kind in ("EMERGENCY", "DEGRADED", "PAUSED", "mismatch"):
        assert f"0 false {kind}" in lines[-1]


def test_a_day_is_counted_by_its_scarcer_content() -> None:
    report = CalmReport(seed=1, market_events=4_000, order_events=150, fills=0, checks=0, alarms=(), violation="")
    assert report.days_milli == 750


def test_an_alarm_is_listed_with_its_seed_and_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    report = run_calm_day(3, hours=0.1, prepare=silent_market)
    assert [alarm.split(",")[0] for alarm in report.alarms] == ["DEGRADED: ACTIVE"]
    assert "feed_stale" in report.alarms[0]
    lines: list[str] = []
    monkeypatch.setattr("gridops.sim.calm.run_calm_day", lambda seed, hours: report)
    monkeypatch.setattr(CalmReport, "days_milli", 1_000)
    assert run_calm_days(3, 1, say=lines.append) == 1
    assert lines[0] == f"FALSE ALARM seed 3, {report.alarms[0]}"
    assert "1 false DEGRADED" in lines[1]


def test_a_mismatch_is_an_alarm() -> None:
    report = run_calm_day(3, hours=0.1, prepare=a_lost_lot)
    assert any(alarm.startswith("mismatch: ") for alarm in report.alarms), report.alarms


@pytest.mark.nightly
@pytest.mark.timeout(7_200)
def test_a_thousand_calm_days_raise_no_alarm() -> None:
    assert run_calm_days(50_000, 1_000, say=print, jobs=os.cpu_count() or 1) == 0
