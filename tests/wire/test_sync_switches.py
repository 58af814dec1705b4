"""The table of switches through `gridops sync --apply` itself: no engine lives, and only the all-clear cell writes.

Real processes and sockets: the command takes the lease, reads both sides from the emulator and asks the step. What was
written is told by the venue's own request journal; each cell that writes nothing names a gate that is shut.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path

import pytest
from gridops.adapters.clock import Clock
from gridops.adapters.home import Home
from gridops.adapters.kill_latch import KillLatch
from tests.wire.harness import ACCOUNT, Bench
from tests.wire.test_sync import calm, cli, orphan, resting_ids, writes

pytestmark = pytest.mark.wire
BAN_MS = 60_000
"""A look waits 9 s for its reads; the ban must outlast that."""
SWITCHES = ("kill", "drawdown", "lease", "arm", "budget")
CELLS = [shut for shut in product((False, True), repeat=5) if any(shut)]
"""All but the all-clear one, which each test begins with."""
BY_DAY = [shut for shut in CELLS if sum(shut) == 1]


@pytest.mark.nightly
@pytest.mark.timeout(300)
def test_each_shut_switch_alone_keeps_the_remedy_from_the_venue(tmp_path: Path) -> None:
    judge(tmp_path, BY_DAY)


@pytest.mark.nightly
@pytest.mark.timeout(1_500)
def test_of_the_32_cells_only_the_all_clear_one_writes(tmp_path: Path) -> None:
    judge(tmp_path, CELLS)


def judge(folder: Path, cells: list[tuple[bool, ...]]) -> None:
    with Bench(folder) as bench:
        engine = bench.start()
        calm(bench, engine)
        for side in ("BUY", "SELL"):
            bench.venue.fault("venue.external", what="order", side=side, quantity="0.200")
        engine.wait(lambda: cli(bench)[0] == 0, 60.0, "the loss by two fees is in the books")
        engine.stop()
        client_id = orphan(bench)
        cell(bench, client_id, planned(bench, client_id), (False,) * 5)
        client_id = orphan(bench, attempt=2)
        digest = planned(bench, client_id)
        kept = shutil.copytree(bench.home, folder / "kept")
        for shut in cells:
            cell(bench, client_id, digest, shut)
            # What a cell latched or was told of a ban stays in its journal: each begins from the same one.
            shutil.rmtree(bench.home)
            shutil.copytree(kept, bench.home)


def planned(bench: Bench, client_id: str) -> str:
    """Digest of the plan that cancels this order."""
    _, document, told = cli(bench, "--plan")
    assert any(each["key"] == client_id for each in document["plan"]["items"]), (document, told)
    return str(document["plan"]["digest"])


def cell(bench: Bench, client_id: str, digest: str, shut: tuple[bool, ...]) -> None:
    """Shut the switches of the cell, then apply a plan that was made while all were open."""
    closed = [gate for gate, bit in zip(SWITCHES, shut, strict=True) if bit]
    since = bench.last_request()
    with shutting(bench, closed):
        words = ["--no-armed"] if "arm" in closed else []
        code, document, told = cli(bench, "--apply", digest, *words)
    if not closed:
        (write,) = writes(bench, since)
        assert code == 0 and write["method"] == "DELETE" and client_id not in resting_ids(bench)
        return
    assert code == 4, (closed, code, document, told)
    assert writes(bench, since) == [] and client_id in resting_ids(bench)
    said = document.get("detail", "") + told
    # A lease that another process holds is met first; of the others the table's order names the first.
    assert ("lease" if "lease" in closed else f"{closed[0]}:") in said, (closed, said)


@contextmanager
def shutting(bench: Bench, closed: list[str]) -> Iterator[None]:
    home = Home(bench.home)
    with ExitStack() as stack:
        if "kill" in closed:
            KillLatch(home.kill_latch(ACCOUNT), clock_ms=Clock().wall_ms).set("test", "drill")
        if "drawdown" in closed:
            stack.enter_context(settings(bench, "MAX_DRAWDOWN", "0.0001"))
            stack.enter_context(settings(bench, "DAILY_DRAWDOWN", "0.0001"))
        if "lease" in closed:
            handle = os.open(home.lease(ACCOUNT), os.O_RDWR | os.O_CREAT)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if "budget" in closed:
            until_ms = Clock().wall_ms() + BAN_MS
            told = f"Way too many requests; IP(127.0.0.1) banned until {until_ms}."
            bench.venue.fault("rest.http", selector={"path": "/fapi/v1/income"}, status=418, code=-1003, msg=told)
            stack.callback(bench.venue.command, "clear")
        yield


@contextmanager
def settings(bench: Bench, name: str, value: str) -> Iterator[None]:
    key = f"GRIDOPS_RISK__{name}"
    before = bench.environment.get(key)
    bench.environment[key] = value
    yield
    if before is None:
        del bench.environment[key]
    else:
        bench.environment[key] = before
