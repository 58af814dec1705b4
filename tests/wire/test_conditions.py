"""Conditions that only a real process shows: its disk, lease, journal file, evidence, key and control socket.

By day those that have no scene in virtual time, and what an operator types; the others each night.
"""

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.home import Home
from gridops.domain.records import Note, ShadowEdge
from gridops.venue.handle import spawn
from gridops.venue.options import VenueOptions
from tests.wire.harness import ACCOUNT, Bench, Engine, assert_truth, records

pytestmark = pytest.mark.wire
MB = 1_000_000
SPARE_MB, TAKEN_MB = 3_000, 6_000
"""Far more than what else runs here writes meanwhile."""


def levels(engine: Engine) -> set[str]:
    return {each["reason"] for each in engine.snapshot()["levels"]}


def degraded_by(engine: Engine, reason: str, within_s: float = 10.0) -> None:
    """Until the account is DEGRADED by this reason."""
    seen: dict[str, Any] = {}

    def there() -> bool:
        seen.update(engine.snapshot())
        return seen["state"] == "DEGRADED" and reason in {each["reason"] for each in seen["levels"]}

    engine.wait(there, within_s, lambda: f"DEGRADED by {reason}, last seen {seen}")


def over(bench: Bench, engine: Engine) -> None:
    """Trust comes back by itself, and the books are the venue's."""
    engine.wait_state("ACTIVE", "THROTTLED", within_s=30.0)
    engine.stop()
    assert_truth(bench)


def test_a_disk_that_runs_full_degrades_before_the_journal_fails(tmp_path: Path) -> None:
    free_mb = shutil.disk_usage(tmp_path).free // MB
    if free_mb < 2 * TAKEN_MB:
        pytest.skip("the disk has no room to be filled")
    filler = tmp_path / "filler"
    with Bench(tmp_path, GRIDOPS_OPERATIONS__MIN_FREE_MB=str(free_mb - SPARE_MB)) as bench:
        engine = bench.start()
        try:
            with filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, TAKEN_MB * MB)
            degraded_by(engine, "disk_low")
            assert "journal_failed" not in levels(engine)
        finally:
            filler.unlink(missing_ok=True)
        over(bench, engine)


@pytest.mark.nightly
def test_a_journal_that_cannot_commit_degrades_and_is_written_again(tmp_path: Path) -> None:
    with Bench(tmp_path, speed="3") as bench:
        engine = bench.start()
        whole = resource.prlimit(engine.pid, resource.RLIMIT_FSIZE)
        try:
            resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (4_096, whole[1]))
            degraded_by(engine, "journal_failed")
        finally:
            resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, whole)
        engine.wait_state("ACTIVE", "THROTTLED", within_s=30.0)
        engine.stop()


@pytest.mark.nightly
def test_a_lease_that_somebody_replaces_degrades_until_it_is_ours_again(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        engine = bench.start()
        lease = Home(bench.home).lease(ACCOUNT)
        aside = lease.with_suffix(".aside")
        lease.rename(aside)
        lease.write_text("another engine's")
        degraded_by(engine, "lease_lost", within_s=2.0)
        assert "follower" in levels(engine)
        aside.rename(lease)
        over(bench, engine)


def test_evidence_that_cannot_be_written_is_paged_and_stops_nothing(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        engine = bench.start()
        root = bench.home / "evidence"
        shutil.rmtree(root, ignore_errors=True)
        root.write_text("no folder")
        assert engine.ask("pause", reason="lunch")["accepted"]
        engine.wait(lambda: "evidence_failed" in levels(engine), 5.0, "evidence_failed")
        assert engine.snapshot()["state"] == "PAUSED", "evidence holds nothing up"
        root.unlink()
        assert engine.ask("resume", reason="back")["accepted"]
        engine.wait(lambda: "evidence_failed" not in levels(engine), 5.0, "evidence again")
        over(bench, engine)


@pytest.mark.nightly
def test_a_key_that_the_venue_refuses_degrades_until_it_is_good_again(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        engine = bench.start()
        for path in ("/fapi/v1/openOrders", "/fapi/v1/order", "/fapi/v1/batchOrders"):
            bench.venue.fault("venue.reject", selector={"path": path}, code=-2015, status=401)
        degraded_by(engine, "auth_rejected", within_s=20.0)
        bench.venue.command("clear")
        over(bench, engine)


@pytest.mark.nightly
def test_another_account_behind_the_same_home_is_never_traded(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        engine = bench.start()
        engine.stop()
        bench.venue.stop()
        store = Home(bench.home).paper_venue_dir(ACCOUNT)
        shutil.rmtree(store)
        bench.venue = spawn(
            VenueOptions(store=store, market=bench.environment["GRIDOPS_VENUE__MARKET"], idle_exit_s=120, hold=True)
        )
        engine = bench.start(active=False)
        engine.wait(lambda: "environment_changed" in levels(engine), 20.0, "environment_changed")
        time.sleep(3.0)
        assert engine.snapshot()["state"] == "INIT"
        assert not [each for each in bench.requests(0) if each["method"] == "POST" and "rder" in each["path"]]


def test_a_signal_set_by_hand_acts_within_a_second_and_expires_by_itself(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        engine = bench.start()
        began_s = time.monotonic()
        said = _fsm(bench, "signal", "toxicity", "high", "--ttl", "3s", "--reason", "drill")
        assert said.returncode == 0, said.stderr
        assert "accepted" in said.stdout
        assert "toxicity_high" in said.stdout and "clears by" in said.stdout
        assert engine.snapshot()["state"] == "PAUSED"
        assert "EVIDENCE_REF" in said.stdout
        engine.wait_state("ACTIVE", within_s=15.0)
        assert time.monotonic() - began_s >= 3.0
        told = [record.detail for _, record in records(bench.home) if isinstance(record, Note)]
        assert any("signal by" in detail and "drill" in detail for detail in told)
        over(bench, engine)


@pytest.mark.nightly
def test_refusals_name_what_blocks_and_what_would_clear_it(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        engine = bench.start()
        bench.venue.fault("ws.silent", target="market")
        engine.wait_state("DEGRADED", within_s=6.0)
        refused = _fsm(bench, "resume", "--reason", "go on")
        assert refused.returncode == 4
        assert "feed_stale" in refused.stdout and "clears by a fresh book" in refused.stdout
        nothing = _fsm(bench, "ack", "--reason", "go on")
        assert nothing.returncode == 4 and "nothing to acknowledge" in nothing.stdout
        bench.venue.fault("ws.unmute", target="market")
        over(bench, engine)


def test_thresholds_in_shadow_are_recorded_and_hold_nothing_up(tmp_path: Path) -> None:
    with Bench(tmp_path, GRIDOPS_HEALTH__SHADOW="feed_stale") as bench:
        engine = bench.start()
        bench.venue.fault("ws.silent", target="market")
        name = 'gridops_fsm_shadow_total{condition="feed_stale"}'
        engine.wait(lambda: engine.metrics()[name] >= 1, 8.0, "the shadow metric")
        assert engine.snapshot()["state"] == "ACTIVE" and levels(engine) == set()
        bench.venue.fault("ws.unmute", target="market")
        _until(lambda: len(_shadow_edges(bench)) >= 2, 8.0)
        engine.stop()
        assert [edge.open for edge in _shadow_edges(bench)][:2] == [True, False]


def _shadow_edges(bench: Bench) -> list[ShadowEdge]:
    return [record for _, record in records(bench.home) if isinstance(record, ShadowEdge)]


def _until(true: Callable[[], bool], within_s: float) -> None:
    began_s = time.monotonic()
    while not true():
        assert time.monotonic() - began_s < within_s
        time.sleep(0.1)


def _fsm(bench: Bench, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "gridops_cli", "fsm", *words, "--home", str(bench.home)]
    return subprocess.run(
        command, env=bench.environment, cwd=bench.home.parent, capture_output=True, text=True, timeout=30, check=False
    )
