"""B9: virtual trading days under faults per minute of one core, every invariant looked at on every event.

A day is counted by content: 2,000 market events, 200 order events, 40 faults, whichever is scarcest. The same seeds
each time, an hour of virtual time each, over a market without quiet moods.
"""

import time

from gridops.sim import pool
from gridops.sim.run import SimReport, run_seed
from tests.bench import machine_speed
from tests.bench.table import Result
from tests.bench.timing import interleave

SEEDS = range(1, 4)
AIM = 100


def run() -> list[Result]:
    """Days per core-minute here, and at the speed of the machine of the aims."""
    reports, spent_ns = _measured()
    assert not [each.violation for each in reports if each.violation]
    slower = interleave({"build": machine_speed.side}, rounds=12)["build"] / machine_speed.THERE_NS
    pace = sum(each.days_milli for each in reports) / 1_000 / (spent_ns / 60e9)
    days = sum(each.days_milli for each in reports) / 1_000
    events = sum(each.events for each in reports)
    checks = sum(each.checks for each in reports)
    return [
        Result(
            row="B9",
            what=f"simulation under faults: {days:.0f} days, {events:,} events, {checks:,} checks",
            here=f"{pace:.0f} days/core-min",
            against=f"at the speed of the machine of the aims: {pace * slower:.0f}",
            aim=f">= {AIM}",
            met=pace >= AIM,
        )
    ]


def _measured() -> tuple[list[SimReport], int]:
    with pool.few_collections():
        began_ns = time.process_time_ns()
        reports = [run_seed(seed, hours=1.0, kind="busy") for seed in SEEDS]
        return reports, time.process_time_ns() - began_ns
