"""`gridops sync` against a live, a dead and a hung engine, judged by the venue's request journal and oracle."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.clock import Clock
from gridops.adapters.home import Home
from gridops.adapters.kill_latch import KillLatch
from gridops.domain import ids
from gridops.domain.records import Booked, MismatchSeen
from gridops.domain.vocabulary import MismatchKind
from tests.wire.harness import ACCOUNT, SYMBOL, Bench, Engine, assert_truth, journal_state, records

pytestmark = pytest.mark.wire
PERIOD_S = 30.0
"""The cadence of position reads."""
TAG = sha256(ACCOUNT.encode()).hexdigest()[:4]


def cli(bench: Bench, *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, document and standard error of one `gridops sync`."""
    command = [sys.executable, "-m", "gridops_cli", "sync", "--json", "--home", str(bench.home), *words]
    done = subprocess.run(
        command, env=bench.environment, cwd=bench.home.parent, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}, done.stderr


def writes(bench: Bench, since: int) -> list[dict[str, Any]]:
    """What changed an order, a mode or a position after a sequence number. The heartbeat of a stream is none of it."""
    quiet = ("/listenKey", "/countdownCancelAll")
    return [e for e in bench.requests(since) if e["method"] != "GET" and not e["path"].endswith(quiet)]


def calm(bench: Bench, engine: Engine) -> None:
    """An engine that has nothing of its own to write."""
    assert engine.ask("pause", reason="a quiet look")["accepted"]
    engine.wait_state("PAUSED")
    engine.wait(lambda: not [o for o in bench.resting() if not o["reduceOnly"]], 20.0, "increases are gone")


def orphan(bench: Bench, *, attempt: int = 1) -> str:
    """An order with our tag and an older epoch that no journal knows."""
    client_id = ids.mint(
        tag=TAG, epoch=1_000, run_id="lost", symbol=SYMBOL, level=-9, side="BUY", attempt=attempt, marker=ids.ORDINARY
    )
    price = int(float(book_bid(bench)) * 0.97)
    order = {"side": "BUY", "quantity": "0.01", "price": str(price), "client_id": client_id}
    bench.venue.fault("venue.external", what="order", **order)
    assert client_id in resting_ids(bench)
    return client_id


def book_bid(bench: Bench) -> str:
    """The venue's best bid, by a public read."""
    with urllib.request.urlopen(f"{bench.venue.rest}/fapi/v1/ticker/bookTicker?symbol={SYMBOL}", timeout=5) as answer:
        return str(json.load(answer)["bidPrice"])


def resting_ids(bench: Bench) -> set[str]:
    return {each["clientOrderId"] for each in bench.resting()}


def test_a_look_at_a_live_engine_writes_nothing_and_says_both_sides(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        engine = bench.start()
        calm(bench, engine)
        since = bench.last_request()
        for words in ([], ["--plan"]):
            code, document, told = cli(bench, *words)
            assert code == 0, (document, told)
            assert document["by"] == "engine"
            assert document["plan"]["items"] == [] and document["not_read"] == []
            assert document["evidence"]["mode"] == "sync" and "EVIDENCE_REF" in told
        assert writes(bench, since) == []
        (row,) = document["plan"]["symbols"]
        assert row["local_lots"] == row["venue_lots"] == bench.position_lots()
        engine.stop()


def test_a_hung_engine_is_refused_naming_the_way_out(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        engine = bench.start()
        engine.send(signal.SIGSTOP)
        code, _, told = cli(bench)
        assert code == 4 and "kill --direct" in told, told
        engine.send(signal.SIGCONT)


def test_a_dead_engine_is_looked_at_under_its_lease_and_an_orphan_is_cancelled_only_when_all_is_clear(
    tmp_path: Path,
) -> None:
    with Bench(tmp_path) as bench:
        engine = bench.start()
        calm(bench, engine)
        engine.stop()
        client_id = orphan(bench)
        since = bench.last_request()
        code, document, told = cli(bench, "--plan")
        assert code == 1, (code, document, told)
        assert document["by"] == "observer"
        (item,) = [each for each in document["plan"]["items"] if each["kind"] == "order_orphan_own"]
        assert (item["key"], item["remedy"], item["safe"], item["ready"]) == (client_id, "cancel", True, True)
        digest = document["plan"]["digest"]
        assert writes(bench, since) == []

        code, document, told = cli(bench, "--apply", digest, "--no-armed")
        assert (code, "arm:" in document["detail"]) == (4, True), (document, told)
        code, document, told = cli(bench, "--apply", "0" * 64)
        assert (code, "digest:" in document["detail"]) == (4, True), (document, told)
        assert writes(bench, since) == [] and client_id in resting_ids(bench)

        code, document, told = cli(bench, "--apply", digest)
        assert code == 0, (document, told)
        (write,) = writes(bench, since)
        assert write["method"] == "DELETE" and client_id not in resting_ids(bench)
        assert document["evidence"]["mode"] == "remediation"

        other = orphan(bench, attempt=2)
        KillLatch(Home(bench.home).kill_latch(ACCOUNT), clock_ms=Clock().wall_ms).set("test", "drill")
        since = bench.last_request()
        code, document, told = cli(bench, "--plan")
        assert code == 1 and document["plan"]["refused_by"].startswith("kill:"), (document, told)
        code, document, told = cli(bench, "--apply", document["plan"]["digest"])
        assert (code, "kill:" in document["detail"]) == (4, True), (document, told)
        assert writes(bench, since) == [] and other in resting_ids(bench)


def test_what_is_injected_while_the_grid_is_busy_is_found_with_both_figures_and_evidence(tmp_path: Path) -> None:
    """Another hand trades and the stream says nothing of it."""
    with Bench(tmp_path, speed="2") as bench:
        engine = bench.start()
        engine.wait(lambda: bench.fills() >= 2, 60.0, "the grid trades")
        time.sleep(3.0)
        for event in ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"):
            bench.venue.fault("ws.drop", selector={"event": event})
        began_s = time.monotonic()
        bench.venue.fault("venue.external", what="order", side="BUY", quantity="0.050")
        time.sleep(0.5)
        bench.venue.command("clear")

        def found() -> list[MismatchSeen]:
            kinds = (MismatchKind.FILL_MISSING, MismatchKind.POSITION_QTY, MismatchKind.POSITION_SIDE)
            told = [r for _, r in records(bench.home) if isinstance(r, MismatchSeen) and r.kind in kinds]
            return [each for each in told if each.confirmed and not each.closed]

        engine.wait(lambda: bool(found()), 2 * PERIOD_S + 5, "a confirmed mismatch")
        assert time.monotonic() - began_s <= 2 * PERIOD_S + 5
        seen = found()[-1]
        assert int(seen.venue) != int(seen.local) and seen.severity and seen.bundle
        folder = bench.home / "evidence" / seen.bundle
        engine.wait((folder / "sha256sums.txt").is_file, 10.0, "its bundle")
        subprocess.run(["sha256sum", "-c", "--quiet", "sha256sums.txt"], cwd=folder, check=True)
        engine.wait_state("ACTIVE", "THROTTLED", within_s=40.0)
        time.sleep(1.0)
        engine.stop()
        assert_truth(bench)


def test_a_phantom_position_degrades_until_its_plan_is_applied_to_the_live_engine(tmp_path: Path) -> None:
    """The venue's reads say a position that no trade explains; the operator accepts it, then takes it back."""
    with Bench(tmp_path) as bench:
        engine = bench.start()
        calm(bench, engine)
        bench.venue.fault("venue.external", what="order", side="BUY", quantity="0.200")
        told_lots = bench.position_lots() + 40
        lie = f"{Decimal(told_lots) / 1_000:.3f}"
        engine.wait(lambda: cli(bench)[0] == 0, 30.0, "the other hand's trade is booked")
        bench.venue.fault("rest.mutate", selector={"path": "/fapi/v3/positionRisk"}, field="0.positionAmt", value=lie)
        engine.wait_state("DEGRADED", within_s=70.0)
        item, document = accepted(bench)
        assert (item["remedy"], item["safe"]) == ("unattributed", False)
        assert item["lots"] == told_lots - int(item["local"]) and item["venue"] == str(told_lots)
        assert document["evidence"]["mode"] == "remediation"
        engine.kill()
        booked = [r for _, r in records(bench.home) if isinstance(r, Booked) and r.kind == "unattributed"]
        assert [each.lots for each in booked] == [item["lots"]]
        symbol = journal_state(bench.home).symbols[SYMBOL]
        assert symbol.position_lots == symbol.trips.open_lots()


def test_changed_leverage_and_modes_freeze_and_are_explained_with_evidence(tmp_path: Path) -> None:
    """Another hand changes both at the venue, while nothing rests there: it refuses a new mode otherwise."""
    with Bench(tmp_path, GRIDOPS_OPERATIONS__DEADMAN="false") as bench:
        engine = bench.start()
        calm(bench, engine)
        bench.venue.fault("venue.external", what="leverage", leverage=5)
        engine.wait(lambda: bool(seen(bench, MismatchKind.LEVERAGE_CHANGED)), 30.0, "the leverage is noticed")
        (told,) = seen(bench, MismatchKind.LEVERAGE_CHANGED)
        assert (told.local, told.venue, told.severity, told.symbol) == ("20", "5", "warn", SYMBOL)
        code, document, _ = cli(bench, "--plan")
        (item,) = [each for each in document["plan"]["items"] if each["kind"] == "leverage_changed"]
        assert code == 1 and (item["remedy"], item["ready"]) == ("freeze", False) and "restart" in item["why"]
        bench.venue.fault("venue.external", what="cancel")
        bench.venue.fault("venue.external", what="close")
        engine.wait(lambda: not bench.resting() and not bench.position_lots(), 20.0, "nothing of ours at the venue")
        bench.venue.fault("venue.external", what="mode", dual=True)
        engine.wait(lambda: bool(seen(bench, MismatchKind.MODE_CHANGED)), 40.0, "the mode is noticed")
        (told,) = seen(bench, MismatchKind.MODE_CHANGED)
        assert told.severity == "critical" and "hedge=True" in told.venue and told.bundle
        engine.wait_state("DEGRADED", within_s=20.0)


def seen(bench: Bench, kind: MismatchKind) -> list[MismatchSeen]:
    """Confirmed openings of one kind."""
    told = [r for _, r in records(bench.home) if isinstance(r, MismatchSeen) and r.kind is kind]
    return [each for each in told if each.confirmed and not each.closed]


def accepted(bench: Bench) -> tuple[dict[str, Any], dict[str, Any]]:
    """Plan and apply; again when a reduction filled in between, as the digest must notice. The item, and the answer."""
    for _ in range(4):
        code, document, told = cli(bench, "--plan")
        assert code == 1, (document, told)
        (item,) = document["plan"]["items"]
        code, document, told = cli(bench, "--apply", document["plan"]["digest"], "--reason", "drill")
        if code == 0:
            return item, document
        assert "digest: the world moved" in document["detail"], (document, told)
    raise AssertionError("the world never stood still")
