"""The kill switch: EMERGENCY at once, flat by the venue's own word, latched over restarts until an ack."""

import signal
import time
from pathlib import Path

import pytest
from gridops.adapters.home import Home
from tests.wire.harness import ACCOUNT, Bench, assert_truth, increases


@pytest.mark.wire
def test_a_kill_flattens_and_stays_latched_until_acknowledged(tmp_path: Path) -> None:
    with Bench(tmp_path, speed="5") as bench:
        latch = Home(bench.home).kill_latch(ACCOUNT)
        engine = bench.start()
        engine.wait(lambda: bench.position_lots() != 0, 40.0, "a position")
        began_s = time.monotonic()
        reply = engine.ask("kill", reason="drill")
        assert reply["accepted"] and reply["state"] == "EMERGENCY"
        engine.wait_state("EMERGENCY", within_s=1.0)
        assert time.monotonic() - began_s < 1.0
        engine.wait(lambda: bench.position_lots() == 0 and not bench.resting(), 5.0, "flat by the oracle")
        assert time.monotonic() - began_s < 5.0
        assert latch.exists()
        kept = bench.home / "evidence" / "kill"
        engine.wait(lambda: bool(list(kept.glob("*/summary.txt"))), 5.0, "evidence, which a thread writes meanwhile")
        since = bench.last_request()
        engine.kill()

        engine = bench.start(active=False)
        engine.wait_state("EMERGENCY")
        time.sleep(4.0)
        assert engine.snapshot()["state"] == "EMERGENCY", "never left by time"
        assert increases(bench, bench.requests(since)) == []
        assert engine.ask("ack", reason="seen")["accepted"]
        assert not latch.exists()
        engine.wait_state("ACTIVE", within_s=20.0)
        engine.stop()
        assert_truth(bench)


@pytest.mark.wire
def test_a_stop_in_emergency_ends_flat_with_exit_one_and_keeps_the_latch(tmp_path: Path) -> None:
    with Bench(tmp_path, speed="5") as bench:
        engine = bench.start()
        engine.wait(lambda: bench.position_lots() != 0, 40.0, "a position")
        engine.ask("kill", reason="drill")
        engine.send(signal.SIGTERM)
        code, report = engine.finish()
        assert code == 1, engine.errors()
        assert report["states"][-1] == "EMERGENCY"
        assert bench.position_lots() == 0 and not bench.resting()
        assert Home(bench.home).kill_latch(ACCOUNT).exists()
        assert_truth(bench)
