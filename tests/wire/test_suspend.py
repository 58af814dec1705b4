"""A process that was stopped wakes up refusing: nothing that raises risk leaves before a full reconcile."""

import random
import signal
import time
from pathlib import Path

import pytest
from tests.wire.harness import Bench, Engine, assert_truth, increases, reconciled_at


def _stop_and_go(folder: Path, points: int, longest_s: float, seed: int) -> None:
    chance = random.Random(seed)
    with Bench(folder, speed="3") as bench:
        engine = bench.start()
        for _ in range(points):
            time.sleep(chance.uniform(0.0, 1.5))
            _suspend(bench, engine, chance.uniform(1.1, longest_s))
        engine.stop()
        assert_truth(bench)


def _suspend(bench: Bench, engine: Engine, for_s: float) -> None:
    engine.send(signal.SIGSTOP)
    time.sleep(for_s)
    since = bench.last_request()
    engine.send(signal.SIGCONT)
    engine.wait_state("DEGRADED", within_s=2.0)
    engine.wait_state("ACTIVE", within_s=30.0)
    requests = bench.requests(since)
    risky = increases(bench, requests)
    assert not risky or risky[0]["seq"] > reconciled_at(requests)


@pytest.mark.wire
def test_five_short_stops_send_no_stale_increase(tmp_path: Path) -> None:
    seed = time.time_ns() % 1_000_000
    print(f"seed {seed}")
    _stop_and_go(tmp_path, 5, 2.5, seed)


@pytest.mark.wire
@pytest.mark.nightly
@pytest.mark.timeout(3_600)
def test_twenty_stops_of_up_to_two_minutes_send_no_stale_increase(tmp_path: Path) -> None:
    seed = time.time_ns() % 1_000_000
    print(f"seed {seed}")
    _stop_and_go(tmp_path, 20, 120.0, seed)
