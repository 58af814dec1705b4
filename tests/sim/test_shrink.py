"""A failing run is cut down to the faults that make it fail, and those alone make it fail again."""

from functools import partial
from random import Random
from typing import Any

import pytest
from gridops.sim.day import Day
from gridops.sim.faults import FaultRates
from gridops.sim.run import run_day, run_seed, shortest
from gridops.sim.scheduler import LinkRates
from gridops.sim.shrink import shrink


@pytest.mark.parametrize("seed", range(20))
def test_only_what_is_needed_is_left(seed: int) -> None:
    chance = Random(seed)
    struck = tuple(f"crash#{number}" for number in range(chance.randint(3, 60)))
    needed = frozenset(chance.sample(struck, chance.randint(1, 3)))

    found = shrink("I-07", struck, lambda faults: "I-07" if needed <= faults else "", most_runs=500)

    assert set(found.faults) == needed
    assert found.before == len(struck)


def test_another_invariant_is_another_story() -> None:
    found = shrink("I-07", ("a#1", "b#1"), lambda faults: "I-07" if len(faults) == 2 else "I-01")
    assert found.faults == ("a#1", "b#1")


def test_a_breach_without_any_fault_needs_none() -> None:
    assert shrink("I-07", ("a#1", "b#1"), lambda _: "I-07").faults == ()


def test_the_budget_of_runs_is_kept() -> None:
    found = shrink("I-07", tuple(f"a#{n}" for n in range(1_000)), lambda faults: "I-07" if faults else "", most_runs=9)
    assert found.runs == 9


@pytest.mark.simulation
def test_a_run_that_one_crash_breaks_is_cut_down_to_one_crash() -> None:
    """The disk gives rows back that differ from those it took: any crash shows it, nothing else does."""

    def changed(day: Day) -> None:
        tail = day.disk.tail

        def other() -> Any:
            found = tail()
            rows = [each._replace(body=each.body.replace(b'"noop"', b'"amend"')) for each in found.rows]
            return type(found)(checkpoint=found.checkpoint, rows=rows, torn=0)

        day.disk.tail = other  # type: ignore[method-assign]

    faults = FaultRates(crash=60, user_down=60, user=LinkRates(duplicate_ppm=50_000))
    work = partial(run_day, hours=0.1, faults=faults, prepare=changed)
    report = work(10)
    assert report.invariant == "I-24"
    found = shortest(report, work)
    assert len(report.struck) > 3
    assert len(found.faults) == 1 and found.faults[0].startswith("crash#")
    assert work(10, only=frozenset(found.faults)).invariant == "I-24"


@pytest.mark.simulation
def test_named_faults_alone_strike() -> None:
    report = run_seed(3, hours=0.05, intensity=3)
    assert report.struck
    only = frozenset(report.struck[:2])
    again = run_seed(3, hours=0.05, intensity=3, only=only)
    assert set(again.struck) <= only
    assert run_seed(3, hours=0.05, intensity=3, only=frozenset()).struck == ()
