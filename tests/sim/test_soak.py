"""The virtual soak: it weighs each part without its neighbours, and a leak in the engine turns it red."""

import msgspec
import pytest
from gridops.sim import soak
from gridops.sim.day import Day
from gridops.sim.growth import Slope

KB = 1_000


class Node:
    def __init__(self, held: bytes, next_to: "Node | None" = None) -> None:
        self.held, self.next_to = held, next_to


def test_a_part_is_weighed_without_what_hangs_on_another_part() -> None:
    other = Node(bytes(50 * KB))
    one = Node(bytes(20 * KB), other)
    other.next_to = one
    alone = soak.held_bytes((one,), (one, other))
    assert 20 * KB < alone < 21 * KB
    assert 70 * KB < soak.held_bytes((one,), (one,)) < 71 * KB
    assert soak.held_bytes((one, other), (one, other)) == soak.held_bytes((other,), ())


def test_undecoded_json_weighs_its_own_length() -> None:
    assert 30 <= soak.held_bytes((msgspec.Raw(b"abc" * 10),), ()) < 100


@pytest.mark.parametrize(("per_hour", "error", "grows"), [(10.0, 2.0, True), (10.0, 4.0, False), (-9.0, 0.1, False)])
def test_growth_is_a_slope_above_its_noise(per_hour: float, error: float, grows: bool) -> None:
    found = Slope(per_hour=per_hour, error=error, samples=20)
    report = soak.SoakReport(
        seed=1, hours=[], violation="", faults=0, checks=0, engine=found, state=None, rss=None
    )  # fmt: skip
    assert report.ok is not grows


@pytest.mark.nightly
@pytest.mark.simulation
@pytest.mark.timeout(600)
def test_a_leak_of_the_engine_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours of three minutes each: sixty of them with a leak of a hundred bytes a row."""
    monkeypatch.setattr(soak, "HOUR_NS", soak.HOUR_NS // 20)
    monkeypatch.setattr(soak, "WARM_HOURS", 12.0)
    heard: list[str] = []
    boot = Day.boot

    def leaky(day: Day) -> None:
        boot(day)
        assert day.process is not None
        hoard = day.process.engine.hoard = []  # type: ignore[attr-defined]
        day.disk.on_row.append(lambda row: hoard.append(bytes(100 + row.seq % 2)))

    monkeypatch.setattr(Day, "boot", leaky)
    report = soak.soak(1, hours=3.0, say=heard.append)
    assert report.violation == ""
    assert len(heard) == len(report.hours) == 60
    assert report.engine is not None and report.engine.above_noise
    assert not report.ok
