"""Killed at any I/O boundary and started again, the engine ends with the venue's books and no broken invariant.

By day a sample of a fresh seed, printed; every boundary of that run each night, and pairs of kills, the second within
what the first restart does.
"""

import os
import time
from random import Random

import pytest
from gridops.sim.kill_points import count, killed_at
from tests.effort import FULL

pytestmark = pytest.mark.simulation
KINDS = {"request before", "request after", "answer", "commit begins", "commit told", "user frame", "market frame"}
SEED = int(os.environ.get("KILL_SEED", "0")) or time.time_ns() % 1_000_000


def test_a_short_run_meets_every_kind_of_boundary() -> None:
    met = count(SEED)
    print(f"seed {SEED}: {met.total()} boundaries {dict(met)}")
    assert set(met) >= KINDS | {"latch rename before", "latch removal after", "boot"}


@pytest.mark.timeout(7_200)
def test_killed_at_a_boundary_it_converges() -> None:
    total = count(SEED).total()
    chance = Random(SEED)
    points = sorted(chance.sample(range(1, total + 1), total if FULL else 24))
    print(f"seed {SEED}: killed at {len(points)} of {total}")
    assert [said for point in points if (said := killed_at(SEED, (point,)))] == []


@pytest.mark.timeout(1_800)
def test_killed_again_while_it_recovers_it_converges() -> None:
    total = count(SEED).total()
    chance = Random(f"{SEED} again")
    pairs = [(first, first + chance.randint(1, 40)) for first in chance.choices(range(1, total), k=100 if FULL else 6)]
    print(f"seed {SEED}: {pairs}")
    assert [said for pair in pairs if (said := killed_at(SEED, pair))] == []
