"""A killed engine loses nothing: books equal the venue's, every order has its intent, no risk before a reconcile."""

import random
import time
from pathlib import Path

import pytest
from tests.wire.harness import Bench, assert_truth, increases, reconciled_at

SLOW_MS = 1_000
"""Every answer to a read of open orders is this late, so that a run that does not wait for it shows."""
SETTLE_S = 0.3
"""After a SIGKILL the venue may still read what the dead engine had written into its sockets."""


def _die_and_return(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    with Bench(folder, speed="3") as bench:
        bench.venue.fault("rest.delay_resp", selector={"path": "/fapi/v1/openOrders"}, ms=SLOW_MS)
        reconciled = 0
        for number in range(kills):
            since = bench.last_request()
            engine = bench.start(active=number % 2 == 0)
            time.sleep(chance.uniform(0.6, 4.0))
            engine.kill()
            time.sleep(SETTLE_S)
            reconciled += _no_risk_before_reconcile(bench, since)
        engine = bench.start()
        engine.wait(lambda: bench.fills() > 0, 20.0, "a fill")
        engine.stop()
        assert_truth(bench)
    assert reconciled, "no run lived long enough to raise risk: the check looked at nothing"


def _no_risk_before_reconcile(bench: Bench, since: int) -> bool:
    """Whether there was anything to check."""
    requests = bench.requests(since)
    risky = increases(bench, requests)
    if risky:
        assert risky[0]["seq"] > reconciled_at(requests)
        listed_ms = next(each["at_ms"] for each in requests if each["path"].endswith("/openOrders"))
        assert risky[0]["at_ms"] >= listed_ms + SLOW_MS, "it did not wait for the answer"
    return bool(risky)


@pytest.mark.wire
def test_five_kills_leave_books_equal_to_the_venue(tmp_path: Path) -> None:
    seed = time.time_ns() % 1_000_000
    print(f"seed {seed}")
    _die_and_return(tmp_path, 5, seed)


@pytest.mark.wire
@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_twenty_kills_leave_books_equal_to_the_venue(tmp_path: Path) -> None:
    seed = time.time_ns() % 1_000_000
    print(f"seed {seed}")
    _die_and_return(tmp_path, 20, seed)
